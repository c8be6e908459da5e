"""Windows hold the pixels of their place, and join to what was cut."""

import numpy as np

from tf_defocus.ops.windows import cut_windows, join_windows


def test_windows_are_slices_row_by_row_and_join_again(rng):
    features = rng.random((2, 6, 8, 3), dtype="float32")
    windows = cut_windows(features, (3, 2))
    expected = [
        image[top : top + 3, left : left + 2]
        for image in features
        for top in (0, 3)
        for left in (0, 2, 4, 6)
    ]
    np.testing.assert_array_equal(windows, expected)
    np.testing.assert_array_equal(join_windows(windows, features, (3, 2)), features)
