"""Blur with mirror boundaries: the cosine transform against plain convolution."""

import numpy as np
import pytest
from scipy import ndimage

from tf_defocus.deconvolution.mirrored import blur, gaussian_psf, transfer_function


@pytest.mark.parametrize("size", [(13, 18), (5, 4)])
def test_blur_is_the_convolution_of_the_mirrored_image(size, rng):
    image = rng.random((*size, 3))
    quarter = rng.random((3, 4))
    half = np.concatenate([quarter, quarter[:-1][::-1]])
    psf = np.concatenate([half, half[:, :-1][:, ::-1]], axis=1)
    psf /= psf.sum()
    expected = np.stack(
        [ndimage.convolve(image[..., c], psf, mode="reflect") for c in range(3)], -1
    )
    np.testing.assert_allclose(blur(image, psf), expected, atol=1e-12)


def test_transfer_function_of_the_identity_is_one():
    np.testing.assert_array_equal(transfer_function(np.ones((1, 1)), (4, 5)), 1.0)


def test_gaussian_has_its_sigma_and_sum_one():
    for sigma in (1.0, 2.5):
        psf = gaussian_psf(sigma)
        taps = np.arange(len(psf)) - len(psf) // 2
        assert psf.sum() == pytest.approx(1.0)
        assert np.sum(psf * taps**2) == pytest.approx(sigma**2, rel=5e-3)
    np.testing.assert_array_equal(gaussian_psf(0.0), [[1.0]])


@pytest.mark.parametrize("psf", [np.ones((2, 3)) / 6, np.eye(3)[:, [1, 0, 2]] / 3])
def test_other_kernels_are_refused(psf):
    with pytest.raises(ValueError, match="symmetric in both axes"):
        transfer_function(psf, (8, 8))
