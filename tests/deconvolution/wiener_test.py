"""The Wiener layer: against NumPy's complex transforms, known answers, gradients."""

import keras
import numpy as np
import pytest

from tests.testing import assert_layer_round_trips
from tf_defocus.deconvolution.wiener import WienerDeconvolution


def _numpy_wiener(image, psf, ratio):
    """One plane, periodic, in complex128, the kernel wrapped tap by tap."""
    height, width = image.shape
    wrapped = np.zeros(image.shape)
    for row in range(psf.shape[0]):
        for column in range(psf.shape[1]):
            y, x = row - psf.shape[0] // 2, column - psf.shape[1] // 2
            wrapped[y % height, x % width] += psf[row, column]
    spectrum = np.fft.fft2(wrapped)
    inverse = np.conj(spectrum) / (np.abs(spectrum) ** 2 + ratio)
    return np.fft.ifft2(np.fft.fft2(image) * inverse).real


def _numpy_symmetric(image, psf, ratio):
    mirrored = np.pad(image, [(0, n) for n in image.shape], mode="symmetric")
    return _numpy_wiener(mirrored, psf, ratio)[: image.shape[0], : image.shape[1]]


def _psfs(rng, *shape):
    psfs = rng.random(shape)
    return psfs / psfs.sum(axis=(-2, -1), keepdims=True)


REFERENCES = {"periodic": _numpy_wiener, "symmetric": _numpy_symmetric}


@pytest.mark.parametrize("boundary", sorted(REFERENCES))
@pytest.mark.parametrize("size", [(13, 17), (16, 9), (31, 8)])
@pytest.mark.parametrize("kernel", [(5, 3), (4, 4)])
def test_every_plane_equals_numpy_at_odd_and_even_sizes(boundary, size, kernel, rng):
    images, psfs = rng.random((2, *size, 3)), _psfs(rng, 2, *kernel)
    ratios = np.array([0.01, 0.1])
    layer = WienerDeconvolution(boundary, dtype="float64")
    actual = keras.ops.convert_to_numpy(layer(images, psfs, ratios))
    for b in range(2):
        for c in range(3):
            expected = REFERENCES[boundary](images[b, ..., c], psfs[b], ratios[b])
            np.testing.assert_allclose(actual[b, ..., c], expected, atol=1e-10)


def test_float32_is_within_its_rounding_of_numpy(rng):
    image, psf = rng.random((1, 33, 27, 1)), _psfs(rng, 1, 5, 5)
    actual = WienerDeconvolution(dtype="mixed_bfloat16")(
        image, psf, noise_to_signal=0.01
    )
    expected = _numpy_symmetric(image[0, ..., 0], psf[0], 0.01)
    actual = keras.ops.convert_to_numpy(actual)[0, ..., 0]
    np.testing.assert_allclose(actual, expected, atol=2e-5)


def test_a_periodic_blur_is_undone(rng):
    sharp, psf = rng.random((19, 23)), np.array([[1, 2, 1], [2, 9, 2], [1, 2, 1]]) / 21
    padded = np.pad(sharp, 1, mode="wrap")
    blurred = sum(
        psf[i, j] * padded[i : i + 19, j : j + 23] for i in range(3) for j in range(3)
    )
    layer = WienerDeconvolution("periodic", dtype="float64")
    actual = layer(blurred[None, ..., None], psf[None], noise_to_signal=1e-12)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(actual)[0, ..., 0], sharp, atol=1e-7
    )


def test_identity_kernel_scales_by_the_noise_alone(rng):
    image = rng.random((1, 8, 9, 3), "float32")
    actual = WienerDeconvolution()(image, np.ones((1, 1, 1)), noise_to_signal=0.25)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(actual), image / 1.25, atol=1e-6
    )


def test_weights_blend_the_deconvolutions_per_pixel_as_eq_5(rng):
    """[KPAC Eq. 5]"""
    images, psfs = rng.random((2, 11, 14, 3)), _psfs(rng, 2, 3, 5, 5)
    weights = rng.random((2, 11, 14, 3))
    layer = WienerDeconvolution(dtype="float64")
    actual = layer(images, psfs, noise_to_signal=0.02, weights=weights)
    expected = sum(
        weights[..., i, None]
        * keras.ops.convert_to_numpy(layer(images, psfs[:, i], noise_to_signal=0.02))
        for i in range(3)
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(actual), expected, atol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "symmetric"])
def test_gradients_of_every_input_match_finite_differences(boundary, rng):
    tensorflow = pytest.importorskip("tensorflow")
    values = [
        rng.random((1, 7, 9, 2)),
        _psfs(rng, 1, 2, 3, 3),
        np.array([0.05]),
        rng.random((1, 7, 9, 2)),
    ]
    layer = WienerDeconvolution(boundary, dtype="float64")
    probe = rng.normal(size=(1, 7, 9, 2))

    def scalar(*arguments):
        return keras.ops.sum(layer(*arguments[:3], weights=arguments[3]) * probe)

    variables = [tensorflow.constant(value) for value in values]
    with tensorflow.GradientTape() as tape:
        tape.watch(variables)
        result = scalar(*variables)
    for index, gradient in enumerate(tape.gradient(result, variables)):
        direction = rng.normal(size=values[index].shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = list(values)
            moved[index] = values[index] + step * direction
            ends.append(float(scalar(*moved)))
        numeric = (ends[0] - ends[1]) / 2e-5
        analytic = float(np.sum(gradient.numpy() * direction))
        np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-8)


def test_sizes_may_be_unknown_when_the_graph_is_made(rng):
    images = keras.Input((None, None, 3))
    psfs = keras.Input((None, None))
    model = keras.Model(
        [images, psfs], WienerDeconvolution()(images, psfs, noise_to_signal=0.01)
    )
    for size, kernel in (((9, 14), 3), ((21, 8), 5)):
        values = [rng.random((2, *size, 3)), _psfs(rng, 2, kernel, kernel)]
        expected = WienerDeconvolution()(*values, noise_to_signal=0.01)
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(model(values)),
            keras.ops.convert_to_numpy(expected),
            atol=1e-5,
        )


def test_layer_round_trips(rng):
    inputs = rng.random((1, 6, 7, 3)), _psfs(rng, 1, 3, 3), np.array(0.1)
    assert_layer_round_trips(WienerDeconvolution("periodic"), *inputs)


def test_bad_arguments_are_refused(rng):
    image, psfs = rng.random((1, 8, 8, 3)), _psfs(rng, 1, 2, 3, 3)
    layer = WienerDeconvolution()
    with pytest.raises(ValueError, match="boundary must be one of"):
        WienerDeconvolution("zero")
    with pytest.raises(ValueError, match="psfs must be"):
        layer(image, psfs, noise_to_signal=0.1)
    with pytest.raises(ValueError, match="one channel per kernel"):
        layer(image, psfs, noise_to_signal=0.1, weights=rng.random((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="not be larger than the images"):
        WienerDeconvolution("periodic")(image, _psfs(rng, 1, 9, 9), noise_to_signal=0.1)
