"""SRN's parts against their formulas in NumPy, and their contracts."""

import numpy as np
import pytest

from tests.layers.bambnet_test import naive_convolution, sigmoid
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.srn import LargeResidualBlock, ScaleMemory, ScaleNetwork


def test_block_adds_two_convolutions(rng):
    layer = LargeResidualBlock(3)
    inputs = rng.normal(size=(1, 5, 6, 3)).astype("float32")
    actual = layer(inputs)
    hidden = np.maximum(naive_convolution(inputs, layer.first), 0)
    expected = inputs + naive_convolution(hidden, layer.second)
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_memory_is_an_lstm_that_forgets_by_one_less(rng):
    layer = ScaleMemory(3)
    inputs = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    cell, hidden = rng.normal(size=(2, 2, 4, 5, 3)).astype("float32")
    state = np.concatenate([cell, hidden], axis=-1)
    layer.build(inputs.shape)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.weights])
    gates = naive_convolution(np.concatenate([inputs, hidden], -1), layer.gates)
    write, content, keep, read = np.split(gates, 4, axis=-1)
    cell = cell * sigmoid(keep + 1) + sigmoid(write) * np.tanh(content)
    hidden = np.tanh(cell) * sigmoid(read)
    output, state = layer(inputs, state)
    np.testing.assert_allclose(output, hidden, atol=1e-5, rtol=2e-6)
    np.testing.assert_allclose(
        state, np.concatenate([cell, hidden], -1), atol=1e-5, rtol=2e-6
    )


def test_memory_starts_from_zeros(rng):
    layer = ScaleMemory(3)
    inputs = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    zeros = np.zeros((2, 4, 5, 6), "float32")
    np.testing.assert_array_equal(layer(inputs)[1], layer(inputs, zeros)[1])


@pytest.mark.parametrize(("recurrent", "channels"), [(True, 1), (False, 3)])
def test_network_keeps_its_size_and_halves_its_state_twice(rng, recurrent, channels):
    layer = ScaleNetwork(2, channels, recurrent)
    inputs = rng.random((1, 8, 12, 2 * channels), dtype=np.float32)
    image, state = layer(inputs)
    assert image.shape == (1, 8, 12, channels)
    assert (state is None) == (not recurrent)
    if recurrent:
        assert state.shape == (1, 2, 3, 16)
        assert_layer_round_trips(layer, inputs, np.asarray(state))


@pytest.mark.parametrize(
    ("layer", "channels"), [(LargeResidualBlock(4), 4), (ScaleMemory(4), 4)]
)
def test_layer_round_trips(rng, layer, channels):
    inputs = rng.normal(size=(1, 4, 8, channels)).astype("float32")
    assert_layer_round_trips(layer, inputs)
