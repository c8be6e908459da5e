"""BaMBNet's blocks against sums written out in NumPy, and their contracts."""

import numpy as np
import pytest

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.bambnet import (
    AttentionGroup,
    BlurBranch,
    ChannelAttentionBlock,
    PooledChannelAttention,
)


def naive_taps(inputs, kernel):
    """One tap after the other; zeros outside."""
    size = kernel.shape[0]
    edge = size // 2
    padded = np.pad(inputs, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    height, width = inputs.shape[1:3]
    total = np.zeros((*inputs.shape[:3], kernel.shape[-1]))
    for row, column in np.ndindex(size, size):
        part = padded[:, row : row + height, column : column + width]
        total += part @ kernel[row, column]
    return total


def naive_convolution(inputs, layer):
    kernel, bias = (np.asarray(w) for w in layer.get_weights())
    return naive_taps(inputs, kernel) + bias


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def naive_attention(inputs, layer):
    mean = inputs.mean(axis=(1, 2), keepdims=True)
    hidden = np.maximum(naive_convolution(mean, layer.squeeze), 0)
    return inputs * sigmoid(naive_convolution(hidden, layer.excite))


def naive_group(inputs, layer):
    features = inputs
    for block in layer.blocks:
        inner = np.maximum(naive_convolution(features, block.first), 0)
        inner = naive_convolution(inner, block.second)
        features = features + naive_attention(inner, block.attention)
    return inputs + naive_convolution(features, layer.closing)


def naive_branch(inputs, layer):
    """The eight layers written out, one line each."""

    def mean(size):
        batch, height, width, channels = inputs.shape
        cells = inputs.reshape(
            batch, height // size, size, width // size, size, channels
        )
        return cells.mean(axis=(2, 4))

    def down(features):
        batch, height, width, channels = features.shape
        cells = features.reshape(batch, height // 2, 2, width // 2, 2, channels)
        return cells.max(axis=(2, 4))

    def up(features):
        return features.repeat(2, axis=1).repeat(2, axis=2)

    l1, l2, l3, l4, l5, l6, l7, l8 = layer.chain
    o1 = down(naive_group(inputs, l1))
    o2 = down(naive_group(o1 + mean(2), l2))
    o3 = down(naive_group(o2 + mean(4), l3))
    o4 = down(naive_group(o3 + mean(8), l4))
    o5 = up(naive_group(o4 + mean(16), l5))
    o6 = up(naive_group(o5 + o3 + mean(8), l6))
    o7 = up(naive_group(o6 + o2 + mean(4), l7))
    return up(naive_group(o7 + o1 + mean(2), l8))


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 16, 32, 4)).astype("float32")


@pytest.mark.parametrize(
    ("layer", "naive"),
    [
        (PooledChannelAttention(4, 2), naive_attention),
        (AttentionGroup(4, 2, 2), naive_group),
        (BlurBranch(4, 1, 2), naive_branch),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_layer_equals_its_definition(images, layer, naive):
    actual = layer(images)
    np.testing.assert_allclose(actual, naive(images, layer), rtol=1e-5, atol=1e-5)


def test_branch_for_sharp_pixels_stays_at_full_size(images):
    layer = BlurBranch(4, 0, 2)
    layer.build(images.shape)
    stages = layer.stages(images)
    assert [stage.shape for stage in stages] == [images.shape] * 8
    found = [np.maximum(naive_convolution(images, layer.chain[0]), 0)]
    for index, skip in zip(range(1, 8), (None, None, None, None, 2, 1, 0)):
        features = found[-1] + images + (0 if skip is None else found[skip])
        found.append(np.maximum(naive_convolution(features, layer.chain[index]), 0))
    np.testing.assert_allclose(layer(images), found[-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [0, 3])
def test_branch_has_as_many_blocks_as_asked(images, size):
    layer = BlurBranch(4, size, 2)
    layer(images)
    attention = 4 * 2 + 2 + 2 * 4 + 4
    group = size * (2 * (9 * 16 + 4) + attention) + 9 * 16 + 4
    assert layer.count_params() == 8 * (group if size else 16 + 4)


@pytest.mark.parametrize(
    "layer",
    [
        PooledChannelAttention(4, 2),
        ChannelAttentionBlock(4, 4),
        AttentionGroup(4, 2, 2),
        BlurBranch(4, 0, 2),
        BlurBranch(4, 2, 1),
    ],
    ids=lambda layer: layer.name,
)
def test_layer_round_trips(images, layer):
    assert_layer_round_trips(layer, images)
