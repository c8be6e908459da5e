"""Tests of the spectra of small kernels."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.testing import assert_agrees, reference_file
from tf_defocus.ops import fourier

ATOL = 1e-6  # float32, kernels of order one


@pytest.mark.parametrize("size", [(10, 10), (4, 6), (5, 7), (1, 2)])
def test_inverse_transform_matches_numpy_on_any_half_spectrum(rng, size):
    shape = (3, size[0], size[1] // 2 + 1)
    real, imaginary = rng.normal(size=(2, *shape)).astype("float32")
    expected = np.fft.irfft2(real + 1j * imaginary, s=size)
    actual = fourier.inverse_real_transform(ops.array(real), ops.array(imaginary), size)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def test_inverse_transform_returns_the_kernel_of_a_real_spectrum(rng):
    kernel = rng.normal(size=(10, 10))
    spectrum = np.fft.rfft2(kernel)
    actual = fourier.inverse_real_transform(
        ops.array(spectrum.real, "float32"),
        ops.array(spectrum.imag, "float32"),
        (10, 10),
    )
    np.testing.assert_allclose(actual, kernel, atol=ATOL)


def test_reciprocal_spectrum_is_one_over_the_spectrum(rng):
    spectrum = rng.normal(size=20) + 1j * rng.normal(size=20)
    real, imaginary = fourier.reciprocal_spectrum(
        ops.array(spectrum.real, "float32"), ops.array(spectrum.imag, "float32")
    )
    expected = 1 / (spectrum + 1e-8)
    np.testing.assert_allclose(np.asarray(real), expected.real, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(imaginary), expected.imag, rtol=1e-5)


def test_reciprocal_of_a_vanishing_spectrum_is_zero():
    real, imaginary = fourier.reciprocal_spectrum(
        ops.array([0.0, 2.0]), ops.array([0.0, 0.0]), stabiliser=0.0
    )
    np.testing.assert_array_equal(real, [0, 0.5])
    np.testing.assert_array_equal(np.abs(imaginary), [0, 0])


def test_mirrored_kernel_is_left_right_symmetric():
    left = ops.array([[1.0, 2, 3], [4, 5, 6]])
    expected = [[1, 2, 3, 2, 1], [4, 5, 6, 5, 4]]
    np.testing.assert_array_equal(fourier.mirror_columns(left), expected)


def test_normalised_kernels_have_unit_energy(rng):
    kernels = rng.normal(size=(4, 9, 9)).astype("float32") * 7
    normalised = np.asarray(fourier.normalise_energy(ops.array(kernels)))
    np.testing.assert_allclose((normalised**2).sum((1, 2)), 1, atol=ATOL)
    ratio = normalised / kernels
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] * np.ones((9, 9)), rtol=1e-5)


@pytest.mark.parametrize("inverse", [False, True])
def test_gradient_of_a_kernel_matches_finite_differences(rng, inverse):
    def kernel_value(values):
        real, imaginary = values[0], values[1]
        if inverse:
            real, imaginary = fourier.reciprocal_spectrum(real, imaginary)
        kernel = fourier.inverse_real_transform(real, imaginary, (6, 6))
        kernel = fourier.mirror_columns(kernel[:5, :3])
        return ops.sum(fourier.normalise_energy(kernel) * weights)

    weights = rng.normal(size=(5, 5))
    point = keras.Variable(rng.normal(size=(2, 6, 4)), dtype="float64")
    gradient = _gradient(kernel_value, point)
    for index in ((0, 0, 0), (0, 2, 1), (1, 3, 2), (1, 0, 1), (0, 5, 3)):
        step = np.zeros(point.shape)
        step[index] = 1e-6
        base = np.asarray(point)
        change = kernel_value(ops.array(base + step)) - kernel_value(
            ops.array(base - step)
        )
        np.testing.assert_allclose(gradient[index], change / 2e-6, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("name", ["k3dn_dual_ft.npz", "k3dn_single_model.npz"])
@pytest.mark.parametrize("direction", ["fwd", "inv"])
def test_kernels_match_the_recorded_ones(name, direction):
    vectors = reference_file(name)
    spectrum = vectors["w/deblur.0.conv1.weight"]
    parts = ops.array(spectrum[..., 0]), ops.array(spectrum[..., 1])
    if direction == "inv":
        parts = fourier.reciprocal_spectrum(*parts)
    kernel = fourier.inverse_real_transform(*parts, (10, 10))[..., :9, :5]
    kernel = fourier.normalise_energy(fourier.mirror_columns(kernel))
    assert_agrees(kernel, vectors, f"depthwise_weight_{direction}")


def _gradient(function, variable):
    tf = pytest.importorskip("tensorflow")
    with tf.GradientTape() as tape:
        value = function(variable)
    return np.asarray(tape.gradient(value, variable.value))
