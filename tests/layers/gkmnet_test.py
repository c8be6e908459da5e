"""GKMNet's mixture of Gaussian-filtered images against naive NumPy."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.gkmnet import GaussianConvolution, WeightedSummation
from tf_defocus.ops import gaussian

ATOL = 1e-5  # float32, sums of a few hundred terms
SMALL = {"num_gaussians": 4, "max_kernel_size": 5}
LEARNED = {**SMALL, "trainable_gaussians": True}


def naive_maps(images, kernels):
    """(batch, h, w, 3), (3, k, size, size) -> (batch, h, w, 3, k), zero padding."""
    reach = kernels.shape[-1] // 2
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, kernels.shape[-2:], axis=(1, 2)
    )
    return np.einsum("bhwcij,ckij->bhwck", windows, kernels)


def bank_kernels(layer):
    return gaussian.outer_products(layer.taps.astype("float64"))


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("bank", [{}, {"bank": "paper21"}, SMALL])
def test_maps_equal_naive_convolutions_eq_3(rng, bank, variant):
    """[GKMNet Eq. 3]"""
    images = rng.random((2, 13, 24, 3), dtype="float32")
    layer = GaussianConvolution(**bank, variant=variant)
    expected = naive_maps(images, bank_kernels(layer))
    np.testing.assert_allclose(
        layer(images), expected.reshape(2, 13, 24, -1), atol=2e-6, rtol=2e-6
    )
    assert not layer.weights


def test_paper_shows_every_kernel_to_every_colour(rng):
    plane = rng.random((1, 9, 9, 1), dtype="float32")
    images = np.repeat(plane, 3, axis=-1)
    red, green, blue = np.split(np.asarray(GaussianConvolution()(images)), 3, axis=-1)
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)
    np.testing.assert_array_equal(red[..., :1], plane)


def test_released_shows_narrow_kernels_to_red_only(rng):
    plane = rng.random((1, 9, 9, 1), dtype="float32")
    images = np.repeat(plane, 3, axis=-1)
    maps = np.asarray(GaussianConvolution(variant="released")(images))
    np.testing.assert_array_equal(maps[..., :3], images)
    assert np.abs(maps[..., 3:] - plane).max(axis=(0, 1, 2)).min() > 0
    assert maps[..., 22:].std(axis=(0, 1, 2)).max() < 0.5 * plane.std()


def test_learned_bank_starts_as_the_gaussians(rng):
    images = rng.random((1, 8, 9, 3), dtype="float32")
    layer = GaussianConvolution(**LEARNED)
    np.testing.assert_allclose(
        layer(images), GaussianConvolution(**SMALL)(images), atol=2e-6, rtol=2e-6
    )
    assert [tuple(w.shape) for w in layer.weights] == [(5, 5, 3, 5)]


def test_learned_kernels_filter_their_own_colour(rng):
    images = rng.random((1, 8, 9, 3), dtype="float32")
    layer = GaussianConvolution(**{**SMALL, "trainable_gaussians": "random"})
    layer.build(images.shape)
    kernels = layer.kernels.numpy()
    assert np.ptp(kernels) > 0
    expected = naive_maps(images, kernels.transpose(2, 3, 0, 1))
    np.testing.assert_allclose(layer(images), expected.reshape(1, 8, 9, -1), atol=ATOL)


def random_summation(rng, **arguments):
    layer = WeightedSummation(**arguments)
    layer.build(None)
    layer.kernel.assign(rng.normal(size=layer.kernel.shape))
    layer.bias.assign([0.1, -0.2, 0.3])
    return layer


def summation_inputs(rng, count, shape=(2, 7, 10)):
    blurred, previous = rng.random((2, *shape, 3), dtype="float32")
    weights = rng.uniform(-1, 1, (*shape, 2 * count)).astype("float32")
    return blurred, previous, weights


@pytest.mark.parametrize(
    "arguments", [SMALL, {**SMALL, "variant": "released"}, LEARNED]
)
def test_summation_equals_weighted_filtered_images_eq_8(rng, arguments):
    """[GKMNet Eq. 8]"""
    layer = random_summation(rng, **arguments)
    blurred, previous, weights = summation_inputs(rng, count=5)
    kernels = bank_kernels(layer.convolution)
    gamma = weights.reshape(*weights.shape[:3], 2, 1, 5)
    maps = np.stack([naive_maps(x, kernels) for x in (blurred, previous)], axis=3)
    omega = layer.kernel.numpy()[0, 0].reshape(2, 3, 5, 3)
    expected = np.einsum("bhwsck,scko->bhwo", gamma * maps, omega)
    actual = layer(blurred, previous, weights)
    np.testing.assert_allclose(actual, expected + layer.bias.numpy(), atol=ATOL)


def test_identity_kernel_alone_returns_the_previous_estimate(rng):
    layer = WeightedSummation(**SMALL)
    layer.build(None)
    omega = np.zeros((2, 3, 5, 3), "float32")
    omega[1, range(3), 0, range(3)] = 1
    layer.kernel.assign(omega.reshape(1, 1, 30, 3))
    blurred, previous, weights = summation_inputs(rng, count=5)
    np.testing.assert_allclose(
        layer(blurred, previous, np.ones_like(weights)), previous, atol=1e-6, rtol=2e-6
    )


def test_gradients_reach_images_weights_and_kernels(rng):
    tf = pytest.importorskip("tensorflow")
    layer = random_summation(rng, **LEARNED)
    inputs = [tf.constant(x) for x in summation_inputs(rng, 5, (1, 6, 6))]
    watched = [*inputs, *layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = ops.sum(ops.square(layer(*inputs)))
    gradients = tape.gradient(loss, watched)
    step = 1e-2
    for tensor, gradient in zip(inputs, gradients):
        direction = rng.normal(size=tensor.shape).astype("float32")
        moved = [
            [x + sign * step * direction if x is tensor else x for x in inputs]
            for sign in (1, -1)
        ]
        above, below = (float(ops.sum(ops.square(layer(*m)))) for m in moved)
        expected = float(np.sum(direction * gradient.numpy()))
        assert (above - below) / (2 * step) == pytest.approx(expected, rel=2e-2)
    assert all(float(ops.max(ops.abs(g))) > 0 for g in gradients)


def test_layers_round_trip(rng):
    images = rng.random((1, 6, 7, 3), dtype="float32")
    for arguments in (SMALL, LEARNED, {"bank": "paper21", "variant": "released"}):
        assert_layer_round_trips(GaussianConvolution(**arguments), images)
    inputs = summation_inputs(rng, count=5)
    assert_layer_round_trips(WeightedSummation(**LEARNED), *inputs)
    assert_layer_round_trips(WeightedSummation(**SMALL), *inputs)
