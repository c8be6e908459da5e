"""GKMNet's attention against naive NumPy."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers import gkmnet_attention as attention
from tf_defocus.layers import gkmnet_gates

ATOL = 1e-5  # float32, sums of a few hundred terms
EPSILON = 1e-5


def naive_convolution(inputs, kernel, bias=0.0):
    """Zero-padded correlation of (h, w, c) with (k, k, c, o)."""
    reach = kernel.shape[0] // 2
    padded = np.pad(inputs, ((reach, reach), (reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, kernel.shape[:2], axis=(0, 1)
    )
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def normalize(values, layer):
    gamma, beta, mean, variance = layer.get_weights()
    return (values - mean) / np.sqrt(variance + EPSILON) * gamma + beta


def convolve(values, layer):
    return naive_convolution(values, *layer.get_weights())


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def randomize(layer, rng):
    for weight in layer.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape) * rng.choice([-0.3, 0.3]))
        if weight.path.endswith("variance"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif weight.path.endswith("kernel"):
            weight.assign(rng.normal(0, 0.2, weight.shape))


@pytest.fixture
def inputs(rng):
    return rng.normal(size=(1, 6, 8, 5)).astype("float32")


# How (height, width, channels) turns into the map of a gate, whose rows and columns are
# the two axes that are left, and back.
GATES = {
    3: lambda p: (p, lambda gate: gate[:, :, None]),
    1: lambda p: (p.swapaxes(0, 1), lambda gate: gate.T[None]),  # rows: channels
    2: lambda p: (p, lambda gate: gate[:, None, :]),  # rows: height
}


@pytest.mark.parametrize("pooled_axis", [1, 2, 3])
def test_gate_convolves_the_largest_and_the_mean(rng, inputs, pooled_axis):
    layer = gkmnet_gates.AttentionGate(pooled_axis)
    layer.build(inputs.shape)
    randomize(layer, rng)
    axis = pooled_axis - 1
    pooled = np.stack([inputs[0].max(axis), inputs[0].mean(axis)], axis=-1)
    maps, back = GATES[pooled_axis](pooled)
    expected = normalize(
        naive_convolution(maps, layer.convolution.get_weights()[0]), layer.normalization
    )
    expected = back(sigmoid(expected[:, :, 0]))
    actual = layer(inputs)[0]
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def test_triplet_attention_is_the_mean_of_three_gatings(rng, inputs):
    layer = gkmnet_gates.TripletAttention()
    layer.build(inputs.shape)
    randomize(layer, rng)
    expected = sum(inputs * np.asarray(gate(inputs)) for gate in layer.gates) / 3
    np.testing.assert_allclose(layer(inputs), expected, atol=ATOL)


def test_untrained_gates_halve(inputs):
    layer = gkmnet_gates.TripletAttention()
    layer.build(inputs.shape)
    for gate in layer.gates:
        gate.convolution.kernel.assign(np.zeros((7, 7, 2, 1)))
    np.testing.assert_allclose(layer(inputs), inputs / 2, atol=1e-6, rtol=2e-6)


def naive_residual_block(features, block):
    for convolution, normalization in block.residuals:
        features = features + relu(
            normalize(convolve(features, convolution), normalization)
        )
    return features


def test_block_without_resampling_matches_its_definition(rng, inputs):
    block = attention.ResidualAttentionBlock(4, normalize=False)
    block.build(inputs.shape)
    randomize(block, rng)
    expected = naive_residual_block(convolve(inputs[0], block.head), block)
    actual = block.residual_features(inputs)
    np.testing.assert_allclose(actual[0], expected, atol=ATOL)
    np.testing.assert_allclose(block(inputs), block.attention(actual), atol=ATOL)


def test_down_block_takes_every_other_pixel_of_a_centred_convolution(rng, inputs):
    block = attention.ResidualAttentionBlock(4, "down")
    block.build(inputs.shape)
    randomize(block, rng)
    head = convolve(inputs[0], block.head)[::2, ::2]
    expected = naive_residual_block(
        relu(normalize(head, block.head_normalization)), block
    )
    np.testing.assert_allclose(block.residual_features(inputs)[0], expected, atol=ATOL)


def test_up_block_spreads_every_pixel_over_a_square(rng, inputs):
    block = attention.ResidualAttentionBlock(4, "up")
    block.build(inputs.shape)
    randomize(block, rng)
    kernel, bias = block.head.get_weights()  # (2, 2, out, in)
    squares = np.einsum("hwc,ijoc->hiwjo", inputs[0], kernel)
    head = squares.reshape(12, 16, 4) + bias
    expected = naive_residual_block(
        relu(normalize(head, block.head_normalization)), block
    )
    np.testing.assert_allclose(block.residual_features(inputs)[0], expected, atol=ATOL)


def naive_lstm(inputs, hidden, cell, layer):
    gates = convolve(np.concatenate([inputs, hidden], -1), layer.gates)
    take, keep, show, candidate = np.split(gates, 4, axis=-1)
    cell = sigmoid(keep) * cell + sigmoid(take) * np.tanh(candidate)
    return sigmoid(show) * np.tanh(cell), cell


def test_lstm_cell_matches_its_definition(rng, inputs):
    layer = attention.ConvLSTMCell(3)
    hidden, cell = rng.normal(size=(2, 1, 6, 8, 3)).astype("float32")
    layer.build(inputs.shape)
    randomize(layer, rng)
    expected = naive_lstm(inputs[0], hidden[0], cell[0], layer)
    for actual, wanted in zip(layer(inputs, hidden, cell), expected):
        np.testing.assert_allclose(actual[0], wanted, atol=ATOL)


def test_lstm_cell_forgets_and_keeps_as_told(inputs):
    layer = attention.ConvLSTMCell(2)
    layer.build(inputs.shape)
    layer.gates.kernel.assign(np.zeros(layer.gates.kernel.shape))
    hidden, cell = np.zeros((1, 6, 8, 2), "float32"), np.full((1, 6, 8, 2), 0.7, "f4")
    for gate, kept in ((50, 0.7), (-50, 0)):
        layer.gates.bias.assign([-50, -50, gate, gate, 50, 50, 1, 1])
        following = layer(inputs, hidden, cell)
        np.testing.assert_allclose(
            following[1], np.full_like(cell, kept), atol=1e-6, rtol=2e-6
        )
        np.testing.assert_allclose(
            following[0], np.tanh(following[1]), atol=1e-6, rtol=2e-6
        )


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("recurrent", [True, False])
def test_prediction_matches_its_definition(rng, inputs, recurrent, variant):
    layer = attention.AttentionPredictionUnit(4, recurrent, variant)
    layer.build(inputs.shape)
    randomize(layer, rng)
    own = relu(normalize(convolve(inputs[0], layer.convolution), layer.normalization))
    pooled = inputs[0].reshape(3, 2, 4, 2, 5).mean((1, 3))
    zeros = np.zeros((3, 4, 4))
    if recurrent:
        shared = naive_lstm(pooled, zeros, zeros, layer.memory)[0]
    else:
        shared = convolve(pooled, layer.memory)
    shared = shared.repeat(2, axis=0).repeat(2, axis=1)
    mixed = shared * own + shared
    expected = np.tanh(mixed) if variant == "paper" else 2 * sigmoid(mixed) - 1
    weights, state = layer(inputs)
    np.testing.assert_allclose(weights[0], expected, atol=ATOL)
    assert (state is None) is not recurrent


def test_attention_skips_add_the_encoder(rng):
    layer = attention.ScaleRecurrentAttention(6, base_filters=4)
    images = rng.random((1, 8, 12, 3), dtype="float32")
    layer.build(images.shape)
    randomize(layer, rng)
    full = layer.full_in(images)
    half = layer.half_in(full)
    quarter = layer.quarter_in(half)
    raised = layer.half_out(layer.bottleneck(quarter) + quarter)
    features = layer.full_out(raised + half)
    state = tuple(rng.normal(size=(2, 1, 4, 6, 6)).astype("float32"))
    expected = layer.prediction(features, state=state)
    actual = layer(images, state=state)
    np.testing.assert_allclose(actual[0], expected[0], atol=1e-6, rtol=2e-6)
    np.testing.assert_allclose(actual[1][1], expected[1][1], atol=1e-6, rtol=2e-6)


def test_batch_statistics_reach_every_normalization(rng):
    layer = attention.ScaleRecurrentAttention(6, base_filters=4)
    images = rng.random((2, 8, 8, 3), dtype="float32")
    layer.build(images.shape)
    randomize(layer, rng)
    before = [w.numpy() for w in layer.non_trainable_weights]
    evaluated, _ = layer(images, batch_statistics=True)
    for old, new in zip(before, layer.non_trainable_weights):
        np.testing.assert_array_equal(old, new)
    trained, _ = layer(images, training=True)
    np.testing.assert_allclose(evaluated, trained, atol=1e-6, rtol=2e-6)
    for old, new in zip(before, layer.non_trainable_weights):
        assert np.abs(old - new.numpy()).min() > 0, new.path
    assert float(ops.max(ops.abs(layer(images)[0] - trained))) > 1e-3


def test_layers_round_trip(rng, inputs):
    state = rng.normal(size=(2, 1, 6, 8, 3)).astype("float32")
    assert_layer_round_trips(gkmnet_gates.AttentionGate(2), inputs)
    assert_layer_round_trips(gkmnet_gates.TripletAttention(), inputs)
    for resampling in (None, "down", "up"):
        block = attention.ResidualAttentionBlock(2, resampling, normalize=False)
        assert_layer_round_trips(block, inputs)
    assert_layer_round_trips(attention.ConvLSTMCell(3), inputs, *state)
    prediction = attention.AttentionPredictionUnit(4, variant="released")
    assert_layer_round_trips(prediction, inputs)
    whole = attention.ScaleRecurrentAttention(4, True, "released", base_filters=2)
    assert_layer_round_trips(whole, rng.random((1, 4, 8, 3), dtype="float32"))
