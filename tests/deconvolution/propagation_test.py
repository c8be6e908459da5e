"""Spreading a map along a picture: matting Laplacian and guided filter."""

import numpy as np
import pytest

from tf_defocus.deconvolution.propagation import (
    fill_nearest,
    guided_filter,
    matting_laplacian,
    propagate_by_guided_filter,
    propagate_by_matting,
)


def _naive_laplacian(guide, epsilon):
    """[Levin et al. Eq. 12], window by window."""
    height, width, channels = guide.shape
    result = np.zeros((height * width, height * width))
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            places = [
                (row + i) * width + column + j for i in (-1, 0, 1) for j in (-1, 0, 1)
            ]
            colors = guide.reshape(-1, channels)[places]
            centred = colors - colors.mean(axis=0)
            covariance = centred.T @ centred / 9 + epsilon / 9 * np.eye(channels)
            affinity = (1 + centred @ np.linalg.inv(covariance) @ centred.T) / 9
            result[np.ix_(places, places)] += np.eye(9) - affinity
    return result


def test_matting_laplacian_is_the_published_sum_over_windows(rng):
    guide = rng.random((5, 6, 3))
    actual = matting_laplacian(guide, 1e-2).toarray()
    np.testing.assert_allclose(actual, _naive_laplacian(guide, 1e-2), atol=1e-10)
    np.testing.assert_allclose(actual.sum(axis=1), 0.0, atol=1e-10)


def test_guided_filter_keeps_what_is_linear_in_the_guide(rng):
    guide = rng.random((20, 24))
    actual = guided_filter(guide, 3 * guide + 1, radius=3, epsilon=1e-9)
    np.testing.assert_allclose(actual, 3 * guide + 1, atol=1e-5)
    flat = guided_filter(np.full((9, 9), 0.5), np.full((9, 9), 2.0), 2, 1e-3)
    np.testing.assert_allclose(flat, 2.0, atol=1e-12)


def test_nearest_known_value_fills_the_rest():
    values, known = np.array([[3.0, 0.0, 0.0, 0.0, 5.0]]), np.zeros((1, 5), bool)
    known[0, [0, 4]] = True
    np.testing.assert_array_equal(fill_nearest(values, known), [[3, 3, 3, 5, 5]])


@pytest.mark.parametrize(
    "propagate", [propagate_by_matting, propagate_by_guided_filter]
)
def test_the_map_changes_where_the_picture_does(propagate, rng):
    guide = np.zeros((30, 40, 3))
    guide[:, 22:] = (0.9, 0.8, 0.7)
    guide += 0.01 * rng.random(guide.shape)
    known = np.zeros((30, 40), bool)
    known[::6, [4, 36]] = True  # the middle between them is at 20, not 22
    values = np.where(np.arange(40) < 22, 1.0, 3.0) * known
    dense = propagate(values, known, guide)
    assert np.abs(dense[:, :20] - 1.0).mean() < 0.15
    assert np.abs(dense[:, 24:] - 3.0).mean() < 0.15
    assert dense.min() >= 1.0 and dense.max() <= 3.0
