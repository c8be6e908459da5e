"""Re-blurring of views: recorded tensors, a naive sum, and true dual-pixel kernels."""

import numpy as np
import pytest
from scipy import signal

from tests.testing import assert_agrees, reference_file
from tf_defocus.ops.view_reblurring import (
    growing_disc,
    reblur,
    total_variation,
    view_disagreement,
)
from tf_defocus.optics.psf import ApertureSplit, dual_pixel_pair


@pytest.fixture(scope="module")
def vectors():
    return reference_file("bambnet_coc.npz")


@pytest.mark.parametrize("radius", [1, 2, 5, 12])
def test_disc_agrees_with_the_authors(vectors, radius):
    assert_agrees(growing_disc(radius), vectors, f"op/kernel_r{radius}")


@pytest.mark.parametrize("radius", [0, 1, 7, 24])
def test_disc_sums_to_one_and_leans_to_the_right(radius):
    disc = growing_disc(radius)
    assert disc.shape == (2 * radius + 1, 2 * radius + 1)
    assert np.sum(disc) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(disc, disc[::-1])
    offset = np.arange(2 * radius + 1) - radius
    assert np.sum(disc * offset) > 0 or radius == 0


def test_reblurred_views_agree_with_the_authors(vectors):
    radius = vectors["in/probe_map"]
    for mirrored, side in ((False, "left"), (True, "right")):
        actual = reblur(vectors[f"in/probe_{side}"], radius, mirrored)
        assert_agrees(actual, vectors, f"loss/probe_{side}")
        actual = reblur(vectors[f"in/{side}"], vectors["output"], mirrored)
        assert_agrees(actual, vectors, f"loss/{side}_reblurred")


def test_loss_terms_agree_with_the_authors(vectors):
    radius = vectors["output"]
    loss = view_disagreement(vectors["in/left"], vectors["in/right"], radius)
    assert_agrees(1000 * np.asarray(loss)[None], vectors, "loss/unsupervised")
    variation = total_variation(radius)
    assert_agrees(1e-5 * np.asarray(variation)[None], vectors, "loss/tv_weighted")


def naive_reblur(image, radius, mirrored):
    """One pixel of one colour after the other."""
    padded = np.pad(image, ((24, 24), (24, 24), (0, 0)))
    result = np.zeros_like(image)
    for row, column, colour in np.ndindex(*image.shape):
        value = radius[row, column, colour]
        flipped = (value < 0) != mirrored and value != 0
        for whole in {int(abs(value)), int(abs(value)) + 1}:
            share = max(0, 1 - abs(abs(value) - whole))
            if share == 0:
                continue
            disc = growing_disc(whole)[:, ::-1] if flipped else growing_disc(whole)
            window = padded[
                row + 24 - whole : row + 25 + whole,
                column + 24 - whole : column + 25 + whole,
                colour,
            ]
            result[row, column, colour] += share * np.sum(disc * window)
    return result


@pytest.mark.parametrize("mirrored", [False, True])
def test_reblurring_equals_the_sum_pixel_by_pixel(rng, mirrored):
    image = rng.random((7, 9, 3), dtype=np.float32)
    radius = rng.uniform(-4, 4, image.shape).astype("float32")
    radius[0, :3] = [[0, 2, -2], [0.5, -0.5, 3], [1, -1, 0]]
    actual = reblur(image[None], radius[None], mirrored)[0]
    expected = naive_reblur(image, radius, mirrored)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("coc", [-8.0, 8.0])
def test_true_radius_makes_dual_pixel_views_agree(rng, coc):
    """In front of focus (coc < 0) the radius is positive."""
    sharp = rng.random((60, 60))
    split = ApertureSplit("linear")
    left, right = (
        np.repeat(signal.convolve2d(sharp, kernel, "valid")[None, ..., None], 3, -1)
        for kernel in dual_pixel_pair(coc, split)
    )
    left, right = left.astype("float32"), right.astype("float32")
    loss = {
        radius: float(view_disagreement(left, right, np.full_like(left, radius)))
        for radius in (-coc / 2, 0.0, coc / 2, -coc)
    }
    assert min(loss, key=loss.get) == -coc / 2
    assert loss[-coc / 2] < 0.6 * loss[coc / 2]


def test_total_variation_is_a_sum_of_neighbours():
    radius = np.zeros((2, 3, 4, 1), "float32")
    radius[0, 1, 1] = 2  # four neighbours
    radius[1, 0, 0] = 5  # two
    assert float(total_variation(radius)) == 4 * 2 + 2 * 5
