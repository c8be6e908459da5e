"""Tests of K3DN's convolutions that run both ways."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.k3dn_invertible import (
    InvertibleDepthwiseConvolution,
    InvertiblePointwiseConvolution,
)

ATOL = 1e-5  # float32


def naive_kernels(spectra, reverse, spectrum):
    half = spectra[..., 0] + 1j * spectra[..., 1].astype("float64")
    if reverse == (spectrum == "deblur"):
        half = 1 / (half + 1e-8)
    left = np.fft.irfft2(half, s=(10, 10))[:, :9, :5]
    kernels = np.concatenate([left, left[:, :, 3::-1]], axis=-1)
    return kernels / np.sqrt((kernels**2).sum((1, 2), keepdims=True))


def naive_depthwise(inputs, kernels):
    padded = np.pad(inputs, [(0, 0), (4, 4), (4, 4), (0, 0)])
    result = np.zeros(inputs.shape)
    for dy, dx in np.ndindex(9, 9):
        shifted = padded[:, dy:, dx:][:, : inputs.shape[1], : inputs.shape[2]]
        result += shifted * kernels[:, dy, dx]
    return result


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("spectrum", ["blur", "deblur"])
def test_depthwise_convolution_matches_the_naive_one(rng, spectrum, reverse):
    inputs = rng.normal(size=(2, 6, 7, 3)).astype("float32")
    layer = InvertibleDepthwiseConvolution(spectrum=spectrum)
    layer.build(inputs.shape)
    kernels = naive_kernels(np.asarray(layer.half_spectra), reverse, spectrum)
    actual = layer(inputs, reverse=reverse)
    np.testing.assert_allclose(actual, naive_depthwise(inputs, kernels), atol=ATOL)


def test_kernels_are_symmetric_and_of_unit_energy():
    layer = InvertibleDepthwiseConvolution()
    layer.build((None, 4, 4, 6))
    for reverse in (False, True):
        kernels = np.asarray(layer.kernels(reverse))
        np.testing.assert_array_equal(kernels, kernels[:, :, ::-1])
        np.testing.assert_allclose((kernels**2).sum((1, 2)), 1, atol=ATOL)


def test_the_two_spectra_swap_the_directions():
    blur = InvertibleDepthwiseConvolution(spectrum="blur")
    deblur = InvertibleDepthwiseConvolution(spectrum="deblur")
    for layer in (blur, deblur):
        layer.build((None, 4, 4, 2))
    deblur.set_weights(blur.get_weights())
    for reverse in (False, True):
        np.testing.assert_array_equal(
            blur.kernels(reverse), deblur.kernels(not reverse)
        )


def test_the_kernel_of_a_point_keeps_the_image(rng):
    """All-ones spectrum: a single tap at row 0, column 0 and its mirror image."""
    inputs = rng.normal(size=(1, 9, 12, 1)).astype("float32")
    layer = InvertibleDepthwiseConvolution(spectrum="deblur")
    layer.build(inputs.shape)
    layer.half_spectra.assign(ops.stack([ops.ones((1, 10, 6))] * 2, -1) * [1.0, 0.0])
    kernel = np.zeros((9, 9))
    kernel[0, 0] = kernel[0, 8] = 0.5**0.5
    np.testing.assert_allclose(layer.kernels()[0], kernel, atol=ATOL)
    np.testing.assert_allclose(
        np.asarray(layer(inputs))[0, 4:, 4:8, 0],
        (inputs[0, :5, :4, 0] + inputs[0, :5, 8:, 0]) * 0.5**0.5,
        atol=ATOL,
    )


def test_frozen_kernels_compute_the_same_and_refuse_to_reblur(rng):
    inputs = rng.normal(size=(2, 5, 6, 3)).astype("float32")
    layer = InvertibleDepthwiseConvolution()
    expected = layer(inputs)
    frozen = InvertibleDepthwiseConvolution(frozen=True)
    frozen.build(inputs.shape)
    frozen.half_kernels.assign(layer.kernels()[..., :5])
    np.testing.assert_allclose(frozen(inputs), expected, atol=1e-6, rtol=2e-6)
    assert not frozen.trainable_weights
    with pytest.raises(ValueError, match="only deblur"):
        frozen(inputs, reverse=True)


def test_unknown_spectrum_is_an_error():
    with pytest.raises(ValueError, match="spectrum must be"):
        InvertibleDepthwiseConvolution(spectrum="sharp")


def build_pointwise(channels=12, units=16, **kwargs):
    layer = InvertiblePointwiseConvolution(**kwargs)
    layer.build((None, 4, 4, channels), (None, units))
    return layer


def test_mixing_starts_as_a_rotation():
    matrix = np.asarray(build_pointwise().matrix())
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(12), atol=ATOL)


def test_mixing_is_the_product_of_its_factors():
    layer = build_pointwise()
    p, signs, lower, upper, log_scale = (
        np.asarray(getattr(layer, name), "float64")
        for name in ("permutation", "signs", "lower", "upper", "log_scale")
    )
    upper = np.triu(upper, 1) + np.diag(signs * np.exp(log_scale))
    expected = p @ (np.tril(lower, -1) + np.eye(12)) @ upper
    np.testing.assert_allclose(layer.matrix(), expected, atol=ATOL)


@pytest.mark.parametrize("channels", [12, 192])
def test_inverse_mixing_undoes_mixing(rng, channels):
    layer = build_pointwise(channels)
    for weight in (layer.lower, layer.upper, layer.log_scale):
        noise = rng.normal(size=weight.shape) * 0.5 / channels**0.5
        weight.assign(np.asarray(weight) + noise)
    product = np.asarray(layer.matrix(reverse=True)) @ np.asarray(layer.matrix())
    np.testing.assert_allclose(product, np.eye(channels), atol=1e-4, rtol=2e-6)


def test_pointwise_convolution_matches_eq_9(rng):
    inputs = rng.normal(size=(3, 4, 5, 12)).astype("float32")
    vectors = rng.normal(size=(3, 16)).astype("float32")
    layer = build_pointwise()  # [K3DN Eq. 9]
    logits = vectors @ np.asarray(layer.modulation_kernel) / 4 + 1
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    mixed = (inputs * weights[:, None, None]) @ np.asarray(layer.matrix()).T
    np.testing.assert_allclose(layer(inputs, vectors), mixed, atol=ATOL)
    reciprocal = np.minimum(1 / weights, 100)
    reciprocal /= np.linalg.norm(reciprocal, axis=-1, keepdims=True)
    unmixed = inputs @ np.linalg.inv(np.asarray(layer.matrix())).T
    np.testing.assert_allclose(
        layer(inputs, vectors, reverse=True),
        unmixed * reciprocal[:, None, None],
        atol=ATOL,
    )


def test_forward_then_reverse_is_the_identity_up_to_a_scale(rng):
    inputs = rng.normal(size=(3, 4, 5, 12)).astype("float32")
    vectors = rng.normal(size=(3, 16)).astype("float32")
    layer = build_pointwise(truncate=1e6)
    back = layer(layer(inputs, vectors), vectors, reverse=True)
    weights = np.asarray(layer.channel_weights(vectors))
    scale = np.linalg.norm(1 / weights, axis=-1, keepdims=True)
    np.testing.assert_allclose(back * scale, inputs, atol=1e-4, rtol=2e-6)


def test_reciprocal_weights_are_truncated():
    layer = build_pointwise(channels=2, units=1, truncate=5)
    layer.modulation_kernel.assign([[0.0, 6.0]])  # weights of about 0.0025 and 0.9975
    weights = np.asarray(layer.channel_weights(np.ones((1, 1)), reverse=True))
    assert weights.ravel()[0] / weights.ravel()[1] == pytest.approx(
        5 * 0.99753, rel=1e-3
    )


def test_a_seed_fixes_the_first_rotation():
    first, again, other = (build_pointwise(seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.matrix(), again.matrix())
    assert np.abs(np.asarray(first.matrix()) - np.asarray(other.matrix())).max() > 0.1


def test_layers_round_trip(rng):
    inputs = ops.array(rng.normal(size=(2, 4, 5, 6)), "float32")
    vectors = ops.array(rng.normal(size=(2, 8)), "float32")
    assert_layer_round_trips(InvertibleDepthwiseConvolution(spectrum="deblur"), inputs)
    assert_layer_round_trips(InvertiblePointwiseConvolution(7), inputs, vectors)
