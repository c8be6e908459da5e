"""Strips: every row once, in its place; rows beyond the image are told."""

import numpy as np
import pytest
from keras import ops

from tf_defocus.ops import strips


def neighbours_sum(strip, inside):
    """Every row and its two neighbours, those beyond the image counted as zeros."""
    rows = strip * ops.cast(inside, strip.dtype)[None, :, None, None]
    return {"sum": rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:], "inside": inside[None]}


@pytest.mark.parametrize("height", [1, 4, 5, 8, 11])
def test_strips_join_to_what_the_whole_image_gives(rng, height, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_ROWS", 4)
    images = rng.normal(size=(2, height, 3, 2)).astype("float32")
    parts = strips.map_strips(neighbours_sum, images)
    count = -(-height // 4)
    assert parts["inside"].shape == (2, count, 6)
    joined = strips.join_strips(parts["sum"], height)
    padded = np.pad(images, ((0, 0), (1, 1), (0, 0), (0, 0)))
    expected = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    np.testing.assert_allclose(joined, expected, atol=1e-6)


def test_only_images_of_more_rows_than_a_strip_need_strips():
    for height, needed in ((strips.STRIP_ROWS, False), (strips.STRIP_ROWS + 1, True)):
        assert strips.needs_strips(np.zeros((1, height, 2, 1))) is needed
