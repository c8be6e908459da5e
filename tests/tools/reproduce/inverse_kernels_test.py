"""The observations of [KPAC Eq. 4] and [KPAC Eq. 5] hold at the printed settings."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.optics import psf

tool = load_tool("reproduce.inverse_kernels")
KERNEL, RATIO = psf.gaussian(1.5), 1e-2


@pytest.fixture(scope="module")
def crops():
    """Two photographs without black, small."""
    return {name: tool.photographs(128)[name] for name in ("chelsea", "coffee")}


def rows_of(table):
    """First column -> the other columns' numbers."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {row[0]: [float(value) for value in row[1:]] for row in rows}


def test_settings_are_the_printed_ones():
    assert tool.FIGURE_1 == 5 and tool.FIGURE_2 == (3, 3.5, 4)
    assert tool.FIGURE_14 == (3, 4, 5)
    assert tool.PRINTED["Fig. 1"] == 51.09 and tool.PRINTED["fitted"] == 92.5


def test_accuracy_is_that_of_the_footnote_over_all_pixels():
    reference = np.array([[1.0, 0.5], [0.01, -0.2]])
    estimate = np.array([[1.1, 0.5], [0.02, -0.1]])
    expected = 100 * (1 - (0.1 + 0 + 1 + 0.5) / 4)
    assert tool.accuracy(estimate, reference) == pytest.approx(expected)


def test_inverting_and_enlarging_commute_and_sharpen(crops):
    table = tool.table_of_commuting(crops, KERNEL, RATIO)
    for blurred, inverse, enlarged, figure_1, figure_4 in rows_of(table).values():
        assert min(inverse, enlarged) > blurred + 1
        assert figure_1 > 45 and figure_4 > 45


def test_printed_numbers_are_met_on_one_photograph():
    found = tool.four_numbers(tool.photographs(256)["astronaut"], KERNEL, RATIO)
    for name, limit in {"Fig. 1": 5, "Fig. 4": 5, "halves": 3, "fitted": 3}.items():
        assert abs(found[name] - tool.PRINTED[name]) < limit, name


def test_blends_are_as_accurate_as_the_paper_s(crops):
    chelsea = {"chelsea": crops["chelsea"]}
    table = tool.table_of_blends(chelsea, tool.FIGURE_13, KERNEL, RATIO)
    for printed, row in zip(tool.PRINTED_13, rows_of(table).values(), strict=True):
        halves, best, dilated, smaller, larger = row
        assert best > printed[0] - 1 and dilated > printed[1] - 1
        assert best >= halves - 0.1  # least squares is not least relative error
        assert 0 < smaller < 1 and 0 < larger < 1


def test_dilated_kernels_deblur_as_enlarged_ones_for_every_shape(crops):
    shapes = rows_of(tool.table_of_shapes({"coffee": crops["coffee"]}, 1.5, RATIO))
    assert len(shapes) == 4
    assert min(value for row in shapes.values() for value in row) > 40


def test_an_enlarged_gaussian_is_one_of_larger_deviation():
    offsets, rows = tool.enlarged_gaussian()
    small, enlarged, large = rows.values()
    assert len(offsets) == len(small) == len(enlarged) == len(large)
    np.testing.assert_allclose(enlarged, large, atol=0.02 * large.max())
    assert small.max() > 8 * large.max()


def test_sweep_has_a_curve_per_kernel_and_draws_the_paper_s_value(crops):
    kernels, ratios = {"Gaussian 1.5": KERNEL}, (0.01, 0.1)
    found = tool.sweep(crops["coffee"], kernels, ratios)
    assert found["Fig. 1"]["Gaussian 1.5"][1] > found["Fig. 1"]["Gaussian 1.5"][0]
    drawn = tool.picture_of_sweep(found, ratios)
    height, width = tool.line_chart.SIZE
    assert drawn.shape == (2 * height, 2 * width, 3)
    grey = (drawn == tool.line_chart.COLOURS[0]).all(axis=-1)
    for rows in (slice(0, height), slice(height, None)):
        for columns in (slice(0, width), slice(width, None)):
            assert grey[rows, columns].sum() > 200


def test_pictures_show_something(crops):
    row = tool.picture_of_commuting(crops["coffee"], KERNEL, RATIO)
    assert row.shape == (64, 320) and row.std() > 10
    kernels = tool.picture_of_kernels(KERNEL, RATIO)
    assert kernels.shape == (164, 492, 3) and kernels.std() > 10
