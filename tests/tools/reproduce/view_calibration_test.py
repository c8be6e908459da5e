"""Tests of `tools/reproduce/view_calibration.py` on one scene of the simulator."""

import numpy as np
import pytest

from tests.optics.view_calibration_test import DIAMETER, RATIO, views  # noqa: F401
from tests.testing import run_tool
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.optics import view_calibration

TOOL = "reproduce/view_calibration"


@pytest.fixture(autouse=True)
def few_diameters(monkeypatch):
    monkeypatch.setattr(view_calibration, "DIAMETERS", np.geomspace(8, 15, 5))


def test_page_and_picture_hold_what_the_simulator_put_in(views, tmp_path):  # noqa: F811
    folder = tmp_path / "scenes" / "wall"
    folder.mkdir(parents=True)
    for name, pixels in zip(("left", "right", "target"), views):
        write_image(folder / f"{name}.png", Image(pixels))
    page = tmp_path / "page.md"
    assert not run_tool(
        TOOL, "--folder", folder.parent, "--output", tmp_path / "out", "--page", page
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


def test_a_folder_without_scenes_is_one_line(tmp_path):
    message = run_tool(TOOL, "--folder", tmp_path, "--output", tmp_path / "out")
    assert message.startswith("view_calibration: Expected folders of scenes")
    assert not (tmp_path / "out").exists()
