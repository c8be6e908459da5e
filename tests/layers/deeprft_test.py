"""DeepRFT's blocks against their formulas in NumPy, and their contracts."""

import numpy as np
import pytest

from tests.layers.bambnet_test import naive_taps
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.deeprft import (
    OverparameterizedConvolution,
    ResidualFourierBlock,
)


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 6, 10, 4)).astype("float32")


def fill(layer, rng):
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.weights])


def test_folded_kernel_sums_over_the_second_axis_of_taps(rng):
    layer = OverparameterizedConvolution(5, 3)
    layer.build((None, None, None, 4))
    fill(layer, rng)
    kernel, depthwise = (np.asarray(w) for w in layer.get_weights())
    expected = np.zeros_like(kernel)
    for tap, channel, out in np.ndindex(9, 4, 5):
        total = kernel[tap // 3, tap % 3, channel, out]
        for other in range(9):
            weight = kernel[other // 3, other % 3, channel, out]
            total += depthwise[channel, tap, other] * weight
        expected[tap // 3, tap % 3, channel, out] = total
    np.testing.assert_allclose(layer.folded_kernel(), expected, atol=1e-5, rtol=2e-6)


@pytest.mark.parametrize(("size", "strides"), [(1, 1), (3, 1), (3, 2)])
def test_convolution_pads_alike_on_every_side(images, rng, size, strides):
    layer = OverparameterizedConvolution(5, size, strides, "relu")
    layer.build(images.shape)
    fill(layer, rng)
    expected = naive_taps(images, np.asarray(layer.folded_kernel()))
    expected = np.maximum(expected[:, ::strides, ::strides], 0)
    np.testing.assert_allclose(layer(images), expected, atol=1e-4, rtol=2e-6)


def test_block_adds_what_the_spectrum_became(images, rng):
    layer = ResidualFourierBlock(4)
    layer.build(images.shape)
    for part in (*layer.spatial, *layer.spectral):
        fill(part, rng)
    spectrum = np.fft.rfft2(images, axes=(1, 2))
    channels = np.concatenate([spectrum.real, spectrum.imag], axis=-1)
    first, second = (np.asarray(part.kernel)[0, 0] for part in layer.spectral)
    channels = np.maximum(channels @ first, 0) @ second
    spectrum = channels[..., :4] + 1j * channels[..., 4:]
    expected = images + np.fft.irfft2(spectrum, images.shape[1:3], axes=(1, 2))
    first, second = (np.asarray(part.folded_kernel()) for part in layer.spatial)
    expected += naive_taps(np.maximum(naive_taps(images, first), 0), second)
    np.testing.assert_allclose(layer(images), expected, atol=1e-3)


def test_first_array_alone_is_an_ordinary_convolution(images):
    layer = OverparameterizedConvolution(5, 3)
    layer(images)
    np.testing.assert_array_equal(layer.folded_kernel(), layer.kernel)
    plain = OverparameterizedConvolution(5, 3, overparameterized=False)
    plain(images)
    assert (layer.count_params(), plain.count_params()) == (180 + 4 * 81, 180)


@pytest.mark.parametrize(
    "layer",
    [
        OverparameterizedConvolution(5, 3, 2, "relu"),
        OverparameterizedConvolution(5, 3, overparameterized=False),
        ResidualFourierBlock(4, False),
    ],
    ids=lambda layer: layer.name,
)
def test_layer_round_trips(images, layer):
    assert_layer_round_trips(layer, images)
