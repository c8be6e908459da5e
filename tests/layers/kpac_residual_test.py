"""The residual block against naive convolutions."""

import numpy as np

from tests.layers.kpac_test import lrelu, naive_convolution, random_weights
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.kpac_residual import ResidualBlock


def test_block_adds_two_convolutions_to_its_input(rng):
    inputs = rng.normal(size=(1, 6, 5, 3)).astype("float32")
    layer = ResidualBlock(3)
    layer.build(inputs.shape)
    random_weights(layer, rng)
    first, first_bias, second, second_bias = layer.get_weights()
    hidden = lrelu(naive_convolution(inputs[0], first, 1, first_bias))
    expected = inputs[0] + naive_convolution(hidden, second, 1, second_bias)
    np.testing.assert_allclose(layer(inputs)[0], expected, atol=1e-5, rtol=2e-6)


def test_ten_fresh_blocks_keep_the_scale_of_their_features(rng):
    features = rng.normal(size=(1, 16, 16, 96)).astype("float32")
    outputs = features
    for _ in range(10):
        outputs = ResidualBlock(96)(outputs)
    assert 1.0 < np.std(outputs) / np.std(features) < 2.0


def test_block_round_trips(rng):
    assert_layer_round_trips(
        ResidualBlock(3, 5), rng.random((1, 5, 4, 3), dtype=np.float32)
    )
