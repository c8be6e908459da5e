"""Tests of the resizing functions."""

import numpy as np
import pytest
from keras import ops

from tf_defocus.ops.resizing import resize_bilinear_aligned, resize_nearest_floor


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
