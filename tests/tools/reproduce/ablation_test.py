"""`tools/reproduce/ablation.py`: how variants are read, trained, resumed and chosen."""

import json
import subprocess
import sys
import time

import pytest

from tests.data.batches_test import store
from tests.testing import ROOT, load_tool
from tf_defocus import configs
from tf_defocus.configs.ablations import Variant

ablate = load_tool("reproduce.ablation")


def test_variants_are_names_and_arguments():
    assert ablate.parse_variant("full:") == Variant("full", {})
    variant = ablate.parse_variant("a:shape_attention=false,num_blocks=1")
    assert variant.overrides == {"shape_attention": False, "num_blocks": 1}


@pytest.mark.parametrize("text", ["full", ":a=1", "a:b", "a:b=c"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="Expect"):
        ablate.parse_variant(text)


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ((None, None, []), "either"),
        (("kpac_table_2", None, ["a:"]), "either"),
        ((None, None, ["a:"]), "--recipe"),
        ((None, "kpac_2level_synthetic", ["a:", "a:"]), "one name"),
    ],
)
def test_unclear_choices_are_refused(chosen, reason):
    with pytest.raises(ValueError, match=reason):
        ablate.chosen_ablation(*chosen)


def test_the_page_shows_no_folder_of_its_author():
    shown = ablate.command_line(
        ["--train_arrays=/home/a/train", "--seeds=0,1", "--output=/home/a/runs"]
    )
    assert shown == (
        "python tools/reproduce/ablation.py --train_arrays=ARRAYS/train "
        "--seeds=0,1 --output=runs"
    )


TINY = Variant("a", {"base_filters": 3, "num_blocks": 1})


def trained(folder, num_steps=2, minutes=1.0):
    recipe = configs.get_recipe("kpac_2level_synthetic")
    return ablate.train_variant(
        TINY,
        recipe.replace(num_steps=num_steps, crop_size=8, precision="float32"),
        folder / "run",
        folder / "train",
        folder / "validation",
        time.monotonic() + 60 * minutes,
    )


def test_a_stopped_run_goes_on_and_a_finished_one_is_read(tmp_path):
    store(tmp_path / "train")
    store(tmp_path / "validation", count=2)
    assert trained(tmp_path, minutes=0) is None
    scores = trained(tmp_path)
    assert set(scores) >= {"validation_psnr", "validation_gain", "parameters_m"}
    (tmp_path / "run" / "checkpoint.npz").unlink()
    assert trained(tmp_path) == scores  # trains nothing
    with pytest.raises(ValueError, match="another budget"):
        trained(tmp_path, num_steps=3)


def test_the_command_writes_tables_and_a_page(tmp_path):
    store(tmp_path / "train")
    store(tmp_path / "validation", count=2)
    arguments = {
        "recipe": "kpac_2level_synthetic",
        "seeds": "0,1",
        "num_steps": 1,
        "crop_size": 8,
        "train_arrays": tmp_path / "train",
        "validation_arrays": tmp_path / "validation",
        "output": tmp_path / "runs",
        "page": tmp_path / "page.md",
        "variant": "b:base_filters=3,num_residual_blocks=1",
    }
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools" / "reproduce" / "ablation.py"),
            *(f"--{key}={value}" for key, value in arguments.items()),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "run 2 of 2: b, seed 1" in done.stdout
    scores = json.loads((tmp_path / "runs" / "scores.json").read_text())["scores"]
    assert len(scores["b"]) == 2
    page = (tmp_path / "page.md").read_text()
    assert "| b |" in page and "Unfinished" not in page and str(tmp_path) not in page
    assert "--num_steps=1" in page and "ARRAYS/validation" in page
