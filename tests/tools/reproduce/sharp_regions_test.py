"""The table and picture of errors in focus; the arithmetic is the library's."""

import numpy as np

from tests.testing import load_tool
from tf_defocus.evaluation import sharp_regions
from tf_defocus.reports import line_chart

tool = load_tool("reproduce.sharp_regions")


def test_the_table_has_a_row_per_method_and_a_column_per_number():
    errors = {"input": np.full(30, 2.0), "a": np.array([0.0, 1.0, 8.0])}
    summaries = {name: sharp_regions.summarise(e) for name, e in errors.items()}
    lines = tool.table(summaries).splitlines()
    assert lines[0] == "| [of 255] | mean | rmse | p50 | p90 | p95 | p99 |"
    assert lines[2] == "| input | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 |"
    assert lines[3].startswith("| a | 3.00 | 4.65 | 1.00 | ")


def test_the_picture_shows_every_method_in_both_charts():
    errors = {"input": np.geomspace(0.1, 50, 99), "a": np.geomspace(0.1, 5, 99)}
    drawn = tool.picture(errors)
    height, width = line_chart.SIZE
    assert drawn.shape == (height, 2 * width, 3)
    for colour in line_chart.COLOURS[:2]:
        shown = (drawn == colour).all(axis=-1)
        assert shown[:, :width].sum() > 50 and shown[:, width:].sum() > 50
