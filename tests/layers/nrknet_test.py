"""NRKNet's layers against naive NumPy."""

import numpy as np
import pytest
from keras import ops

from tests.layers.gkmnet_attention_test import naive_lstm, normalize, relu
from tests.testing import assert_layer_round_trips
from tf_defocus.layers import nrknet
from tf_defocus.ops.padding import reflect_border

ATOL = 1e-5  # float32, sums of a few hundred terms


def naive_reflected_convolution(inputs, kernel, strides=1):
    """(h, w, c) with (3, 3, c, o); the border mirrors the image."""
    padded = np.pad(inputs, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    outputs = np.einsum("hwcij,ijco->hwo", windows, kernel)
    return outputs[::strides, ::strides]


def kernel_of(layer):
    return ops.convert_to_numpy(layer.convolution.kernel)


@pytest.mark.parametrize("strides", [1, 2])
def test_convolution_mirrors_the_border(rng, strides):
    inputs = rng.normal(size=(2, 6, 8, 5)).astype("float32")
    layer = nrknet.ReflectedConvolution(4, strides=strides)
    expected = layer(inputs)
    for actual, image in zip(expected, inputs):
        wanted = naive_reflected_convolution(image, kernel_of(layer), strides)
        np.testing.assert_allclose(actual, wanted, atol=ATOL)
    assert len(layer.weights) == 1


@pytest.mark.parametrize("shape", [(2, 2), (3, 5)])
def test_border_is_mirrored_without_the_edge(rng, shape):
    images = rng.random((2, *shape, 3), dtype="float32")
    expected = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(reflect_border(images), expected)


def test_border_of_one_pixel_repeats_it(rng):
    images = rng.random((1, 1, 4, 2), dtype="float32")
    expected = np.pad(images, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(
        reflect_border(images), np.repeat(expected, 3, axis=1)
    )


def test_residual_units_match_their_definition(rng):
    inputs = rng.normal(size=(1, 5, 6, 4)).astype("float32")
    layer = nrknet.ReflectedResidualUnits(4, 2)
    actual = layer(inputs)[0]
    expected = inputs[0]
    for first, second in layer.units:
        inner = relu(naive_reflected_convolution(expected, kernel_of(first)))
        expected = expected + naive_reflected_convolution(inner, kernel_of(second))
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def naive_bank(image, half_kernels):
    """List of (h, w, 3): the image and its blurs, each of the one before."""
    blurs = [image.astype("float64")]
    for triple in half_kernels.astype("float64"):
        outputs = []
        for colour, (outer, inner) in enumerate(triple):
            weights = np.exp([outer, inner, outer])
            weights /= weights.sum()
            plane = np.pad(blurs[-1][..., colour], 1, mode="reflect")
            rows = sum(
                w * plane[:, i : i + image.shape[1]] for i, w in zip((0, 1, 2), weights)
            )
            outputs.append(
                sum(
                    w * rows[i : i + image.shape[0]] for i, w in zip((0, 1, 2), weights)
                )
            )
        blurs.append(np.stack(outputs, axis=-1))
    return blurs


def random_blur(rng, num_kernels=4):
    layer = nrknet.MixedBlur(num_kernels)
    layer.build((None, None, None, 3))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def test_bank_equals_naive_recursion(rng):
    layer = random_blur(rng).bank
    images = rng.random((2, 7, 9, 3), dtype="float32")
    actual = ops.convert_to_numpy(layer(images))
    half_kernels = ops.convert_to_numpy(layer.half_kernels)
    for result, image in zip(actual, images):
        expected = np.concatenate(naive_bank(image, half_kernels), axis=-1)
        np.testing.assert_allclose(result, expected, atol=ATOL)
    np.testing.assert_array_equal(actual[..., :3], images)


def test_kernels_are_positive_symmetric_and_keep_the_mean(rng):
    kernels = ops.convert_to_numpy(random_blur(rng).bank.kernels())
    assert kernels.shape == (4, 3, 3, 3) and kernels.min() > 0
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-6, rtol=2e-6)
    np.testing.assert_array_equal(kernels, kernels[:, ::-1])
    np.testing.assert_allclose(kernels, kernels.transpose(0, 2, 1, 3), atol=1e-7)


def test_mixed_blur_equals_naive_mixture(rng):
    layer = random_blur(rng)
    images = rng.random((2, 6, 5, 3), dtype="float32")
    mixing = rng.normal(size=(2, 6, 5, 5)).astype("float32")
    half_kernels = ops.convert_to_numpy(layer.bank.half_kernels)
    kernel, bias = (ops.convert_to_numpy(x) for x in (layer.kernel, layer.bias))
    actual = layer(images, mixing)
    for result, image, maps in zip(actual, images, mixing):
        bank = np.concatenate(naive_bank(image, half_kernels), axis=-1)
        expected = (bank * maps.repeat(3, axis=-1)) @ kernel[0, 0] + bias
        np.testing.assert_allclose(result, expected, atol=ATOL)


def test_mixed_blur_can_leave_the_image_alone(rng):
    layer = random_blur(rng)
    kernel = np.zeros(layer.kernel.shape, "float32")
    kernel[0, 0, :3] = np.eye(3)
    layer.kernel.assign(kernel)
    layer.bias.assign(np.zeros(3))
    images = rng.random((1, 5, 6, 3), dtype="float32")
    np.testing.assert_allclose(
        layer(images, np.ones((1, 5, 6, 5), "float32")), images, atol=1e-7
    )


@pytest.mark.parametrize("goes_on", [False, True])
def test_prediction_matches_its_definition(rng, goes_on):
    layer = nrknet.MixingPrediction(3)
    layer.build((None, None, None, 4))
    for weight in layer.weights:
        low = 0.5 if weight.path.endswith("variance") else -0.5
        weight.assign(rng.uniform(low, 1.0, weight.shape))
    inputs = rng.normal(size=(1, 6, 8, 4)).astype("float32")
    state = rng.normal(size=(2, 1, 3, 4, 3)).astype("float32") if goes_on else None
    hidden, cell = (state if goes_on else np.zeros((2, 1, 3, 4, 3), "float32"))[:, 0]
    convolved = naive_reflected_convolution(inputs[0], kernel_of(layer.convolution))
    own = relu(normalize(convolved, layer.normalization))
    pooled = inputs[0].reshape(3, 2, 4, 2, 4).mean(axis=(1, 3))
    following = naive_lstm(pooled, hidden, cell, layer.memory)
    shared = following[0].repeat(2, axis=0).repeat(2, axis=1)
    maps, after = layer(inputs, state=None if state is None else tuple(state))
    np.testing.assert_allclose(maps[0], shared * own + shared, atol=ATOL)
    for actual, expected in zip(after, following):
        np.testing.assert_allclose(actual[0], expected, atol=ATOL)


def test_layers_round_trip(rng):
    features = rng.normal(size=(1, 4, 6, 5)).astype("float32")
    images = rng.random((1, 4, 6, 3), dtype="float32")
    convolution = nrknet.ReflectedConvolution(3, strides=2, activation="relu")
    assert_layer_round_trips(convolution, features)
    assert_layer_round_trips(nrknet.ReflectedResidualUnits(5, 2), features)
    assert_layer_round_trips(nrknet.RecursiveKernels(2), images)
    assert_layer_round_trips(nrknet.MixedBlur(2), images, features[..., :3])
    assert_layer_round_trips(nrknet.MixingPrediction(3), features)
