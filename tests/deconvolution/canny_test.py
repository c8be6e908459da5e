"""Edges as MATLAB finds them: on a step, by scale, and by thresholds of its own."""

import numpy as np
import pytest
from scipy import ndimage

from tests.testing import reference_file
from tf_defocus.deconvolution.canny import canny


@pytest.mark.parametrize("file", ["ebdb.npz", "ebdb_gray.npz"])
def test_edges_agree_with_the_recorded_ones_at_every_scale(file):
    vectors = reference_file(file)
    grey = vectors["luminance"][0, ..., 0].astype("float64")
    for index, sigma in enumerate(np.arange(1, 5.5, 0.5)):
        expected = vectors["edges"][0, ..., index] > 0.5
        assert 100 < expected.sum() < grey.size / 4
        np.testing.assert_array_equal(canny(grey, sigma), expected)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_blurred_step_is_one_line_where_it_is_steepest(transposed):
    image = np.zeros((20, 31))
    image[:, 15:] = 1.0
    image = ndimage.gaussian_filter(image, 2.0)
    image[:, 15:] += 1e-6  # the two pixels beside the step are not alike
    edges = canny(image.T if transposed else image, 1.0)
    edges = edges.T if transposed else edges
    rows, columns = np.nonzero(edges)
    assert set(columns) <= {14, 15} and len(rows) >= 16
    assert not edges[[0, -1]].any()


def test_a_flat_image_has_no_edges():
    assert not canny(np.full((7, 9), 0.3), 1.5).any()
