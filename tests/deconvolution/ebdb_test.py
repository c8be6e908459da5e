"""EBDB: the author's recorded steps, known blur, and what it does without edges."""

import numpy as np
import pytest
from scipy import ndimage

from tests.testing import assert_agrees, reference_file
from tf_defocus.deconvolution import ebdb


@pytest.fixture(params=["ebdb.npz", "ebdb_gray.npz"])
def recorded(request):
    vectors = reference_file(request.param)
    return vectors, vectors["in/image"][0], vectors["edges"][0] > 0.5


def _agrees(actual, vectors, key):
    actual = actual if actual.ndim == 3 else actual[..., None]
    assert_agrees(actual[None].astype("float32"), vectors, key)


def test_every_step_agrees_with_the_recorded_one(recorded):
    vectors, image, edges = recorded
    grey = ebdb.working_image(image)
    _agrees(grey, vectors, "luminance")
    edge_map, scale, count = ebdb.scale_consistent_edges(edges)
    _agrees(edge_map, vectors, "edge_map")
    _agrees(scale, vectors, "scale")
    assert count[edge_map].min() >= 4
    raw = ebdb.edge_blur(grey, edge_map, scale)
    _agrees(raw, vectors, "sparse_raw")
    filtered = ebdb.smooth_along_edges(raw, edge_map, count)
    _agrees(filtered, vectors, "sparse_filtered")
    _agrees(ebdb.smoothed_guide(image), vectors, "guide")
    _agrees(ebdb.spread(filtered, edge_map, image), vectors, "blur_map")


def test_the_whole_agrees_with_the_recorded_map(recorded):
    vectors, image, _ = recorded
    assert vectors["blur_map"].std() > 0.1
    _agrees(ebdb.estimate_ebdb_map(image), vectors, "blur_map")


def test_edge_filter_solves_its_normal_equations(rng):
    edge_map = rng.random((6, 7)) < 0.5
    count = rng.integers(4, 10, edge_map.shape)
    sigma = rng.random(edge_map.shape) * edge_map
    x = ebdb.smooth_along_edges(sigma, edge_map, count)
    residual = (1 + count) * (x - sigma)
    padded, known = np.pad(x, 1), np.pad(edge_map, 1)
    for row, column in np.argwhere(edge_map):
        window = (slice(row, row + 3), slice(column, column + 3))
        differences = (x[row, column] - padded[window])[known[window]]
        residual[row, column] += 2 * 10 * differences.sum()
    np.testing.assert_allclose(residual[edge_map], 0, atol=1e-9)
    assert not x[~edge_map].any()


@pytest.mark.parametrize("blur", [0.8, 1.5, 2.5])
def test_blur_of_a_step_is_told(blur):
    image = np.full((64, 64, 3), 0.4)
    image[:, 32:] = 0.6
    image = ndimage.gaussian_filter(image, (blur, blur, 0))
    defocus = ebdb.estimate_ebdb_map(image)
    assert defocus.dtype == np.float32
    np.testing.assert_allclose(np.median(defocus), blur, rtol=0.1)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (16, 17)])
def test_without_edges_nothing_is_said_to_be_blurred(size):
    defocus = ebdb.estimate_ebdb_map(np.full((*size, 3), 0.5, np.float32))
    np.testing.assert_array_equal(defocus, np.zeros(size, np.float32))
