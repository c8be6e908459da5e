"""Fits of defocus kernels: models find themselves, the mixture finds its weights."""

import numpy as np
import pytest

from tf_defocus.ops.gaussian import gaussian_bank, gaussian_taps, outer_products
from tf_defocus.optics import kernel_fit, psf


def test_gaussian_finds_its_own_width():
    kernel = outer_products(gaussian_taps(1.37, 13))
    assert kernel_fit.relative_error(kernel_fit.fit_gaussian(kernel), kernel) < 1e-3


def test_disc_finds_its_own_radius():
    kernel = kernel_fit.embed(psf.disc(3.3), 13)
    assert kernel_fit.relative_error(kernel_fit.fit_disc(kernel), kernel) < 1e-2


@pytest.mark.parametrize("signed", [False, True])
def test_mixture_finds_its_own_weights_eq_3(signed):
    """[GKMNet Eq. 3]"""
    kernels = outer_products(gaussian_bank(max_kernel_size=21).astype("float64"))
    kernel = 0.25 * kernels[0] + 0.35 * kernels[4] + 0.4 * kernels[15]
    fitted, weights = kernel_fit.fit_mixture(kernel, signed=signed)
    np.testing.assert_allclose(fitted, kernel, atol=1e-6)
    assert weights.sum() == pytest.approx(1)
    if not signed:
        assert weights.min() >= 0
        assert weights[0] == pytest.approx(0.25, abs=1e-3)


def test_richer_models_fit_at_least_as_well():
    """The bank holds a Gaussian within 1/8 px of any width; signs only add freedom."""
    for name, kernel in kernel_fit.sample_kernels().items():
        errors = [
            kernel_fit.relative_error(fit, kernel)
            for fit in (
                kernel_fit.fit_gaussian(kernel),
                kernel_fit.fit_mixture(kernel)[0],
                kernel_fit.fit_mixture(kernel, signed=True)[0],
            )
        ]
        assert errors[1] < errors[0] + 0.005, name
        assert errors[2] < errors[1], name


def test_sample_kernels_are_kernels():
    for name, kernel in kernel_fit.sample_kernels(19).items():
        assert kernel.shape == (19, 19), name
        assert kernel.min() >= 0 and kernel.sum() == pytest.approx(1), name


def test_edge_cuts_the_far_side_of_a_disc():
    kernel = kernel_fit.sample_kernels()["disc, radius 4 px, edge at 2 px"]
    assert not kernel[:, 13:].any() and kernel[:, 12].any()
    np.testing.assert_allclose(
        kernel[:, :13],
        kernel_fit.embed(psf.disc(4), 21)[:, :13] * kernel[10, 10] / psf.disc(4)[4, 4],
    )


def test_kernel_too_large_for_the_canvas_is_refused():
    with pytest.raises(ValueError, match="15 px or less"):
        kernel_fit.embed(np.ones((17, 17)), 15)
