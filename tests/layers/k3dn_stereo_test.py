"""Tests of K3DN's stereo features and cost volume."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.k3dn_stereo import (
    NormalisedConvolution,
    StereoFeatures,
    cost_volume,
)

ATOL = 1e-4  # float32, sums of a hundred products


def naive_convolution(inputs, kernel, strides, dilation, margin):
    """2-D, zeros around."""
    size = kernel.shape[0]
    pad = dilation * (size // 2) if margin is None else margin
    padded = np.pad(inputs, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    reach = dilation * (size - 1)
    rows = range(0, padded.shape[1] - reach, strides)
    columns = range(0, padded.shape[2] - reach, strides)
    result = np.zeros((len(inputs), len(rows), len(columns), kernel.shape[-1]))
    for i, j in np.ndindex(len(rows), len(columns)):
        y, x = rows[i], columns[j]
        patch = padded[:, y : y + reach + 1 : dilation, x : x + reach + 1 : dilation]
        result[:, i, j] = np.einsum("bhwc,hwcd->bd", patch, kernel)
    return result


@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation", "margin"),
    [(3, 1, 1, None), (3, 2, 1, None), (3, 1, 4, None), (3, 2, 8, None), (1, 1, 1, 1)],
)
@pytest.mark.parametrize("size", [(10, 8), (7, 9)])
def test_normalised_convolution_matches_the_naive_one(
    rng, size, kernel_size, strides, dilation, margin
):
    inputs = rng.normal(size=(2, *size, 3)).astype("float32")
    layer = NormalisedConvolution(4, kernel_size, strides, dilation, margin)
    actual = layer(inputs)  # running statistics: mean 0, variance 1
    kernel = np.asarray(layer.convolution.kernel)
    expected = naive_convolution(inputs, kernel, strides, dilation, margin)
    expected = np.maximum(expected / np.sqrt(1 + 1e-5), 0)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def test_convolution_in_three_dimensions_pads_alike_on_all_sides():
    layer = NormalisedConvolution(1, strides=2, rank=3)
    layer.build((None, None, None, None, 1))
    layer.convolution.kernel.assign(np.ones((3, 3, 3, 1, 1)))
    actual = np.asarray(layer(np.ones((1, 4, 4, 4, 1), "float32")))[0, ..., 0]
    along = np.array([2, 3])  # a border sample, then a whole neighbourhood
    expected = np.einsum("i,j,k->ijk", along, along, along) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def test_cost_volume_matches_the_naive_one(rng):
    left, right = rng.normal(size=(2, 2, 3, 6, 2)).astype("float32")
    expected = np.zeros((2, 4, 3, 6, 4))
    for shift, x in np.ndindex(4, 6):
        if x >= shift:
            expected[:, shift, :, x, :2] = left[:, :, x]
            expected[:, shift, :, x, 2:] = right[:, :, x - shift]
    actual = cost_volume(ops.array(left), ops.array(right), 4)
    np.testing.assert_array_equal(actual, expected)


def test_features_of_images_smaller_than_a_pooling_cell_are_defined():
    """A constant image: every pooled mean is the constant, whatever the size."""
    layer = StereoFeatures()
    small = np.asarray(layer(np.full((1, 36, 28, 3), 0.3, "float32")))
    assert small.shape == (1, 18, 14, 32)
    assert np.isfinite(small).all()
    assert np.abs(small).max() > 0


def test_layers_round_trip(rng):
    images = ops.array(rng.normal(size=(1, 12, 16, 3)), "float32")
    assert_layer_round_trips(NormalisedConvolution(4, 3, 2, 8), images)
    assert_layer_round_trips(NormalisedConvolution(4, 1, margin=1), images)
    assert_layer_round_trips(StereoFeatures(), images)


def test_convolutions_of_rank_three_compute_in_float32_always():
    """Their gradient in bfloat16 is NaN at times (TensorFlow 2.21, CPU)."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        plane, volume = (NormalisedConvolution(4, rank=rank) for rank in (2, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    assert plane.convolution.compute_dtype == "bfloat16"
    assert volume.convolution.compute_dtype == "float32"
