"""The benchmark of scores times the right functions."""

import pytest

from tests.testing import load_tool

tool = load_tool("benchmark.scores")


def test_both_ssims_are_timed_and_agree():
    results = tool.measure("ifan", 40, 24, repeats=1)
    assert abs(results["difference"]) < 1e-6
    assert results["score_seconds"] > 0
    expected = results["ssim_seconds"] / results["scikit_image_seconds"]
    assert results["ratio"] == pytest.approx(expected)


def test_the_pair_is_the_same_every_time():
    one, other = tool.make_pair(6, 4), tool.make_pair(6, 4)
    assert one[0].shape == (4, 6, 3) and one[0].dtype == one[1].dtype == "float32"
    assert all((a == b).all() for a, b in zip(one, other))
