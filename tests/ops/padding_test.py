import numpy as np
import pytest

from tf_defocus.ops import padding


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (8, 16), (9, 31)])
def test_padding_repeats_the_last_row_and_column(rng, size):
    images = rng.random((2, *size, 3), dtype=np.float32)
    rows, columns = -size[0] % 8, -size[1] % 8
    expected = np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
    np.testing.assert_array_equal(padding.pad_to_multiple(images, (8, 8)), expected)


def test_pad_amounts_are_zero_at_multiples_and_less_than_one_multiple_elsewhere():
    assert padding.pad_amounts(16, 24, (8, 8)) == (0, 0)
    assert padding.pad_amounts(17, 23, (8, 8)) == (7, 1)
    assert padding.pad_amounts(5, 5, (4, 16)) == (3, 11)


def test_crop_undoes_padding(rng):
    images = rng.random((1, 11, 5, 3), dtype=np.float32)
    padded = padding.pad_to_multiple(images, (8, 8))
    assert padded.shape == (1, 16, 8, 3)
    np.testing.assert_array_equal(padding.crop_like(padded, images), images)
