"""IFAN's layers: contracts, known answers, and filters predicted one by one."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.ifan import (
    DisparityEstimator,
    FeatureEncoder,
    ResidualGroup,
    ResidualTrunk,
    ifan_initializer,
)
from tf_defocus.layers.ifan_filters import (
    FilterAdaptiveConvolution,
    IterativeAdaptiveConvolution,
)
from tf_defocus.ops.adaptive_convolution import separable_adaptive_convolution


@pytest.mark.parametrize(
    "layer",
    [
        ResidualGroup(4, 2, kernel_size=5, gain=1.5),
        ResidualTrunk(6, (2, 1), closing=True),
        FeatureEncoder(2, gain=1.5),
        DisparityEstimator(4, num_residual_units=1, gain=1.5, last_gain=0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_round_trips(rng, layer):
    inputs = rng.normal(size=(1, 8, 16, 4)).astype("float32")
    assert_layer_round_trips(layer, inputs)


@pytest.mark.parametrize(
    "layer",
    [
        IterativeAdaptiveConvolution(
            2, 5, predictor_size=3, last_activation=False, reuse_vertical=True, gain=1.0
        ),
        IterativeAdaptiveConvolution(2, identity_start=True),
        FilterAdaptiveConvolution(3, gain=1.0),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_adaptive_layer_round_trips(rng, layer):
    features = rng.normal(size=(1, 5, 7, 3)).astype("float32")
    context = rng.normal(size=(1, 5, 7, 4)).astype("float32")
    assert_layer_round_trips(layer, features, context)


def test_streamed_filters_equal_those_of_one_convolution(rng):
    """Predicting the filters in parts is only a matter of memory [IFAN Eq. 1]."""
    features = rng.normal(size=(2, 5, 7, 3)).astype("float32")
    context = rng.normal(size=(2, 5, 7, 4)).astype("float32")
    layer = IterativeAdaptiveConvolution(4)
    streamed, filters = layer(features, context, return_filters=True)
    at_once = ops.conv(context, layer.kernel, padding="same") + layer.bias
    np.testing.assert_allclose(filters, at_once, atol=1e-6, rtol=2e-6)
    expected = features
    for step in ops.split(at_once, 4, axis=-1):
        expected = separable_adaptive_convolution(expected, step, 3)
    np.testing.assert_allclose(streamed, expected, atol=1e-6, rtol=2e-6)


def test_last_activation_can_be_left_out(rng):
    features = np.full((1, 3, 3, 1), -2, "float32")
    layer = IterativeAdaptiveConvolution(1, 1, last_activation=False)
    layer.build((1, 3, 3, 1), (1, 3, 3, 1))
    layer.kernel.assign(ops.zeros_like(layer.kernel))
    layer.bias.assign([1.0, 1.0, 0.5])  # vertical, horizontal, bias
    np.testing.assert_array_equal(layer(features, features), features + 0.5)
    layer.last_activation = True
    np.testing.assert_allclose(layer(features, features), 0.1 * (features + 0.5))


@pytest.mark.parametrize("size", [3, 5])
def test_identity_start_passes_the_features_through(rng, size):
    features = rng.normal(size=(2, 5, 7, 3)).astype("float32")
    context = rng.normal(size=(2, 5, 7, 4)).astype("float32")
    layer = IterativeAdaptiveConvolution(4, size, identity_start=True)
    expected = np.where(features > 0, features, 0.1**4 * features)
    np.testing.assert_allclose(layer(features, context), expected, rtol=1e-5)
    residual = IterativeAdaptiveConvolution(
        4, size, identity_start=True, last_activation=False
    )
    np.testing.assert_array_equal(residual(features, context), 0 * features)


def test_one_hot_dense_filters_shift_the_features(rng):
    features = rng.normal(size=(1, 4, 5, 2)).astype("float32")
    layer = FilterAdaptiveConvolution(3)
    layer.build(features.shape, (1, 4, 5, 1))
    layer.predictor.kernel.assign(ops.zeros_like(layer.predictor.kernel))
    one_hot = np.zeros((3, 3, 2))
    one_hot[1, 2] = 1  # the pixel to the right
    layer.predictor.bias.assign(one_hot.ravel())
    shifted = layer(features, np.zeros((1, 4, 5, 1), "float32"))
    expected = np.concatenate([features[:, :, 1:], features[:, :, -1:]], axis=2)
    np.testing.assert_array_equal(shifted, expected)


def test_only_several_units_are_skipped_around(rng):
    inputs = np.abs(rng.normal(size=(1, 4, 4, 2))).astype("float32")
    for units, factor in ((1, 1), (2, 2)):
        group = ResidualGroup(2, units)
        group.build(inputs.shape)
        for weight in group.weights:
            weight.assign(ops.zeros_like(weight))
        np.testing.assert_array_equal(group(inputs), factor * inputs)


def test_encoder_halves_with_zeros_on_all_sides():
    """A stride-2 kernel is centred on even pixels; with "same" it would be on odd."""
    encoder = FeatureEncoder(1)
    encoder.build((1, 8, 8, 1))
    for level in encoder.levels:
        for layer in level:
            kernel = np.zeros(layer.kernel.shape, "float32")
            kernel[1, 1] = np.eye(*kernel.shape[2:])
            layer.kernel.assign(kernel)
    image = np.arange(1, 65, dtype="float32").reshape(1, 8, 8, 1)
    stages = encoder(image)
    for level, stage in enumerate(stages):
        step = 2**level
        np.testing.assert_array_equal(stage[..., :1], image[:, ::step, ::step])


def test_initial_kernels_are_glorots_times_the_gain():
    shape = (3, 3, 20, 44)
    limit = 1.5 * np.sqrt(6 / (9 * 20 + 9 * 44))
    values = np.asarray(ifan_initializer(1.5)(shape))
    assert np.max(np.abs(values)) <= limit
    np.testing.assert_allclose(np.std(values), limit / np.sqrt(3), rtol=0.02)
    np.testing.assert_array_equal(ifan_initializer(0)(shape), np.zeros(shape))
