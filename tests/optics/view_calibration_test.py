"""The measurement finds what the simulator put in."""

import numpy as np
import pytest

from tf_defocus.optics import dual_pixel, psf, sensor, view_calibration
from tf_defocus.synthesis import textures

RATIO, DIAMETER = 0.2, 11.6


@pytest.fixture(scope="module")
def views():
    """Left, right and sharp of a wall, 16 bits, with noise of 0.01 on the views."""
    rng = np.random.default_rng(0)
    radiance = sensor.srgb_to_linear(textures.dead_leaves(rng, 192, 240))
    ones = np.ones(radiance.shape[:2], np.float32)
    surface = dual_pixel.Surface(radiance, ones, np.float32(DIAMETER) * ones)
    split = psf.ApertureSplit(softness=psf.softness_for_shift_ratio(RATIO))
    image = dual_pixel.render([surface], split)
    noise = [rng.normal(0, 0.01, radiance.shape) for _ in range(2)]
    encoded = [sensor.linear_to_srgb(v) for v in (image.left, image.right)]
    left, right = (sensor.quantize16(v + n) for v, n in zip(encoded, noise))
    return left, right, sensor.quantize16(sensor.linear_to_srgb(image.sharp))


def test_shift_family_and_diameter_are_found(views):
    splits = view_calibration.candidate_splits()[1:8:2]  # 0.16, 0.24, linear, butter...
    splits = (psf.ApertureSplit(softness=psf.softness_for_shift_ratio(0.2)), *splits)
    found = view_calibration.measure(*views, splits)
    good = found.explained
    assert good.mean() > 0.8
    totals = found.residuals[:, good].mean(axis=1)
    assert np.argmin(totals) == 0 and totals[0] < 0.9 * np.sort(totals)[1]
    step = view_calibration.DIAMETERS[1] / view_calibration.DIAMETERS[0]
    assert np.median(found.diameters[0, good]) == pytest.approx(DIAMETER, rel=step - 1)


def test_kernels_are_estimated_without_a_model(views):
    splits = [psf.ApertureSplit(softness=psf.softness_for_shift_ratio(RATIO))]
    found = view_calibration.measure(*views, splits)
    left, right, count = view_calibration.estimate_kernels(*views, found, DIAMETER)
    assert count > 10 and left.shape == (33, 33)
    x = np.arange(33) - 16
    centroids = [
        (np.clip(k, 0, None).sum(0) @ x) / np.clip(k, 0, None).sum()
        for k in (left, right)
    ]
    assert centroids[1] - centroids[0] == pytest.approx(RATIO * DIAMETER, rel=0.3)
    expected = psf.dual_pixel_pair(DIAMETER, splits[0])[0]
    reach = len(expected) // 2
    inner = slice(16 - reach, 17 + reach)
    assert np.corrcoef(left[inner, inner].ravel(), expected.ravel())[0, 1] > 0.8
    with pytest.raises(ValueError, match=r"about 2\.0 px"):
        view_calibration.estimate_kernels(*views, found, 2.0)


def test_noise_is_measured_on_what_is_blurred(views):
    splits = [psf.ApertureSplit(softness=psf.softness_for_shift_ratio(RATIO))]
    found = view_calibration.measure(*views, splits)
    noise = view_calibration.noise_deviation(views[0], found)
    assert noise == pytest.approx(0.01 / np.sqrt(3), rel=0.2)  # of the mean colour
