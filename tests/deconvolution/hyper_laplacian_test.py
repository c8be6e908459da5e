"""Hyper-Laplacian deconvolution: both steps are exact, the whole sharpens."""

import numpy as np
import pytest

from tf_defocus.deconvolution import hyper_laplacian as module
from tf_defocus.deconvolution.hyper_laplacian import hyper_laplacian, shrink
from tf_defocus.deconvolution.mirrored import blur, gaussian_psf


@pytest.mark.parametrize("exponent", [1 / 2, 2 / 3])
@pytest.mark.parametrize("beta", [1.0, 8.0, 256.0])
def test_shrinkage_is_the_minimum_found_by_search(exponent, beta):
    values = np.linspace(-2.5, 2.5, 101)
    candidates = np.linspace(0.0, 2.6, 26001)[:, None]

    def cost(w):
        return np.abs(w) ** exponent + beta / 2 * (w - np.abs(values)) ** 2

    found = shrink(values, beta, exponent)
    searched = cost(candidates).min(axis=0)
    assert np.all(np.sign(found) * np.sign(values) >= 0)
    assert 0 < np.count_nonzero(found) < len(values)
    # The grid can only be worse, by its spacing.
    np.testing.assert_allclose(cost(np.abs(found)), searched, atol=1e-5)
    assert np.all(cost(np.abs(found)) <= searched + 1e-12)


def test_image_step_solves_the_normal_equations(monkeypatch, rng):
    # One beta only: the result must make the quadratic's gradient vanish.
    monkeypatch.setattr(module, "LAST_BETA", module.FIRST_BETA)
    blurred, psf = rng.random((10, 13, 2)), gaussian_psf(0.8)
    estimate = hyper_laplacian(blurred, psf, fidelity=50.0)
    wanted = [shrink(g, module.FIRST_BETA, 2 / 3) for g in _differences(blurred)]
    residual = 50.0 * blur(blur(estimate, psf) - blurred, psf)
    gaps = [g - w for g, w in zip(_differences(estimate), wanted)]
    residual += module.FIRST_BETA * _transposed(*gaps)
    np.testing.assert_allclose(residual, 0.0, atol=1e-9)


def _differences(image):
    return (
        np.diff(image, axis=0, append=image[-1:]),
        np.diff(image, axis=1, append=image[:, -1:]),
    )


def _transposed(down, right):
    """D^T by definition: what a unit step at each pixel gathers."""
    result = np.zeros_like(down)
    for (i, j, c), value in np.ndenumerate(down):
        if i + 1 < down.shape[0]:
            result[i + 1, j, c] += value
            result[i, j, c] -= value
    for (i, j, c), value in np.ndenumerate(right):
        if j + 1 < right.shape[1]:
            result[i, j + 1, c] += value
            result[i, j, c] -= value
    return result


def test_edges_come_back_sharper_than_they_went_in():
    sharp = np.zeros((32, 48, 1))
    sharp[8:24, 12:36] = 1.0
    blurred = blur(sharp, gaussian_psf(1.5))
    restored = hyper_laplacian(blurred, gaussian_psf(1.5))
    before, after = np.mean((blurred - sharp) ** 2), np.mean((restored - sharp) ** 2)
    assert after < 0.2 * before


def test_exponents_without_closed_form_are_refused():
    with pytest.raises(ValueError, match="1/2 or 2/3"):
        shrink(np.ones(3), 1.0, 0.8)
