"""Tests of `tools/reproduce_view_calibration.py` on one scene of the simulator."""

import runpy
import sys

import numpy as np
import pytest

from tests import testing
from tests.optics.view_calibration_test import DIAMETER, RATIO, views  # noqa: F401
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.optics import view_calibration


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(view_calibration, "DIAMETERS", np.geomspace(8, 15, 5))

    def command(*arguments):
        tool = str(testing.ROOT / "tools" / "reproduce_view_calibration.py")
        monkeypatch.setattr(sys, "argv", [tool, *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_info:
            runpy.run_path(tool, run_name="__main__")
        return exit_info.value.code

    return command


def test_page_and_picture_hold_what_the_simulator_put_in(run, views, tmp_path):  # noqa: F811
    folder = tmp_path / "scenes" / "wall"
    folder.mkdir(parents=True)
    for name, pixels in zip(("left", "right", "target"), views):
        write_image(folder / f"{name}.png", Image(pixels))
    page = tmp_path / "page.md"
    assert not run(
        "--folder", folder.parent, "--output", tmp_path / "out", "--page", page
    )
    text = page.read_text()
    assert "![Measured and modelled kernels](out/kernels.png)" in text
    assert str(tmp_path) not in text
    row = next(line for line in text.splitlines() if line.startswith("| wall |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert int(cells[1]) > 10
    assert float(cells[2]) == pytest.approx(RATIO, abs=0.03)
    assert float(cells[3].split("/")[1]) == pytest.approx(DIAMETER, rel=0.18)
    linear, encoded = (float(v) for v in cells[4].split(","))
    assert linear < encoded  # the simulator blurs linear light
    pixels = read_image(tmp_path / "out" / "kernels.png").pixels
    assert pixels.shape == (20 + 27 * 5, 4 * 27 * 5 + 3 * 4, 3)


def test_a_folder_without_scenes_is_one_line(run, tmp_path):
    message = run("--folder", tmp_path, "--output", tmp_path / "out")
    assert message.startswith("reproduce_view_calibration: Expected folders of scenes")
    assert not (tmp_path / "out").exists()
