"""Fourier transforms of images against NumPy's, at even and odd sizes."""

import numpy as np
import pytest

from tf_defocus.ops.image_spectrum import (
    as_products,
    inverse_real_transform,
    real_transform,
    transform_modulus,
)

SIZES = [(4, 6), (5, 7), (1, 1), (3, 8)]


@pytest.mark.parametrize("size", SIZES)
def test_half_spectrum_equals_numpys(rng, size):
    images = rng.normal(size=(2, *size, 3)).astype("float32")
    expected = np.fft.rfft2(images, axes=(1, 2))
    real, imaginary = real_transform(images)
    np.testing.assert_allclose(real, expected.real, atol=1e-4)
    np.testing.assert_allclose(imaginary, expected.imag, atol=1e-4)


@pytest.mark.parametrize("size", [*SIZES, (120, 91)])
def test_products_equal_the_transforms(rng, size):
    images = rng.normal(size=(2, *size, 3)).astype("float32")
    shape = (2, size[0], size[1] // 2 + 1, 3)
    spectrum = rng.normal(size=(2, *shape)).astype("float32")
    with as_products():
        actual = real_transform(images)
        restored = inverse_real_transform(*spectrum, size[1])
    for one, other in zip(actual, real_transform(images)):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.sqrt(images.size))
    expected = inverse_real_transform(*spectrum, size[1])
    np.testing.assert_allclose(restored, expected, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_inverse_of_any_half_spectrum_equals_numpys(rng, size):
    shape = (2, size[0], size[1] // 2 + 1, 3)
    real, imaginary = rng.normal(size=(2, *shape)).astype("float32")
    expected = np.fft.irfft2(real + 1j * imaginary, size, axes=(1, 2))
    actual = inverse_real_transform(real, imaginary, size[1])
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_modulus_is_that_of_the_full_spectrum(rng):
    images = rng.normal(size=(1, 5, 6, 2)).astype("float32")
    expected = np.abs(np.fft.fft2(images, axes=(1, 2)))
    np.testing.assert_allclose(transform_modulus(images), expected, atol=1e-4)


def test_modulus_of_nothing_has_a_gradient_of_zero():
    tf = pytest.importorskip("tensorflow", reason="the gradient is TensorFlow's")
    images = tf.zeros((1, 4, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(transform_modulus(images))
    np.testing.assert_array_equal(tape.gradient(total, images), np.zeros((1, 4, 4, 1)))
