"""DDDNet's parts: known answers, naive versions, and their contracts."""

import numpy as np
import pytest

from tests.layers.bambnet_test import naive_convolution
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.dddnet import BlurEstimator, PairFeatures, expected_shift
from tf_defocus.layers.dddnet_patches import (
    PatchDecoder,
    PatchEncoder,
    ResidualPair,
    UnlikeChannelAttention,
)


def naive_residuals(inputs, pair):
    for first, second in pair.units:
        hidden = np.maximum(naive_convolution(inputs, first), 0)
        inputs = inputs + naive_convolution(hidden, second)
    return inputs


def test_encoder_pads_alike_on_every_side(rng):
    layer = PatchEncoder(2)
    images = rng.normal(size=(1, 8, 12, 7)).astype("float32")
    actual = layer(images)
    for index, (entrance, residual) in enumerate(layer.levels):
        images = naive_convolution(images, entrance)
        if index > 0:
            images = images[:, ::2, ::2]
        images = naive_residuals(images, residual)
    np.testing.assert_allclose(actual, images, atol=1e-5, rtol=2e-6)


def test_decoder_undoes_two_halvings(rng):
    layer = PatchDecoder(7, base_filters=2)
    features = rng.normal(size=(1, 2, 3, 8)).astype("float32")
    assert layer(features).shape == (1, 8, 12, 7)
    # Each value of a coarse pixel reaches 4x4 finer ones, 1 px beyond its own 2x2.
    rise = layer.rises[0]
    impulse = np.zeros((1, 2, 3, 8), "float32")
    impulse[0, 1, 1, 0] = 1
    spread = np.asarray(rise(impulse))[0, ..., 0] - np.asarray(rise.bias)[0]
    expected = np.zeros((4, 6))
    expected[1:4, 1:5] = np.asarray(rise.kernel)[:3, :, 0, 0]
    np.testing.assert_allclose(spread, expected, atol=1e-6, rtol=2e-6)


def naive_shift(costs):
    """Of one pixel: costs of the planes, interpolated with half-pixel centres."""
    position = np.clip((np.arange(12) + 0.5) / 3 - 0.5, 0, len(costs) - 1)
    likely = np.exp(-np.interp(position, np.arange(len(costs)), costs))
    return np.sum(np.arange(12) * likely) / np.sum(likely)


def test_shift_is_the_softmin_of_interpolated_costs(rng):
    costs = rng.normal(0, 3, (2, 4, 3, 5, 1)).astype("float32")
    actual = np.asarray(expected_shift(costs))
    assert actual.shape == (2, 3, 5, 1)
    for batch, row, column in np.ndindex(2, 3, 5):
        expected = naive_shift(costs[batch, :, row, column, 0])
        assert actual[batch, row, column, 0] == pytest.approx(expected, abs=1e-4)


def test_shift_of_equal_costs_is_the_middle():
    shift = expected_shift(np.full((1, 4, 1, 1, 1), 7, "float32"))
    assert float(shift[0, 0, 0, 0]) == pytest.approx(5.5, abs=1e-5)


def test_attention_mixes_in_the_channels_least_alike(rng):
    layer = UnlikeChannelAttention()
    features = rng.uniform(0, 0.3, (2, 3, 4, 5)).astype("float32")
    np.testing.assert_array_equal(layer(features), features)  # gamma is 0
    layer.gamma.assign([0.7])
    flat = features.reshape(2, 12, 5).transpose(0, 2, 1)
    energy = flat @ flat.transpose(0, 2, 1)
    weights = np.exp(energy.max(-1, keepdims=True) - energy)
    weights /= weights.sum(-1, keepdims=True)
    mixed = (weights @ flat).transpose(0, 2, 1).reshape(features.shape)
    np.testing.assert_allclose(
        layer(features), 0.7 * mixed + features, atol=1e-5, rtol=2e-6
    )


def test_images_smaller_than_a_cell_have_context(rng):
    layer = PairFeatures(8)
    images = rng.random((1, 8, 24, 3), dtype=np.float32)
    features = np.asarray(layer(images))
    assert features.shape == (1, 8, 24, 4) and np.isfinite(features).all()


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (PairFeatures(8), [(1, 64, 64, 3)]),
        (BlurEstimator(8), [(1, 16, 24, 3)] * 2),
        (ResidualPair(4), [(1, 8, 8, 4)]),
        (PatchEncoder(2), [(1, 8, 8, 7)]),
        (PatchDecoder(3, 2), [(1, 2, 2, 8)]),
        (UnlikeChannelAttention(), [(1, 8, 8, 4)]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_layer_round_trips(rng, layer, shapes):
    inputs = [rng.random(shape, dtype=np.float32) for shape in shapes]
    assert_layer_round_trips(layer, *inputs, atol=1e-5)
