"""Richardson-Lucy: against a naive loop, and its fixed points."""

import numpy as np
from scipy import ndimage

from tf_defocus.deconvolution.mirrored import blur, gaussian_psf
from tf_defocus.deconvolution.richardson_lucy import richardson_lucy


def test_steps_equal_the_naive_update(rng):
    blurred, psf = 0.2 + rng.random((9, 12, 1)), gaussian_psf(0.7)
    expected = blurred[..., 0]
    for _ in range(3):
        seen = ndimage.convolve(expected, psf, mode="reflect")
        ratio = blurred[..., 0] / seen
        expected = expected * ndimage.convolve(ratio, psf, mode="reflect")
    actual = richardson_lucy(blurred, psf, num_iterations=3)
    np.testing.assert_allclose(actual[..., 0], expected, rtol=1e-9)


def test_no_step_returns_the_blurred_image(rng):
    blurred = 0.1 + rng.random((6, 7, 3))
    np.testing.assert_array_equal(richardson_lucy(blurred, gaussian_psf(1), 0), blurred)


def test_brightness_is_kept_and_black_stays_finite(rng):
    sharp = rng.random((24, 20, 3)) * (rng.random((24, 20, 1)) > 0.5)
    blurred = blur(sharp, gaussian_psf(1.0))
    blurred[:4] = 0
    restored = richardson_lucy(blurred, gaussian_psf(1.0), 30)
    assert np.isfinite(restored).all() and restored.min() > 0
    np.testing.assert_allclose(restored.mean(), blurred.mean(), rtol=0.02)
