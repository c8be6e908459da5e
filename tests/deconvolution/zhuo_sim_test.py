"""The defocus map: step edges of known blur, photographs of known blur."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from tf_defocus.deconvolution.zhuo_sim import estimate_defocus_map, sparse_defocus


def _blurred_steps(sigma):
    steps = np.zeros((40, 160, 3))
    steps[:, 50:], steps[:, 100:] = 0.8, 0.3
    return ndimage.gaussian_filter(steps, (sigma, sigma, 0))


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0, 4.0])
def test_blur_of_step_edges_is_measured(sigma):
    measured, known = sparse_defocus(_blurred_steps(sigma))
    assert np.median(measured[known]) == pytest.approx(sigma, rel=0.15)
    rows, columns = np.nonzero(known)
    assert rows.size >= 60
    assert np.all(np.min(np.abs(columns[:, None] - [49.5, 99.5]), axis=1) <= 1)


def test_contrast_does_not_change_the_measure():
    image = _blurred_steps(2.0)
    strong, known = sparse_defocus(image)
    weak, still_known = sparse_defocus(0.5 * image)
    both = known & still_known
    assert both.any()
    np.testing.assert_allclose(weak[both], strong[both], rtol=1e-6)


@pytest.mark.parametrize("propagation", ["matting", "guided_filter"])
def test_blurred_half_of_a_photograph_is_found(propagation):
    image = data.coffee()[100:300, 150:450] / np.float32(255)
    blurred = ndimage.gaussian_filter(image, (3, 3, 0))
    half = image.copy()
    half[:, 150:] = blurred[:, 150:]
    dense = estimate_defocus_map(half, propagation)
    assert dense.shape == half.shape[:2] and dense.dtype == np.float32
    assert np.median(dense[:, 170:]) == pytest.approx(3.0, rel=0.3)
    assert np.median(dense[:, :130]) < 1.5


def test_a_picture_without_edges_is_not_called_blurred():
    assert not estimate_defocus_map(np.full((20, 30, 3), 0.5, np.float32)).any()
    assert estimate_defocus_map(np.zeros((1, 1, 3), np.float32)).shape == (1, 1)


def test_unknown_propagation_is_refused():
    with pytest.raises(ValueError, match="propagation must be one of"):
        estimate_defocus_map(np.zeros((8, 8, 3)), "diffusion")
