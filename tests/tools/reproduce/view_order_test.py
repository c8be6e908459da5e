"""Counts of verdicts, and what a majority makes of them."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.evaluation.examples import Example

tool = load_tool("reproduce.view_order")


def test_exchanging_the_views_exchanges_the_verdict(rng):
    left = rng.integers(0, 256, (128, 128, 3)).astype("uint8")
    behind = {"left": left, "right": np.roll(left, 3, axis=1)}
    sharp = {"left": left, "right": left}
    examples = [
        Example(name, views, left) for name, views in zip("ab", (behind, sharp))
    ]
    np.testing.assert_array_equal(tool.judge(examples), [[0, 1], [2, 2]])


def test_majorities_of_known_verdicts():
    assert tool.majority_rate(np.array([0, 0])) == (1, 0, 0)
    assert tool.majority_rate(np.array([2])) == (0, 0, 1)
    right, wrong, undecided = tool.majority_rate(np.array([0, 0, 0, 1]), set_size=3)
    assert right == pytest.approx(54 / 64, abs=0.02)  # two or three of three
    assert (undecided, right + wrong) == (0, pytest.approx(1))
