"""Restormer's layers against naive NumPy, whole and strip by strip."""

import math

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers import restormer, restormer_attention
from tf_defocus.ops.strips import STRIP_ROWS

ATOL = 2e-5  # float32, sums of a few hundred terms


def randomize(layer, shape, rng):
    layer.build(shape)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))


def naive_depthwise(features, kernel):
    """(h, w, c) with (3, 3, c, 1), zeros beyond the border."""
    padded = np.pad(features, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.einsum("hwcij,ijc->hwc", windows, kernel[..., 0])


def naive_projection(layer, image):
    pointwise, depthwise = layer.pointwise, layer.depthwise
    features = image @ np.asarray(pointwise.kernel)[0, 0]
    if layer.use_bias:
        features = features + np.asarray(pointwise.bias)
    features = naive_depthwise(features, np.asarray(depthwise.kernel))
    return features + np.asarray(depthwise.bias) if layer.use_bias else features


def naive_attention(layer, image):
    """[Restormer Eq. 1], with normalised queries and keys, head by head."""
    height, width, channels = image.shape
    projected = naive_projection(layer.projection, image).reshape(-1, 3, channels)
    outputs = np.zeros((height * width, channels))
    size = channels // layer.num_heads
    for head in range(layer.num_heads):
        part = slice(head * size, (head + 1) * size)
        query, key, value = (projected[:, i, part].T for i in range(3))
        query = query / np.linalg.norm(query, axis=1, keepdims=True)
        key = key / np.linalg.norm(key, axis=1, keepdims=True)
        scores = np.asarray(layer.temperature)[head] * (query @ key.T)
        weights = np.exp(scores)
        weights /= weights.sum(axis=1, keepdims=True)
        outputs[:, part] = (weights @ value).T
    outputs = outputs @ np.asarray(layer.output_convolution.kernel)[0, 0]
    if layer.use_bias:
        outputs = outputs + np.asarray(layer.output_convolution.bias)
    return outputs.reshape(image.shape)


def naive_feed_forward(layer, image):
    """[Restormer Eq. 2] with the exact GELU."""
    projected = naive_projection(layer.projection, image)
    gate, features = np.split(projected, 2, axis=-1)
    erf = np.vectorize(math.erf)
    gated = 0.5 * gate * (1 + erf(gate / np.sqrt(2))) * features
    outputs = gated @ np.asarray(layer.output_convolution.kernel)[0, 0]
    if layer.use_bias:
        outputs = outputs + np.asarray(layer.output_convolution.bias)
    return outputs


@pytest.mark.parametrize("center", [True, False])
def test_normalization_matches_its_definition(rng, center):
    inputs = rng.normal(2, 1 / 256, (1, 3, 4, 6)).astype("float32")
    layer = restormer.ChannelNormalization(center)
    randomize(layer, inputs.shape, rng)
    values = inputs.astype("float64")
    deviation = np.sqrt(values.var(axis=-1, keepdims=True) + 1e-5)
    if center:
        values = values - values.mean(axis=-1, keepdims=True)
    expected = values / deviation * np.asarray(layer.gamma)
    if center:
        expected = expected + np.asarray(layer.beta)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-4)
    assert len(layer.weights) == (2 if center else 1)


@pytest.mark.parametrize(("num_heads", "use_bias"), [(1, False), (2, True)])
def test_attention_matches_its_definition(rng, num_heads, use_bias):
    inputs = rng.normal(size=(2, 5, 4, 6)).astype("float32")
    layer = restormer_attention.ChannelAttention(num_heads, use_bias)
    randomize(layer, inputs.shape, rng)
    for actual, image in zip(layer(inputs), inputs):
        np.testing.assert_allclose(actual, naive_attention(layer, image), atol=ATOL)


@pytest.mark.parametrize("use_bias", [False, True])
def test_feed_forward_matches_its_definition(rng, use_bias):
    inputs = rng.normal(size=(2, 5, 4, 3)).astype("float32")
    layer = restormer.GatedFeedForward(7, use_bias)
    randomize(layer, inputs.shape, rng)
    for actual, image in zip(layer(inputs), inputs):
        np.testing.assert_allclose(actual, naive_feed_forward(layer, image), atol=ATOL)


@pytest.mark.parametrize("height", [STRIP_ROWS + 1, 2 * STRIP_ROWS])
def test_strips_of_a_block_are_exact(rng, height):
    """What a strip sees beyond the image are zeros after the bias, not the bias."""
    inputs = rng.normal(size=(2, height, 3, 4)).astype("float32")
    block = restormer.TransformerBlock(2, use_bias=True)
    randomize(block, inputs.shape, rng)
    whole = ops.convert_to_numpy(block(inputs, training=True))
    assert np.std(whole - inputs) > 0.1
    np.testing.assert_allclose(block(inputs), whole, atol=1e-4, rtol=2e-6)


def test_channels_without_any_signal_stay_finite(rng):
    layer = restormer_attention.ChannelAttention(1)
    randomize(layer, (1, 4, 4, 2), rng)
    outputs = layer(np.zeros((1, 4, 4, 2), "float32"))
    np.testing.assert_array_equal(outputs, np.zeros((1, 4, 4, 2)))


def test_halving_puts_a_channels_pixels_side_by_side(rng):
    layer = restormer.Halving()
    layer.build((1, 4, 4, 4))
    kernel = np.zeros(layer.convolution.kernel.shape, "float32")
    kernel[1, 1, [0, 1], [0, 1]] = 1  # the first two channels, as they are
    layer.convolution.kernel.assign(kernel)
    inputs = rng.normal(size=(1, 4, 4, 4)).astype("float32")
    halved = ops.convert_to_numpy(layer(inputs))
    for channel, row, column in np.ndindex(2, 2, 2):
        actual = halved[..., channel * 4 + row * 2 + column]
        expected = inputs[:, row::2, column::2, channel]
        np.testing.assert_array_equal(actual, expected)


def test_doubling_puts_a_pixels_channels_side_by_side(rng):
    layer = restormer.Doubling()
    layer.build((1, 2, 3, 2))
    kernel = np.zeros(layer.convolution.kernel.shape, "float32")
    kernel[1, 1, 0] = [1, 2, 3, 4]
    layer.convolution.kernel.assign(kernel)
    inputs = rng.normal(size=(1, 2, 3, 2)).astype("float32")
    doubled = ops.convert_to_numpy(layer(inputs))
    assert doubled.shape == (1, 4, 6, 1)
    for row, column in np.ndindex(2, 2):
        expected = inputs[..., :1] * (1 + 2 * row + column)
        np.testing.assert_array_equal(doubled[:, row::2, column::2], expected)


@pytest.mark.parametrize(
    "layer",
    [
        restormer.ChannelNormalization(center=False, epsilon=1e-3),
        restormer_attention.LocalProjection(6, use_bias=True),
        restormer_attention.ChannelAttention(2, use_bias=True),
        restormer.GatedFeedForward(5, use_bias=True),
        restormer.TransformerBlock(
            2, expansion_factor=1.5, use_bias=True, center_normalization=False
        ),
        restormer.Halving(),
        restormer.Doubling(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_round_trips(rng, layer):
    assert_layer_round_trips(layer, rng.normal(size=(1, 4, 6, 4)).astype("float32"))
