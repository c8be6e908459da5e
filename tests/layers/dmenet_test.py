"""DMENet's blocks against their definitions in NumPy."""

import keras
import numpy as np
import pytest

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.dmenet import (
    AuxiliaryHead,
    NormalizedConvolution,
    RefinementBlock,
    SymmetricConvolution,
)


def naive_convolution(image, kernel, bias):
    """Pixel by pixel; outside the image its border is mirrored."""
    reach = kernel.shape[0] // 2
    padded = np.pad(image, [(0, 0), *[(reach, reach)] * 2, (0, 0)], mode="symmetric")
    result = np.zeros((*image.shape[:3], kernel.shape[3]))
    for row, column in np.ndindex(*image.shape[1:3]):
        window = padded[
            :, row : row + kernel.shape[0], column : column + kernel.shape[1]
        ]
        result[:, row, column] = np.einsum("bijc,ijcf->bf", window, kernel) + bias
    return result


def naive_normalized(image, layer, training=False, slope=0.2):
    kernel, bias, beta, mean, variance = layer.get_weights()
    values = naive_convolution(image, kernel, bias)
    if training:
        mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
    values = (values - mean) / np.sqrt(variance + 1e-5) + beta
    return np.where(values > 0, values, slope * values)


def randomize(layer, rng):
    layer.set_weights(
        [
            rng.random(w.shape) + 0.5
            if "variance" in v.path
            else rng.normal(size=w.shape)
            for v, w in zip(layer.weights, layer.get_weights())
        ]
    )


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 2, 2, 2), (1, 5, 3, 2)])
def test_convolution_mirrors_the_border(size, shape, rng):
    image = rng.normal(size=shape).astype("float32")
    layer = SymmetricConvolution(3, size)
    layer.build(shape)
    randomize(layer, rng)
    expected = naive_convolution(image, *layer.get_weights())
    assert layer.compute_output_shape((None, None, None, 2)) == (None, None, None, 3)
    np.testing.assert_allclose(layer(image), expected, atol=1e-5, rtol=2e-6)


@pytest.mark.parametrize("training", [False, True])
def test_normalization_has_no_scale_and_a_biased_running_variance(training, rng):
    image = rng.normal(size=(2, 4, 3, 2)).astype("float32")
    layer = NormalizedConvolution(3)
    layer.build(image.shape)
    randomize(layer, rng)
    assert len(layer.trainable_weights) == 3  # kernel, bias, beta
    kernel, bias, _, mean, variance = layer.get_weights()
    expected = naive_normalized(image, layer, training)
    np.testing.assert_allclose(
        layer(image, training=training), expected, atol=1e-5, rtol=2e-6
    )
    values = naive_convolution(image, kernel, bias)
    if training:
        mean = 0.9 * mean + 0.1 * values.mean((0, 1, 2))
        variance = 0.9 * variance + 0.1 * values.var((0, 1, 2))
    normalization = layer.normalization
    np.testing.assert_allclose(normalization.moving_mean, mean, atol=1e-5, rtol=2e-6)
    np.testing.assert_allclose(normalization.moving_variance, variance, rtol=1e-5)


def test_head_normalizes_before_the_sigmoid(rng):
    image = rng.normal(size=(1, 4, 3, 2)).astype("float32")
    layer = AuxiliaryHead(3)
    layer.build(image.shape)
    randomize(layer, rng)
    hidden = naive_normalized(image, layer.hidden)
    expected = 1 / (1 + np.exp(-naive_normalized(hidden, layer.map, slope=1.0)))
    np.testing.assert_allclose(layer(image), expected, atol=1e-5, rtol=2e-6)


def test_refinement_activates_the_shortcut_and_not_the_sum(rng):
    image = rng.normal(size=(1, 4, 3, 2)).astype("float32")
    layer = RefinementBlock(2)
    layer.build(image.shape)
    randomize(layer, rng)
    expected = naive_normalized(naive_normalized(image, layer.first), layer.second)
    expected = expected + naive_normalized(image, layer.shortcut)
    np.testing.assert_allclose(layer(image), expected, atol=1e-4, rtol=2e-6)


@pytest.mark.parametrize(
    "layer",
    [
        SymmetricConvolution(3, 3, activation="relu", name="a"),
        NormalizedConvolution(3, 1, activated=False, name="b"),
        AuxiliaryHead(2, name="c"),
        RefinementBlock(2, name="d"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_round_trip(layer, rng):
    assert_layer_round_trips(layer, rng.normal(size=(1, 3, 4, 2)).astype("float32"))


def test_sigmoids_start_as_glorot_has_it_and_others_with_more(rng):
    keras.utils.set_random_seed(0)
    activated, plain = (
        NormalizedConvolution(64),
        NormalizedConvolution(64, activated=False),
    )
    for layer, variance in ((activated, 2 / (9 * 64)), (plain, 2 / (9 * 128))):
        layer.build((None, None, None, 64))
        kernel = keras.ops.convert_to_numpy(layer.convolution.kernel)
        assert kernel.var() == pytest.approx(variance, rel=0.05)
