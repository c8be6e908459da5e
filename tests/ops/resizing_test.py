"""Tests of the resizing functions."""

import numpy as np
import pytest
from keras import ops

from tf_defocus.ops.resizing import (
    double_bilinear,
    double_from_corner,
    enlarge_bilinear,
    halve_antialiased,
    halve_binomial,
    resize_bilinear_aligned,
    resize_nearest_floor,
)


@pytest.mark.parametrize("size", [(40, 8), (3, 5), (36, 7), (1, 1)])
def test_nearest_takes_the_floor_of_the_source_position(rng, size):
    images = rng.normal(size=(2, 36, 7, 3)).astype("float32")
    rows = [y * 36 // size[0] for y in range(size[0])]
    columns = [x * 7 // size[1] for x in range(size[1])]
    actual = resize_nearest_floor(ops.array(images), *size)
    np.testing.assert_array_equal(actual, images[:, rows][:, :, columns])


def naive_bilinear(images, height, width):
    result = np.zeros((images.shape[0], height, width, images.shape[3]))
    for y, x in np.ndindex(height, width):
        row = y * (images.shape[1] - 1) / max(height - 1, 1)
        column = x * (images.shape[2] - 1) / max(width - 1, 1)
        for i, j in np.ndindex(images.shape[1:3]):
            weight = max(0, 1 - abs(row - i)) * max(0, 1 - abs(column - j))
            result[:, y, x] += weight * images[:, i, j]
    return result


@pytest.mark.parametrize("size", [(11, 9), (4, 3), (2, 6), (1, 1)])
def test_aligned_bilinear_matches_the_naive_one(rng, size):
    images = rng.normal(size=(2, 4, 3, 2)).astype("float32")
    actual = resize_bilinear_aligned(ops.array(images), *size)
    np.testing.assert_allclose(actual, naive_bilinear(images, *size), atol=1e-6)


def test_aligned_bilinear_keeps_the_corners(rng):
    images = rng.normal(size=(1, 6, 9, 1)).astype("float32")
    resized = np.asarray(resize_bilinear_aligned(ops.array(images), 32, 32))
    np.testing.assert_array_equal(resized[:, ::31, ::31], images[:, ::5, ::8])


def test_aligned_bilinear_enlarges_a_single_sample():
    resized = resize_bilinear_aligned(ops.full((1, 1, 1, 2), 3.0), 4, 5)
    np.testing.assert_array_equal(resized, np.full((1, 4, 5, 2), 3.0))


def test_resizing_keeps_dynamic_sizes(rng):
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1))])
    def double(images):
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        return (
            resize_nearest_floor(images, 2 * height, width),
            resize_bilinear_aligned(images, 2 * height, width),
        )

    images = rng.normal(size=(1, 3, 2, 1)).astype("float32")
    nearest, bilinear = double(images)
    np.testing.assert_array_equal(nearest, np.repeat(images, 2, axis=1))
    np.testing.assert_allclose(bilinear, naive_bilinear(images, 6, 2), atol=1e-6)


def test_halving_equals_an_antialiased_triangle_filter(rng):
    tf = pytest.importorskip("tensorflow")
    for height, width in ((8, 12), (2, 4), (6, 2)):
        images = rng.random((2, height, width, 3), dtype="float32")
        expected = tf.image.resize(
            images, (height // 2, width // 2), "bilinear", antialias=True
        )
        np.testing.assert_allclose(halve_antialiased(images), expected, atol=1e-6)


def test_halving_weighs_one_three_three_one():
    row = np.array([1, 2, 4, 8, 16, 32], "float32")
    images = np.tile(row[None, None, :, None], (1, 2, 1, 1))
    expected = [
        (3 * 1 + 3 * 2 + 4) / 7,
        (2 + 3 * 4 + 3 * 8 + 16) / 8,
        (8 + 3 * 16 + 3 * 32) / 7,
    ]
    np.testing.assert_allclose(halve_antialiased(images)[0, 0, :, 0], expected)


def test_doubling_and_quadrupling_equal_bilinear_resizing_at_half_pixel_centres(rng):
    tf = pytest.importorskip("tensorflow")
    for height, width in ((5, 3), (1, 4), (1, 1)):
        images = rng.normal(size=(2, height, width, 2)).astype("float32")
        expected = tf.image.resize(images, (2 * height, 2 * width), "bilinear")
        np.testing.assert_allclose(double_bilinear(images), expected, atol=1e-6)
        expected = tf.image.resize(images, (4 * height, 4 * width), "bilinear")
        np.testing.assert_allclose(enlarge_bilinear(images, 4), expected, atol=1e-6)


def test_halving_and_doubling_keep_dynamic_sizes_and_dtype(rng):
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2), "bfloat16")])
    def half_and_double(images):
        return halve_antialiased(images), double_bilinear(images)

    images = tf.ones((1, 4, 6, 2), "bfloat16")
    half, double = half_and_double(images)
    assert half.dtype == double.dtype == images.dtype
    np.testing.assert_array_equal(half, np.ones((1, 2, 3, 2)))
    np.testing.assert_array_equal(double, np.ones((1, 8, 12, 2)))


def test_doubling_from_the_corner_keeps_pixels_and_puts_means_between(rng):
    images = np.array([[1.0, 3.0, 4.0]], "float32")[None, ..., None]
    actual = np.asarray(double_from_corner(images))[0, ..., 0]
    np.testing.assert_array_equal(actual, [[1, 2, 3, 3.5, 4, 4]] * 2)
    images = rng.normal(size=(2, 3, 5, 2)).astype("float32")
    actual = np.asarray(double_from_corner(images))
    np.testing.assert_array_equal(actual[:, ::2, ::2], images)
    mean = images[:, :2, :4] + images[:, 1:, :4] + images[:, :2, 1:] + images[:, 1:, 1:]
    np.testing.assert_allclose(actual[:, 1:5:2, 1:9:2], mean / 4, atol=1e-6)


def test_binomial_halving_is_a_blur_and_means_of_four(rng):
    images = rng.normal(size=(2, 6, 8, 2)).astype("float32")
    taps = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    blurred = sum(
        taps[i, j] * padded[:, i : i + 6, j : j + 8] for i, j in np.ndindex(5, 5)
    )
    expected = blurred.reshape(2, 3, 2, 4, 2, 2).mean((2, 4))
    np.testing.assert_allclose(halve_binomial(images), expected, atol=1e-6)
