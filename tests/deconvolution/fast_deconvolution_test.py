"""The papers' deconvolution: its steps by definition, its gain with a known blur."""

import numpy as np
import pytest
from scipy import ndimage

from tf_defocus.deconvolution import fast_deconvolution as module
from tf_defocus.deconvolution.fast_deconvolution import (
    deconvolve_padded,
    edge_taper,
    fast_deconvolution,
    newton_shrink,
    shrink,
    truncated_gaussian,
)


@pytest.mark.parametrize("beta", [1.0, 22.6, 181.0])
def test_newton_shrinkage_is_the_scalar_recursion_and_never_worse_than_zero(beta):
    values = np.concatenate([[0.0], np.linspace(-1, 1, 41)])
    for value, found in zip(values, newton_shrink(values, beta)):
        w = value
        for _ in range(4):
            if w == 0:
                break
            slope = 1.5 * np.sign(w) * abs(w) ** 0.5 + beta * (w - value)
            w -= slope / (0.75 * abs(w) ** -0.5 + beta)
        zero, cost = beta / 2 * value**2, abs(w) ** 1.5 + beta / 2 * (w - value) ** 2
        assert found == pytest.approx(w if cost < zero else 0, abs=1e-12)


def test_newton_shrinkage_reaches_the_minimum_where_beta_is_large():
    values = np.linspace(0.1, 1, 10)
    candidates = np.linspace(0, 1, 100_001)[:, None]
    cost = candidates**1.5 + 181 / 2 * (candidates - values) ** 2
    best = candidates[cost.argmin(axis=0), 0]
    np.testing.assert_allclose(newton_shrink(values, 181.0), best, atol=2e-5)


def test_the_table_tells_what_newton_finds():
    values = np.linspace(-1.3, 1.3, 9_001)
    for beta in module.BETAS:
        found = shrink(values.astype("float32"), beta)
        gap = np.abs(found - newton_shrink(values, beta))
        # Where the zero begins the table's ramp is one step wide.
        assert np.mean(gap > 1e-5) < 2e-3 and np.median(gap) < 1e-6


def _circular_blur(planes, psf):
    rows, columns = (side // 2 for side in psf.shape)
    result = np.zeros_like(planes)
    for (i, j), weight in np.ndenumerate(psf):
        result += weight * np.roll(planes, (i - rows, j - columns), (1, 2))
    return result


def test_image_step_solves_the_normal_equations(monkeypatch, rng):
    monkeypatch.setattr(module, "BETAS", (1.0,))
    blurred, psf = rng.random((2, 9, 12)), rng.random((3, 5))
    psf /= psf.sum()
    x = fast_deconvolution(blurred, psf, fidelity=50.0)
    error = _circular_blur(x, psf) - blurred
    residual = 50.0 * _circular_blur(error, psf[::-1, ::-1])
    for axis in (1, 2):
        wanted = shrink(np.roll(blurred, -1, axis) - blurred, 1.0)
        gap = np.roll(x, -1, axis) - x - wanted
        residual += np.roll(gap, 1, axis) - gap
    np.testing.assert_allclose(residual, 0, atol=1e-9)


def test_taper_makes_the_borders_meet_and_leaves_the_middle(rng):
    image = np.tile(np.linspace(0, 1, 40)[:, None], (1, 1, 30))
    psf = truncated_gaussian(1.0, side=7)
    tapered = edge_taper(image, psf)
    before, after = (abs(i[0, 0] - i[0, -1]).max() for i in (image, tapered))
    assert after < 0.5 * before
    inside = (0, slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(tapered[inside], image[inside], atol=1e-6)
    assert image.min() <= tapered.min() and tapered.max() <= image.max()
    blurred = _circular_blur(image, psf)
    np.testing.assert_allclose(tapered[0, 0], blurred[0, 0], atol=1e-9)  # weight one


def test_kernel_is_cut_where_it_vanishes_in_double_precision():
    kernel = truncated_gaussian(1.0)
    assert kernel.shape == (17, 17)  # exp(-8.5^2 / 2) < 2.2e-16 < exp(-8^2 / 2)
    assert kernel[0, 8] > 0 and kernel[0, 0] == 0
    taps = np.arange(-8, 9)
    profile = np.exp(-(taps**2) / 2)
    expected = np.outer(profile, profile) / np.outer(profile, profile).sum()
    np.testing.assert_allclose(kernel, expected, atol=1e-15)
    assert truncated_gaussian(7.0).shape == (101, 101)
    for sigma in (0.0, 0.1):
        np.testing.assert_array_equal(truncated_gaussian(sigma), [[1.0]])


def test_known_blur_is_undone_and_the_dtype_kept():
    sharp = np.zeros((48, 64, 1))
    sharp[12:36, 16:48] = 0.8
    blurred = ndimage.gaussian_filter(sharp, (1.5, 1.5, 0), mode="nearest")
    restored = deconvolve_padded(
        blurred.astype("float32"), truncated_gaussian(1.5), 2000.0
    )
    assert restored.dtype == np.float32 and restored.shape == blurred.shape
    before, after = (np.mean((i - sharp) ** 2) for i in (blurred, restored))
    assert after < 0.5 * before


@pytest.mark.parametrize("size", [(1, 1), (2, 5)])
def test_images_smaller_than_the_kernel_stay_what_they_are_if_flat(size):
    image = np.full((*size, 3), 0.25, np.float32)
    restored = deconvolve_padded(image, truncated_gaussian(3.0), 16.8)
    np.testing.assert_allclose(restored, image, atol=1e-5)
