"""`tools/train.py`: every field of a recipe can be set, in its own type."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.testing import ROOT, load_tool
from tests.training.workers_test import free_hosts
from tf_defocus.configs import get_recipe

tool = load_tool("train")
changed = tool.changed
RECIPE = get_recipe("kpac_3level_synthetic")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("num_steps=2000", "num_steps", 2000),
        ("learning_rate=1", "learning_rate", 1.0),
        ("learning_rate=3e-4", "learning_rate", 3e-4),
        ("color_permutation=False", "color_permutation", False),
        ("dataset=lfdof", "dataset", "lfdof"),
        ("initial_weights=a=b.npz", "initial_weights", "a=b.npz"),
        ("crop_size=96", "crop_size", 96),
        ("crop_size=[96, 128]", "crop_size", (96, 128)),
        ("noise_range=[0, 0.02]", "noise_range", (0, 0.02)),
        ('losses=[["mae", 1], ["ssim", 0.1]]', "losses", (("mae", 1), ("ssim", 0.1))),
        ('overrides={"num_blocks": 3}', "overrides", {"num_blocks": 3}),
    ],
)
def test_a_field_takes_its_own_type(text, name, value):
    found = getattr(changed(RECIPE, [text]), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no_such_field=1", "takes name=value"),
        ("num_steps", "takes name=value"),
        ("num_steps=many", "num_steps expects a int"),
        ("num_steps=1.5", "num_steps expects a int"),
        ("color_permutation=maybe", "color_permutation expects a bool"),
        ("noise_range=0.1", "noise_range expects a tuple"),
        ("overrides=[1]", "overrides expects a dict"),
        ("batch_size=0", "batch_size must be at least 1"),
    ],
)
def test_other_values_are_refused_by_name(text, message):
    with pytest.raises(ValueError, match=message):
        changed(RECIPE, [text])


def test_several_fields_are_set_at_once():
    recipe = changed(RECIPE, ["seed=3", "batch_size=2"])
    assert (recipe.seed, recipe.batch_size) == (3, 2)
    assert recipe.num_steps == RECIPE.num_steps


def test_what_a_recipe_needs_is_looked_for_before_the_data(monkeypatch, tmp_path):
    for name, value in {
        "_WORKER_HOSTS": None,
        "_STRATEGY": "none",
        "_RECIPE": "kpac_2level_stage_b",
        "_SET": ["initial_run="],
        "_VGG19_WEIGHTS": str(tmp_path / "vgg19.h5"),
        "_OUTPUT": str(tmp_path / "run"),
    }.items():
        monkeypatch.setattr(tool, name, SimpleNamespace(value=value))
    monkeypatch.setattr(tool, "stored_splits", lambda *_: pytest.fail("decoded"))
    with pytest.raises(FileNotFoundError, match=r"--vgg19_weights FILE.*vgg19\.h5"):
        tool.main([])


def test_what_one_worker_cannot_do_ends_all_with_one_line(tmp_path):
    """Before they meet; real processes, of which one gets another recipe's field."""
    command = [sys.executable, "tools/train.py", "--recipe=kpac_3level_synthetic"]
    hosts = ",".join(host for host in free_hosts(3))
    places = ["--strategy=multi_worker", f"--worker_hosts={hosts}"]
    start, processes = time.monotonic(), []
    for index, more in enumerate(([], ["--set=no_such_field=1"], [])):
        own = [f"--output={tmp_path}", f"--arrays={tmp_path / str(index)}", *more]
        processes.append(
            subprocess.Popen(
                [*command, *places, f"--task_index={index}", *own],
                cwd=ROOT,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    lines = [process.communicate(timeout=60)[1].splitlines() for process in processes]
    assert time.monotonic() - start < 60
    assert [process.returncode for process in processes] == [1, 1, 1]
    assert lines[1][-1].startswith("train: --set takes name=value")
    for index in (0, 2):
        assert lines[index][-1].startswith("train: worker 1 ended: --set takes"), lines
    assert not list(tmp_path.iterdir())
