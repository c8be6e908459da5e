"""The sheet of parts: one row after the other, each part below its label."""

import numpy as np

from tf_defocus.reports.picture_sheet import BAR, GAP, picture_sheet


def test_parts_stand_in_rows_below_their_labels(rng):
    parts = [(f"{i}", rng.integers(0, 200, (20, 30, 3), np.uint8)) for i in range(5)]
    sheet = picture_sheet(parts, columns=2)
    height = 20 + BAR + 2 * GAP
    width = 30 + 2 * GAP
    assert sheet.shape == (3 * height, 2 * width, 3)
    top = height + BAR + GAP
    left = width + GAP
    found = sheet[top : top + 20, left : left + 30]
    np.testing.assert_array_equal(found, parts[3][1])
    assert (sheet[2 * height :, width:] == 255).all()
