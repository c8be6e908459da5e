"""Tests of `tools/reproduce/data_ablation.py`: two variants, one step."""

import json

import cv2
import numpy as np
import pytest

from tests.testing import run_tool
from tf_defocus import configs
from tf_defocus.configs import data_ablations
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.synthesis import scene_ranges

TINY = configs.Recipe(
    "tiny",
    "kpac_2level",
    overrides={"base_filters": 4, "num_blocks": 1},
    crop_size=16,
    batch_size=2,
    num_steps=1,
)


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(configs, "get_recipe", lambda _: TINY)
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (90, 90, 3))
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels.astype(np.uint8))

    def command(*arguments):
        given = ["--manual_dir", tmp_path, "--output", tmp_path / "out", *arguments]
        return run_tool("reproduce/data_ablation", *given)

    return command


def test_every_widening_is_one_of_the_scenes_ranges():
    fields = vars(scene_ranges.WIDE)
    for name, changes in data_ablations.WIDENINGS.items():
        assert set(changes) <= set(fields)
        assert name == "wide" or any(fields[k] != v for k, v in changes.items())
    assert data_ablations.RECIPE in configs.list_recipes()


def test_variants_differ_in_their_training_data_alone(run, tmp_path, capsys):
    options = ["--num_train", 2, "--num_validation", 1, "--size", 24, "--exact", 4]
    options += ["--variants", "wide,nothing_exactly_sharp", "--page", tmp_path / "p.md"]
    assert not run(*options)
    folder = tmp_path / "out"
    text = (tmp_path / "p.md").read_text()
    table = (folder / "table.md").read_text()
    assert table in text and table in capsys.readouterr().out
    assert str(tmp_path) not in text
    assert "Not measured yet: blur_of_2_to_26_px" in text
    scores = json.loads((folder / "scores.json").read_text())
    row = next(line for line in table.splitlines() if line.startswith("| wide |"))
    assert f"{scores['wide'][0]['sharp_psnr']:.2f} | 1 |" in row
    stored = [
        StoredArrays(folder / "arrays" / name)
        for name in ("wide", "nothing_exactly_sharp", "validation")
    ]
    assert [len(arrays) for arrays in stored] == [2, 2, 1]
    assert stored[1].source["changes"] == {"pristine": "0.0"}
    times = (folder / "wide" / "seed_0" / "scores.json").stat().st_mtime_ns
    assert not run(*options)  # reads what is there
    assert (folder / "wide" / "seed_0" / "scores.json").stat().st_mtime_ns == times
    assert "another budget" in run(*options, "--num_steps", 2)


def test_all_variants_begin_with_given_weights(run, tmp_path):
    options = ["--num_train", 2, "--num_validation", 1, "--size", 24, "--exact", 0]
    options += ["--variants", "wide", "--page", tmp_path / "p.md"]
    assert not run(*options)
    first = tmp_path / "out" / "wide" / "seed_0"
    (first / "scores.json").unlink()
    begun = (first / "weights.npz").rename(tmp_path / "begun.npz")
    (first / "checkpoint.npz").unlink()
    assert not run(*options, "--initial_weights", begun)
    recipe = json.loads((first / "config.json").read_text())["recipe"]
    assert recipe["initial_weights"] == str(begun)
    assert (
        "1 steps from the weights of `begun` of 2 crops"
        in (tmp_path / "p.md").read_text()
    )
    assert "another budget" in run(*options)


def test_unknown_variants_are_named(run):
    assert "data_ablation: Expected variants of" in run("--variants", "wider")
