import keras
import numpy as np
import pytest

from tf_defocus.ops import padding

SIZES = [(1, 1), (1, 5), (2, 3), (7, 13), (8, 16), (9, 31)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("multiple", "margin"), [((8, 8), 0), ((4, 16), 16)])
def test_padding_mirrors_as_numpy_does_and_cropping_undoes_it(
    rng, size, multiple, margin
):
    images = rng.random((2, *size, 3), dtype=np.float32)
    amounts = padding.pad_amounts(*size, multiple, margin)
    expected = np.pad(images, ((0, 0), *amounts, (0, 0)), mode="reflect")
    padded = padding.pad_to_multiple(images, multiple, margin)
    np.testing.assert_array_equal(padded, expected)
    assert all(n % m == 0 for n, m in zip(padded.shape[1:3], multiple))
    np.testing.assert_array_equal(padding.crop_like(padded, images, margin), images)


def test_pad_amounts_are_zero_at_multiples_and_less_than_one_multiple_elsewhere():
    assert padding.pad_amounts(16, 24, (8, 8)) == ((0, 0), (0, 0))
    assert padding.pad_amounts(17, 23, (8, 8)) == ((0, 7), (0, 1))
    assert padding.pad_amounts(5, 5, (4, 16)) == ((0, 3), (0, 11))
    assert padding.pad_amounts(5, 16, (8, 8), margin=16) == ((16, 19), (16, 16))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a tf.function")
def test_padding_works_at_sizes_that_are_not_known_when_it_is_traced(rng):
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, None, 3))
    pad = tf.function(
        lambda images: padding.pad_to_multiple(images, (8, 8), 16),
        input_signature=[spec],
    )
    for size in SIZES:
        images = rng.random((1, *size, 3), dtype=np.float32)
        amounts = padding.pad_amounts(*size, (8, 8), 16)
        expected = np.pad(images, ((0, 0), *amounts, (0, 0)), mode="reflect")
        np.testing.assert_array_equal(pad(images), expected)
