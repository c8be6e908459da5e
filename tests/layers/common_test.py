"""Batch normalisation against its definition in NumPy."""

import keras
import numpy as np
import pytest

from tests import testing
from tf_defocus.layers.common import (
    UnbiasedBatchNormalization,
    normalized_convolution,
)


def _layer(rng, channels=3, **kwargs):
    layer = UnbiasedBatchNormalization(**kwargs)
    layer.build((None, None, None, channels))
    layer.set_weights(
        [rng.uniform(0.5, 2, channels).astype("float32") for _ in range(4)]
    )
    return layer


def _normalised(values, weights, mean, variance):
    gamma, beta = weights[:2]
    return (values - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def test_training_normalises_by_the_biased_batch_variance(rng):
    layer = _layer(rng)
    values = rng.normal(2, 3, (2, 4, 5, 3)).astype("float32")
    weights = layer.get_weights()
    expected = _normalised(
        values, weights, values.mean((0, 1, 2)), values.var((0, 1, 2))
    )
    actual = keras.ops.convert_to_numpy(layer(values, training=True))
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)


def test_running_variance_takes_the_unbiased_value(rng):
    layer = _layer(rng, momentum=0.75)
    values = rng.normal(size=(1, 2, 2, 3)).astype("float32")
    _, _, mean, variance = layer.get_weights()
    layer(values, training=True)
    np.testing.assert_allclose(
        layer.get_weights()[2], 0.75 * mean + 0.25 * values.mean((0, 1, 2)), rtol=1e-5
    )
    np.testing.assert_allclose(
        layer.get_weights()[3],
        0.75 * variance + 0.25 * values.var((0, 1, 2), ddof=1),
        rtol=1e-5,
    )


def test_inference_uses_running_statistics(rng):
    layer = _layer(rng)
    values = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    weights = layer.get_weights()
    actual = keras.ops.convert_to_numpy(layer(values, training=False))
    np.testing.assert_allclose(
        actual, _normalised(values, weights, *weights[2:]), atol=1e-5, rtol=2e-6
    )


def test_batch_statistics_normalise_by_the_batch_and_update_nothing(rng):
    layer = _layer(rng)
    values = rng.normal(2, 3, (2, 4, 5, 3)).astype("float32")
    before = layer.get_weights()
    actual = layer(values, training=False, batch_statistics=True)
    for old, new in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(
        actual, layer(values, training=True), atol=1e-6, rtol=2e-6
    )


def test_frozen_layer_keeps_its_statistics(rng):
    layer = _layer(rng)
    layer.trainable = False
    values = rng.normal(2, 3, (2, 4, 5, 3)).astype("float32")
    np.testing.assert_allclose(
        layer(values, training=True),
        layer(values, training=False),
        atol=1e-6,
        rtol=2e-6,
    )


def test_one_value_per_channel_stays_finite(rng):
    layer = _layer(rng)
    layer(np.ones((1, 1, 1, 3), "float32"), training=True)
    assert np.isfinite(layer.get_weights()[3]).all()


def test_any_rank_and_any_axis_normalise_alike(rng):
    values = rng.normal(size=(2, 4, 6, 5, 3)).astype("float32")
    last = UnbiasedBatchNormalization()
    first = UnbiasedBatchNormalization(axis=1)
    expected = keras.ops.convert_to_numpy(last(values, training=True))
    actual = first(np.moveaxis(values, -1, 1), training=True)
    np.testing.assert_allclose(
        np.moveaxis(actual, 1, -1), expected, atol=1e-6, rtol=2e-6
    )


def test_half_precision_sums_in_float32():
    layer = UnbiasedBatchNormalization(dtype="mixed_float16")
    values = np.full((1, 64, 64, 1), 300, "float16")  # 300^2 overflows float16
    values[:, ::2] = -300
    outputs = layer(values, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    np.testing.assert_allclose(np.abs(np.asarray(outputs)), 1, atol=1e-3)


INFERENCE = {"training": False, "batch_statistics": False}


@pytest.mark.parametrize(
    "convolution",
    [
        keras.layers.Conv2D(4, 3, padding="same"),
        keras.layers.Conv2D(4, 3, strides=2),
        keras.layers.Conv2DTranspose(4, 2, strides=2),
    ],
    ids=["same", "strided", "transposed"],
)
def test_normalized_convolution_equals_its_two_steps(rng, convolution):
    convolution.build((None, None, None, 3))
    convolution.bias.assign(rng.normal(size=4))
    normalization = _layer(rng, channels=4)
    values = rng.normal(size=(2, 7, 9, 3)).astype("float32")
    for mode in (
        INFERENCE,
        {"training": None, "batch_statistics": False},
        {"training": False, "batch_statistics": True},
        {"training": True, "batch_statistics": False},
    ):
        statistics = normalization.get_weights()
        actual = normalized_convolution(convolution, normalization, values, mode)
        updated = normalization.get_weights()
        normalization.set_weights(statistics)
        expected = normalization(convolution(values), **mode)
        np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)
        for ours, theirs in zip(updated, normalization.get_weights()):
            np.testing.assert_array_equal(ours, theirs)


def test_normalized_convolution_keeps_the_dtype_of_the_convolution(rng):
    convolution = keras.layers.Conv2D(4, 3, dtype="mixed_bfloat16")
    convolution.build((None, None, None, 3))
    values = rng.normal(size=(1, 5, 5, 3)).astype("float32")
    outputs = normalized_convolution(
        convolution, _layer(rng, channels=4), values, INFERENCE
    )
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_layer_round_trips(rng):
    values = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    testing.assert_layer_round_trips(UnbiasedBatchNormalization(momentum=0.5), values)


def test_renorm_is_refused():
    with pytest.raises(ValueError, match="no renorm"):
        UnbiasedBatchNormalization(renorm=True)
