"""Curves lie where their numbers say."""

import numpy as np
import pytest

from tf_defocus.reports import line_chart


def rows_of(picture, colour, column):
    """Rows of a column that hold a colour exactly."""
    return np.flatnonzero((picture[:, column] == colour).all(axis=-1))


def test_a_line_runs_from_corner_to_corner_of_the_axes():
    curves = {"a": ([0, 10], [1, 2]), "b": ([0, 10], [2, 2])}
    picture = line_chart.draw_lines(curves, "title", "x", "y")
    assert picture.shape == (*line_chart.SIZE, 3) and picture.dtype == np.uint8
    height, width = line_chart.SIZE
    bottom, right = height - line_chart.BOTTOM, width - line_chart.RIGHT
    half = (line_chart.LEFT + right) // 2
    (row,) = {int(np.median(rows_of(picture, line_chart.COLOURS[0], half)))}
    assert row == pytest.approx((line_chart.TOP + bottom) / 2, abs=2)
    top = rows_of(picture, line_chart.COLOURS[1], half)
    assert top.size and np.abs(top - line_chart.TOP).min() <= 1


def test_logarithmic_axes_place_decades_evenly():
    curves = {"a": ([0, 1, 10, 100], [9, 0, 1, 2])}  # zero has no logarithm
    picture = line_chart.draw_lines(curves, "", "", "", log_x=True)
    middle = (line_chart.LEFT + line_chart.SIZE[1] - line_chart.RIGHT) // 2
    row = np.median(rows_of(picture, line_chart.COLOURS[0], middle))
    centre = (line_chart.TOP + line_chart.SIZE[0] - line_chart.BOTTOM) / 2
    assert row == pytest.approx(centre, abs=2)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="one length"):
        line_chart.draw_lines({"a": ([0, 1], [0])}, "", "", "")
    with pytest.raises(ValueError, match="finite points"):
        line_chart.draw_lines({"a": ([0, 1], [np.nan, np.inf])}, "", "", "")


@pytest.mark.parametrize("values", [[0, 2], [2, 0], [1, 1]])
def test_the_legend_stands_where_the_line_does_not(values):
    named, unnamed = (
        line_chart.draw_lines({label: ([0, 1], values)}, "", "", "")
        for label in ("name", "")
    )
    line = (unnamed == line_chart.COLOURS[0]).all(axis=-1)
    changed = (named != unnamed).any(axis=-1)
    assert line.sum() > 300 and changed.sum() > 100
    assert not (line & changed).any()
