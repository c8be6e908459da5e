"""The classical pipeline: its gain with a known map, its manners as a Restorer."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from tf_defocus.deconvolution.two_step import METHODS, TwoStepRestorer

CROP = (slice(120, 248), slice(170, 298))


def _psnr(image, truth):
    difference = image.astype(np.float64) / 255 - truth.astype(np.float64) / 255
    return -10 * np.log10(np.mean(difference**2))


def _photograph(sigma):
    """(blurred, sharp) uint8 crop; the blur saw what lies outside the crop."""
    sharp = data.astronaut()
    blurred = ndimage.gaussian_filter(sharp.astype(np.float64), (sigma, sigma, 0))
    return np.rint(blurred).astype(np.uint8)[CROP], sharp[CROP]


@pytest.mark.parametrize("method", METHODS)
def test_uniform_gaussian_blur_of_known_size_loses_at_least_2_db(method):
    blurred, sharp = _photograph(1.5)
    known = np.full(sharp.shape[:2], 1.5)
    restored = TwoStepRestorer(method).restore(blurred=blurred, defocus_map=known)
    assert _psnr(restored, sharp) > _psnr(blurred, sharp) + 2.0


@pytest.mark.parametrize("method", METHODS)
def test_estimated_map_still_gains(method):
    blurred, sharp = _photograph(1.5)
    restored = TwoStepRestorer(method).restore(blurred=blurred)
    assert _psnr(restored, sharp) > _psnr(blurred, sharp) + 1.0


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(1, 1), (17, 23)])
def test_shape_dtype_and_sharp_pixels_are_kept(dtype, size, rng):
    image = rng.random((*size, 3))
    full = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    image = (image * full).astype(dtype)
    restorer = TwoStepRestorer("hyper_laplacian")
    restored = restorer.restore(blurred=image, defocus_map=np.full(size, 0.3))
    assert restorer.view_names == ("blurred",)
    assert restored.dtype == dtype
    np.testing.assert_array_equal(restored, image)


def test_disc_undoes_a_disc_better_than_a_gaussian_does():
    from tf_defocus.deconvolution.mirrored import blur
    from tf_defocus.optics import psf

    sharp = data.astronaut()[CROP]
    blurred = np.rint(blur(sharp.astype(np.float64), psf.disc(4.0))).astype(np.uint8)
    known = np.full(sharp.shape[:2], 2.0)
    scores = [
        _psnr(TwoStepRestorer("wiener", psf_shape=shape).restore(blurred, known), sharp)
        for shape in ("disc", "gaussian")
    ]
    assert scores[0] > scores[1] + 0.5


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (np.zeros((4, 4), np.uint8), "height, width, 3"),
        (np.zeros((4, 4, 3)), "uint8, uint16 or float32"),
        (np.full((4, 4, 3), np.nan, np.float32), "finite"),
    ],
)
def test_bad_images_are_refused(image, match):
    with pytest.raises(ValueError, match=match):
        TwoStepRestorer("wiener").restore(image)


def test_bad_maps_and_names_are_refused():
    image = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match="the image's size"):
        TwoStepRestorer("wiener").restore(image, np.zeros((5, 4)))
    with pytest.raises(ValueError, match="not negative"):
        TwoStepRestorer("wiener").restore(image, np.full((4, 5), -1.0))
    for wrong in ({"method": "x"}, {"method": "wiener", "psf_shape": "x"}):
        with pytest.raises(ValueError, match="must be one of"):
            TwoStepRestorer(**wrong)
