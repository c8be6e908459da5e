"""The sheet of parts: one row after the other, each part below its label."""

import numpy as np

from tests.testing import load_tool

plot_presets = load_tool("plot_presets")


def test_parts_stand_in_rows_below_their_labels(rng):
    parts = {f"{i}": rng.integers(0, 200, (20, 30, 3), np.uint8) for i in range(5)}
    sheet = plot_presets.sheet(parts, columns=2)
    height = 20 + plot_presets.BAR + 2 * plot_presets.GAP
    width = 30 + 2 * plot_presets.GAP
    assert sheet.shape == (3 * height, 2 * width, 3)
    top = height + plot_presets.BAR + plot_presets.GAP
    left = width + plot_presets.GAP
    found = sheet[top : top + 20, left : left + 30]
    np.testing.assert_array_equal(found, parts["3"])
    assert (sheet[2 * height :, width:] == 255).all()
