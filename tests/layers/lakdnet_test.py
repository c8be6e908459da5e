"""LaKDNet's layers against naive NumPy."""

import numpy as np
import pytest
from keras import ops
from scipy.special import erf

from tests.layers.gkmnet_attention_test import naive_convolution
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.lakdnet import LargeKernelBlock, LargeKernelMixer

ATOL = 1e-5  # float32, sums of a few hundred terms


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def naive_depthwise(image, kernel):
    """Zero-padded correlation of (h, w, c) with (k, k, c, 1)."""
    planes = [
        naive_convolution(image[..., c : c + 1], kernel[:, :, c : c + 1])
        for c in range(image.shape[-1])
    ]
    return np.concatenate(planes, axis=-1)


def naive_mixer(image, layer):
    features = image
    for depthwise, pointwise in layer.steps:
        (kernel,) = depthwise.get_weights()
        features = image + gelu(naive_depthwise(features, kernel))
        kernel, bias = pointwise.get_weights()
        features = image + gelu(features @ kernel[0, 0] + bias)
    return features


def naive_normalization(image, layer):
    gamma, beta = layer.get_weights()
    centred = image - image.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * gamma + beta


def randomize(layer, rng):
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))


@pytest.mark.parametrize("kernel_size", [3, 9])
def test_mixer_matches_its_definition(rng, kernel_size):
    layer = LargeKernelMixer(kernel_size)
    images = rng.normal(size=(2, 7, 6, 4)).astype("float32")
    layer.build(images.shape)
    randomize(layer, rng)
    for actual, image in zip(layer(images), images):
        np.testing.assert_allclose(actual, naive_mixer(image, layer), atol=ATOL)


@pytest.mark.parametrize("height", [5, 70])
def test_block_matches_its_definition(rng, height):
    """70 rows are three strips."""
    layer = LargeKernelBlock(3, expansion_factor=2.3)
    image = rng.normal(size=(height, 6, 4)).astype("float32")
    layer.build((None, *image.shape))
    randomize(layer, rng)
    assert layer.feed_forward.hidden_filters == 9
    mixed = image + naive_mixer(naive_normalization(image, layer.norm1), layer.mixer)
    projection = layer.feed_forward.projection
    hidden = naive_normalization(mixed, layer.norm2)
    hidden = hidden @ projection.pointwise.get_weights()[0][0, 0]
    hidden = naive_depthwise(hidden, projection.depthwise.get_weights()[0])
    gate, features = np.split(hidden, 2, axis=-1)
    kernel = layer.feed_forward.output_convolution.get_weights()[0][0, 0]
    expected = image + (gelu(gate) * features) @ kernel
    scale = np.abs(expected).max()
    for training in (False, True):
        actual = layer(image[None], training=training)[0]
        np.testing.assert_allclose(actual, expected, atol=ATOL * scale)


def test_strips_of_several_images_stay_apart(rng):
    layer = LargeKernelBlock(3)
    images = rng.normal(size=(2, 40, 5, 4)).astype("float32")
    layer.build(images.shape)
    randomize(layer, rng)
    expected = np.concatenate([layer(image[None], training=True) for image in images])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(layer(images), expected, atol=ATOL * scale)


def test_the_second_shortcut_adds_the_blocks_input(rng):
    """A network that answers nothing leaves no trace of the mixer."""
    layer = LargeKernelBlock(3)
    images = rng.normal(size=(1, 5, 6, 4)).astype("float32")
    layer.build(images.shape)
    kernel = layer.feed_forward.output_convolution.kernel
    kernel.assign(ops.zeros_like(kernel))
    np.testing.assert_array_equal(layer(images), images)


def test_layers_round_trip(rng):
    images = rng.normal(size=(1, 6, 7, 4)).astype("float32")
    assert_layer_round_trips(LargeKernelMixer(5), images)
    assert_layer_round_trips(LargeKernelBlock(3, 1.5), images)
