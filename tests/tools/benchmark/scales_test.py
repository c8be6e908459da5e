"""Gains over scales: areas, sums and the table."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.cli import deblur
from tf_defocus.cli.app import worker

tool = load_tool("benchmark.scales")


@pytest.fixture
def example(rng):
    sharp = rng.integers(0, 65535, (96, 128, 3), dtype=np.uint16)
    coc = np.full((96, 128), 5.0, np.float32)
    coc[:, 64:] = 30
    return {"blurred": (sharp // 514).astype(np.uint8), "sharp": sharp, "coc": coc}


def test_depth_edges_reach_so_far(example):
    distance = tool.edge_distance(example["coc"])
    expected = np.maximum(np.abs(np.arange(128) - 63.5) - 0.5, 0)
    np.testing.assert_allclose(distance, np.broadcast_to(expected, (96, 128)), atol=0.1)
    assert np.isinf(tool.edge_distance(np.ones((8, 8), np.float32))).all()


def test_a_halo_is_an_error_beside_a_depth_edge(example):
    example["coc"][:, :64] = 1
    image = example["sharp"] / np.float32(65535)
    image[:, 56:64] += 2 / 255  # of a sharp side that ends at column 64
    halos = tool.Halos()
    halos.add("halo", example, image)
    line = halos.table().splitlines()[-1]
    cells = [float(cell) for cell in line.split("|")[2:-1]]
    np.testing.assert_allclose(cells[0], 2.0, atol=0.01)
    np.testing.assert_allclose(cells[1], 2 * np.sqrt(3 / 8), atol=0.01)
    np.testing.assert_allclose(cells[2:4], 0, atol=0.01)


def test_half_the_error_is_six_decibels(example):
    before = tool.squared_errors(example, example["blurred"])
    half = (example["sharp"] / 65535 + example["blurred"] / 255) / 2
    sums = tool.Sums()
    sums.add("ramps", "half", example, before, half.astype(np.float32))
    sums.add("ramps", "none", example, before, example["blurred"])
    for area in ("2-8 px", "20-40 px"):
        np.testing.assert_allclose(sums.gain("ramps", "half", area), 6.02, atol=0.01)
    assert sums.gain("ramps", "half", "64-128 px") is None
    text = tool.table(sums, "ramps", ["half", "none"], ["2-8 px", "64-128 px"])
    assert "| half | +6.02 (+6.02) |  |" in text
    assert "| none | +0.00 (+0.00) |  |" in text


def test_crops_are_taken_where_the_blur_is_as_wide(example, monkeypatch):
    monkeypatch.setattr(tool, "CROP", 16)
    monkeypatch.setattr(tool, "CROP_WIDTHS", (5, 30))
    ramp = np.stack([example["coc"] / 60] * 3, axis=-1)
    picture = tool.crops(example, [ramp, ramp])
    assert picture.shape == (32, 32, 3)
    np.testing.assert_array_equal(picture[:, :16], round(255 * 5 / 60))
    np.testing.assert_array_equal(picture[:, 16:], 128)


def test_the_way_of_the_command_is_what_the_command_does(monkeypatch):
    asked = {}
    keep = staticmethod(lambda name, **options: asked.update(options))
    monkeypatch.setattr(tool.Restorer, "from_preset", keep)
    deblur.load_restorer(worker.parse(["-i", "photo.jpg", "-o", "restored"]))
    own = tool.WAYS["command"][1]
    assert own == {name: asked.pop(name) for name in own}
    plain = {"tile": None, "precision": "float32", "engine": "tensorflow"}
    assert asked == {**plain, "ensemble": False}  # the others are the restorer's own
