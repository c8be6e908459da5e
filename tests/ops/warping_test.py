"""Warps against naive loops, known answers and recorded vectors."""

import math

import numpy as np
import pytest
from keras import ops

from tests import testing
from tf_defocus.ops.warping import dense_image_warp, horizontal_warp


def naive_horizontal_warp(images, disparity):
    batch, height, width, _ = images.shape
    out = np.zeros(images.shape)
    for b, y, x in np.ndindex(batch, height, width):
        position = x + disparity[b, y, x, 0]
        for column in (math.floor(position), math.floor(position) + 1):
            if 0 <= column < width:
                weight = 1 - abs(position - column)
                out[b, y, x] += weight * images[b, y, column]
    return out


def test_horizontal_warp_equals_the_naive_loop(rng):
    images = rng.random((2, 5, 7, 3)).astype("float32")
    disparity = rng.uniform(-9, 9, (2, 5, 7, 1)).astype("float32")
    np.testing.assert_allclose(
        horizontal_warp(images, disparity),
        naive_horizontal_warp(images, disparity),
        atol=1e-5,
    )


def test_whole_disparity_shifts_and_fills_with_zeros():
    images = np.arange(1, 5, dtype="float32").reshape(1, 1, 4, 1)
    moved = horizontal_warp(images, np.full((1, 1, 4, 1), 2, "float32"))
    np.testing.assert_array_equal(np.ravel(moved), [3, 4, 0, 0])


def test_half_outside_pixel_keeps_half():
    images = np.full((1, 1, 3, 1), 8, "float32")
    moved = horizontal_warp(images, np.full((1, 1, 3, 1), 0.5, "float32"))
    np.testing.assert_array_equal(np.ravel(moved), [8, 8, 4])


@pytest.mark.parametrize("name", ["ifan_n2.npz", "ifan_dual_n2.npz"])
def test_horizontal_warp_equals_the_recorded_one(name):
    vectors = testing.reference_file(name)
    right = ops.average_pool(vectors["in/R"], 8, 8)
    warped = horizontal_warp(right, vectors["released/train/disparity_warp"])
    testing.assert_agrees(warped, vectors, "released/train/f_R_w")


def test_dense_warp_equals_tensorflow_addons():
    vectors = testing.reference_file("tfa_0_23.npz")
    warped = dense_image_warp(vectors["warp_image"], vectors["warp_flow"])
    np.testing.assert_allclose(warped, vectors["warp_out"], atol=1e-6)


def test_zero_flow_returns_the_image_even_one_pixel_wide(rng):
    images = rng.random((1, 4, 1, 2)).astype("float32")
    warped = dense_image_warp(images, np.zeros((1, 4, 1, 2), "float32"))
    np.testing.assert_array_equal(warped, images)


def test_wrong_channels_are_refused():
    images = np.zeros((1, 2, 2, 3), "float32")
    with pytest.raises(ValueError, match="must have 1 channel"):
        horizontal_warp(images, np.zeros((1, 2, 2, 2), "float32"))
    with pytest.raises(ValueError, match="must have 2 channel"):
        dense_image_warp(images, np.zeros((1, 2, 2, 1), "float32"))
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels\)"):
        dense_image_warp(images[0], np.zeros((1, 2, 2, 2), "float32"))
