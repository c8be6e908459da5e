"""Errors of tiles and their jumps, on differences made by hand."""

import numpy as np
import pytest

from tf_defocus.restoration import seams, tiling


def test_lines_are_where_tiles_begin_end_meet_and_blend():
    tiles = tiling.plan_tiles(40, 96, tile=64, halo=8, multiples=(8, 8))
    assert len(tiles) == 2  # columns 0 to 56 and 40 to 96, meeting at 48
    assert seams.seam_lines(tiles, 0, 8, 40).tolist() == []
    assert seams.seam_lines(tiles, 1, 8, 96).tolist() == [40, 48, 56]


def test_steps_are_mean_jumps_across_lines(rng):
    difference = rng.normal(size=(5, 7, 3))
    for axis in (0, 1):
        expected = [
            np.mean(np.abs(difference.take(i, axis) - difference.take(i - 1, axis)))
            for i in range(1, difference.shape[axis])
        ]
        np.testing.assert_allclose(seams.steps_across(difference, axis), expected)


def test_a_seam_is_told_from_a_slow_error():
    tiles = tiling.plan_tiles(40, 96, tile=64, halo=8, multiples=(8, 8))
    whole = np.zeros((40, 96, 3))
    ramp = np.linspace(0, 0.1, 96)[None, :, None] + whole
    slow = seams.measure_seams(whole, ramp, tiles, halo=8)
    assert slow["max_error"] == pytest.approx(25.5)
    assert slow["mean_error"] == pytest.approx(12.75)
    assert (
        slow["seam_step"]
        == pytest.approx(slow["other_step"])
        == pytest.approx(25.5 / 95)
    )
    jump = np.where(np.arange(96) < 48, 0, 2 / 255)[None, :, None] + whole
    seam = seams.measure_seams(whole, jump, tiles, halo=8)
    assert (seam["seam_step"], seam["other_step"]) == (pytest.approx(2), 0)


def test_a_whole_photograph_has_no_seam():
    tiles = tiling.plan_tiles(16, 16, tile=0, halo=4, multiples=(8, 8))
    one = np.ones((16, 16, 3))
    measured = seams.measure_seams(one, one, tiles, halo=4)
    assert measured["tiles"] == 1
    assert measured["max_error"] == measured["seam_step"] == 0
