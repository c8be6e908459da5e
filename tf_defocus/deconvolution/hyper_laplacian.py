"""Deconvolution with the prior that gradients of photographs are sparse.

Krishnan and Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009.
"""

import numpy as np

from tf_defocus.deconvolution.mirrored import (
    from_cosines,
    to_cosines,
    transfer_function,
)

FIRST_BETA = 1.0
LAST_BETA = 256.0
BETA_FACTOR = 2.0 * np.sqrt(2.0)


def hyper_laplacian(blurred, psf, fidelity=2000.0, exponent=2 / 3):
    """Minimises the likelihood plus the p-th power of the gradients.

        sum  fidelity / 2 (K x - y)^2 + |D_h x|^p + |D_v x|^p

    by half-quadratic splitting: auxiliary gradients w, tied to D x ever more strongly
    (beta from 1 to 256 by 2 sqrt 2), found alternately with x. Both steps are exact: w
    in closed form, x by one division in the cosine transform.

    Args:
        blurred: (height, width, channels) float in [0, 1].
        psf: (odd, odd) float, symmetric in both axes, of sum 1.
        fidelity: float > 0, lambda of the paper; smaller for noisier images.
        exponent: 1/2 or 2/3, the paper's alpha.

    Returns:
        (height, width, channels), dtype of `blurred`; not clipped.

    Raises:
        ValueError: if the exponent has no closed form here.
    """
    dtype = blurred.dtype
    size = blurred.shape[:2]
    response = transfer_function(psf, size).astype(dtype)
    roughness = _gradient_power(size).astype(dtype)
    data = fidelity * response * to_cosines(blurred)
    estimate, beta = blurred, FIRST_BETA
    while beta <= LAST_BETA:
        gradients = [shrink(g, beta, exponent) for g in _gradients(estimate)]
        numerator = data + beta * to_cosines(_adjoint(*gradients))
        # the normal equations of x, diagonal in the cosine basis
        estimate = from_cosines(numerator / (fidelity * response**2 + beta * roughness))
        beta *= BETA_FACTOR
    return estimate


def shrink(values, beta, exponent):
    """argmin over w of |w|^p + beta / 2 (w - v)^2, elementwise, in closed form.

    Zero up to a threshold; beyond it the larger positive root of the stationarity
    condition, a cubic in sqrt(w) for p = 1/2, a quartic in w^(1/3) for p = 2/3.

    Args:
        values: float array, v.
        beta: float > 0.
        exponent: 1/2 or 2/3.

    Returns:
        Array like `values`.

    Raises:
        ValueError: for another exponent.
    """
    roots = {0.5: _root_half, 2 / 3: _root_two_thirds}
    if exponent not in roots:
        raise ValueError(
            f"exponent must be 1/2 or 2/3. Received: exponent={exponent!r}"
        )
    magnitude = np.abs(values)
    # Where w = 0 costs as much as the root: v = (2 - p) (2 (1 - p) / beta)^(1/(2 - p))
    # / (2 (1 - p)).
    scale = 2.0 * (1.0 - exponent)
    threshold = (2.0 - exponent) / scale * (scale / beta) ** (1 / (2 - exponent))
    alive = magnitude > threshold
    shrunk = np.zeros_like(values)
    shrunk[alive] = np.copysign(roots[exponent](magnitude[alive], beta), values[alive])
    return shrunk


def _root_half(magnitude, beta):
    """Largest w with beta (w - v) + 1 / (2 sqrt w) = 0: Vieta's cosine."""
    angle = np.arccos(-(3.0**1.5) / (4.0 * beta * magnitude**1.5))
    return 4.0 / 3.0 * magnitude * np.cos(angle / 3.0) ** 2


def _root_two_thirds(magnitude, beta):
    """Largest w with beta (w - v) + 2/3 w^(-1/3) = 0: Ferrari's resolvent.

    With z = w^(1/3) the condition is z^4 - v z + c = 0, c = 2 / (3 beta); it factors
    into two quadratics z^2 -+ m z + ..., m^2 being the resolvent's real root.
    """
    c = 2.0 / (3.0 * beta)
    scaled = magnitude**2 / 2.0 * (3.0 / (4.0 * c)) ** 1.5
    squared = 4.0 * np.sqrt(c / 3.0) * np.cosh(np.arccosh(scaled) / 3.0)
    m = np.sqrt(squared)
    return ((m + np.sqrt(2.0 * magnitude / m - squared)) / 2.0) ** 3


def _gradients(images):
    """Forward differences down and to the right, zero at the last row and column."""
    down, right = np.zeros_like(images), np.zeros_like(images)
    np.subtract(images[1:], images[:-1], out=down[:-1])
    np.subtract(images[:, 1:], images[:, :-1], out=right[:, :-1])
    return down, right


def _adjoint(down, right):
    """The transpose of `_gradients`."""
    result = -down - right
    result[1:] += down[:-1]
    result[:, 1:] += right[:, :-1]
    return result


def _gradient_power(size):
    """Eigenvalues of D_h^T D_h + D_v^T D_v, (height, width, 1)."""
    rows, columns = (2.0 - 2.0 * np.cos(np.pi * np.arange(n) / n) for n in size)
    return (rows[:, None] + columns)[..., None]
