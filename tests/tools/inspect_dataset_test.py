"""`tools/inspect_dataset.py` recognises every tree and refuses what builders refuse."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests import dataset_trees as trees
from tests import testing
from tf_defocus.optics.sensor import linear_to_srgb

inspect_dataset = testing.load_tool("inspect_dataset")


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ("dpdd_official", "dpdd"),
        ("dpdd_k3dn", "dpdd"),
        ("dpdd_patches", "dpdd"),
        ("dpdd_pixel", "dpdd_pixel"),
        ("realdof", "realdof"),
        ("cuhk_bd", "cuhk_bd"),
        ("syndof", "syndof"),
        ("lfdof", "lfdof"),
        ("rtf", "rtf"),
        ("ddd_syn", "ddd_syn"),
        ("rdpd", "rdpd"),
        ("dpd_disp", "dpd_disp"),
    ],
)
def test_every_tree_is_recognised(tmp_path, tree, expected):
    trees.TREES[tree](tmp_path / "data", 2)
    lists = trees.write_dpdd_lists(tmp_path / "lists", 2)
    report = inspect_dataset.inspect(tmp_path / "data", 2, lists)
    assert (report["dataset"], report["refused"]) == (expected, None)
    assert all(found["scenes"] >= 2 for found in report["splits"].values())


@pytest.mark.parametrize("trap", ["eight_bit", "truncated", "missing", "wrong_size"])
def test_traps_are_refused(tmp_path, trap):
    root = trees.dpdd_official(tmp_path / "data", 3)
    name = trees.TRAPS[trap](root).stem
    lists = trees.write_dpdd_lists(tmp_path / "lists", 3)
    report = inspect_dataset.inspect(tmp_path / "data", 2, lists)
    assert report["dataset"] == "dpdd"
    wrong = str(
        [report["refused"], *(s["problems"] for s in report["splits"].values())]
    )
    assert name in wrong and report["refused"]


def write_scene(folder):
    """Views 3 px apart, a sharp image 4 px below and twice as bright."""
    folder.mkdir(parents=True)
    scene = np.random.default_rng(0).uniform(0.1, 0.4, (128, 128, 1))
    scene = cv2.GaussianBlur(scene, (0, 0), 2)[..., None].repeat(3, -1)
    images = {
        "combined": scene,
        "left": np.roll(scene, 1, axis=1),
        "right": np.roll(scene, -2, axis=1),
        "target": np.roll(2 * scene, 4, axis=0),
    }
    for name, linear in images.items():
        encoded = linear_to_srgb(linear)
        pixels = np.round(encoded * 65535).astype(np.uint16)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)


def test_disparity_shift_and_exposure_are_measured(tmp_path):
    write_scene(tmp_path / "photos" / "a")
    report = inspect_dataset.inspect(tmp_path / "photos")
    assert report["dataset"] == "dp_folder"
    (measured,) = report["splits"]["test"]["measured"]
    assert measured["disparity"] == pytest.approx(3, abs=0.2)
    assert measured["misalignment"] == pytest.approx(4, abs=0.2)
    assert measured["exposure_ratio"] == pytest.approx(0.5, rel=0.02)
    assert report["splits"]["test"]["bits"] == {"16": 4}
    assert measured["view_order"] == "exchanged"
    text = inspect_dataset.format_report(report)
    assert "test: WARNING: left and right seem exchanged in 1 pairs" in text


@pytest.mark.slow
def test_command_prints_writes_json_and_fails_when_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    command = [sys.executable, str(testing.ROOT / "tools" / "inspect_dataset.py")]
    command += [str(tmp_path / "empty"), "--json", str(tmp_path / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=testing.ROOT)
    assert done.returncode == 1 and "REFUSED: no known dataset" in done.stdout
    assert json.loads((tmp_path / "report.json").read_text())["dataset"] is None
