"""DRBNet's layers against naive NumPy."""

import numpy as np
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.drbnet import DynamicResidualBlock, ResidualUnit


def naive_filtering(image, filters, size):
    """One filter per pixel for all colours; border pixels are repeated."""
    radius = size // 2
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    out = np.zeros(image.shape)
    for y, x in np.ndindex(image.shape[:2]):
        window = padded[y : y + size, x : x + size]
        out[y, x] = np.einsum("ijc,ij->c", window, filters[y, x].reshape(size, size))
    return out


def small_block(size=5):
    return DynamicResidualBlock((4, 2), (4,), (3,), filter_size=size)


def test_block_adds_the_filtered_image_and_the_residual(rng):
    images = rng.normal(size=(2, 4, 6, 3)).astype("float32")
    features = rng.normal(size=(2, 4, 6, 5)).astype("float32")
    block = small_block()
    actual = block(images, features)
    filters, residual = (np.asarray(x) for x in block.predict(images, features))
    assert filters.std() > 0.01 and np.abs(residual).max() > 0.01
    for i, image in enumerate(images):
        expected = image + naive_filtering(image, filters[i], 5) + residual[i]
        np.testing.assert_allclose(actual[i], expected, atol=1e-5, rtol=2e-6)


def test_filters_are_linear_and_the_residual_is_rectified(rng):
    block = small_block(3)
    block.build((1, 2, 2, 3), (1, 2, 2, 1))
    for layer, value in ((block.filters[-1], -2.0), (block.residual[-1], -2.0)):
        layer.kernel.assign(ops.zeros_like(layer.kernel))
        layer.bias.assign(ops.full(layer.bias.shape, value))
    images, features = np.ones((1, 2, 2, 3), "f4"), np.ones((1, 2, 2, 1), "f4")
    filters, residual = block.predict(images, features)
    np.testing.assert_allclose(filters, np.full((1, 2, 2, 9), -2.0))
    np.testing.assert_allclose(residual, np.full((1, 2, 2, 3), -0.2), rtol=1e-6)
    np.testing.assert_allclose(
        block(images, features), np.full((1, 2, 2, 3), 1 - 18 - 0.2), rtol=1e-6
    )


def test_residual_unit_has_no_activation_after_its_sum():
    unit = ResidualUnit(1)
    unit.build((1, 3, 3, 1))
    for weight in unit.weights:
        weight.assign(ops.zeros_like(weight))
    inputs = np.full((1, 3, 3, 1), -2, "float32")
    np.testing.assert_array_equal(unit(inputs), inputs)
    unit.first.bias.assign([-1.0])
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, 1] = 1
    unit.second.kernel.assign(kernel)
    np.testing.assert_allclose(unit(inputs), inputs - 0.1, rtol=1e-6)


def test_layers_round_trip(rng):
    images = rng.normal(size=(1, 4, 6, 3)).astype("float32")
    features = rng.normal(size=(1, 4, 6, 5)).astype("float32")
    assert_layer_round_trips(small_block(), images, features)
    assert_layer_round_trips(ResidualUnit(5), features)
