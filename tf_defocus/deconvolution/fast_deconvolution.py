"""Deconvolution as the programs behind the papers' tables do it: periodic and tapered.

Krishnan and Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NIPS 2009,
their MATLAB code with the exponent 1.5. `hyper_laplacian` solves the paper's exponents
in closed form and mirrors the borders; here the image repeats, so its borders are first
tapered into each other. Planes are (channels, height, width): transforms run fastest
along the last axes.
"""

import functools

import numpy as np
from scipy import fft

EXPONENT = 1.5  # of the gradients in the prior
BETAS = tuple(8 ** (n / 2) for n in range(6))  # 2 sqrt 2 apart, those below 256
NUM_NEWTON_STEPS = 4
NUM_TAPERS = 4
TABLE_END, TABLE_STEP = 10.0, 1e-4  # of the shrunk gradients
_CHUNK = 2**15  # values that stay in the cache between two steps


def deconvolve_padded(blurred, psf, fidelity):
    """Pads by half the kernel, tapers the borders, deconvolves, crops.

    Args:
        blurred: (height, width, channels) float32 in [0, 1].
        psf: (odd, odd) float, of sum 1.
        fidelity: float > 0, lambda; smaller for noisier images.

    Returns:
        (height, width, channels) float32, not clipped.
    """
    height, width = blurred.shape[:2]
    pads = [(0, 0)]
    for length, side in zip((height, width), psf.shape):
        # Up to a length that transforms fast: a few rows more of the same.
        full = fft.next_fast_len(length + side - 1, real=True)
        pads.append((side // 2, full - length - side // 2))
    planes = np.ascontiguousarray(np.moveaxis(blurred, -1, 0))
    planes = np.pad(planes, pads, mode="edge")
    for _ in range(NUM_TAPERS):
        planes = edge_taper(planes, psf)
    planes = fast_deconvolution(planes, psf, fidelity)
    rows, columns = (before for before, _ in pads[1:])
    planes = planes[:, rows : rows + height, columns : columns + width]
    return np.moveaxis(planes, 0, -1)


def edge_taper(planes, psf):
    """Blends an image into its blurred self towards the borders.

    The weight of the blurred one is, along each axis, the periodic autocorrelation of
    the projected kernel: one at the border, zero a kernel's side away from it.

    Args:
        planes: (channels, height, width) float.
        psf: (height, width) float, of sum 1, not larger than the image.

    Returns:
        The shape and dtype of `planes`, each plane within its range.
    """
    if psf.size == 1:
        return planes
    shape = planes.shape[1:]
    rows, columns = (
        1 - _border_share(psf.sum(axis=1 - axis), shape[axis]) for axis in (0, 1)
    )
    keep = np.outer(rows, columns).astype(planes.dtype)
    blurred = _inverse(_forward(planes) * _response(psf, planes), shape)
    low, high = (f(planes, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return np.clip(blurred + keep * (planes - blurred), low, high)


def fast_deconvolution(planes, psf, fidelity):
    """Minimises the likelihood plus the 1.5-th power of the gradients, periodically.

        sum  fidelity / 2 (K x - y)^2 + |D_h x|^1.5 + |D_v x|^1.5

    by half-quadratic splitting, once at each of six betas, as `hyper_laplacian`.

    Args:
        planes: (channels, height, width) float, y.
        psf: (odd, odd) float, of sum 1, not larger than the image.
        fidelity: float > 0, lambda.

    Returns:
        (channels, height, width), dtype of `planes`; not clipped.
    """
    shape = planes.shape[1:]
    response = _response(psf, planes)
    power = np.abs(response) ** 2
    data = np.conj(response) * _forward(planes)
    roughness = _gradient_power(shape, planes.dtype)
    estimate = planes
    for beta in BETAS:
        divergence = np.zeros_like(estimate)
        for axis in (1, 2):
            gradient = np.roll(estimate, -1, axis) - estimate
            shrunk = shrink(gradient, beta)
            divergence += np.roll(shrunk, 1, axis) - shrunk
        share = beta / fidelity
        numerator = data + share * _forward(divergence)
        estimate = _inverse(numerator / (power + share * roughness), shape)
    return estimate


def shrink(values, beta):
    """`newton_shrink` by a table of it, linear in between, as in the authors' code.

    Args:
        values: float array within [-10, 10], v.
        beta: float > 0.

    Returns:
        Array like `values`.
    """
    table, slopes = _table(beta)
    result = np.empty(values.shape, values.dtype)
    pairs = [array.reshape(-1) for array in (result, values)]
    for start in range(0, values.size, _CHUNK):
        out, part = (array[start : start + _CHUNK] for array in pairs)
        np.multiply(np.abs(part), 1 / TABLE_STEP, out=out)
        index = out.astype(np.int32)
        out -= index
        out *= np.take(slopes, index, mode="clip")
        out += np.take(table, index, mode="clip")
        np.copysign(out, part, out=out)
    return result


def newton_shrink(values, beta):
    """Near argmin over w of |w|^1.5 + beta / 2 (w - v)^2, by Newton's steps from v.

    Four steps of the authors' code do not always arrive: where the last one is no
    better than zero, it is zero.

    Args:
        values: float array, v.
        beta: float > 0.

    Returns:
        Array like `values`.
    """
    w = values
    with np.errstate(divide="ignore"):
        for _ in range(NUM_NEWTON_STEPS):
            root = np.sqrt(np.abs(w))
            slope = EXPONENT * np.copysign(root, w) + beta * (w - values)
            w = w - slope / (EXPONENT / 2 / root + beta)
    cost = np.abs(w) ** EXPONENT + beta / 2 * (w - values) ** 2
    return np.where(cost < beta / 2 * values**2, w, 0)


def truncated_gaussian(sigma, side=101):
    """A sampled Gaussian without what is below the double precision of its peak.

    Args:
        sigma: float [px] >= 0.
        side: int, odd, the largest side.

    Returns:
        (odd, odd) float64 of sum 1, cropped to what is positive; 1x1 where all around
        the centre vanishes.
    """
    taps = np.arange(side) - side // 2
    squares = taps[:, None] ** 2 + taps**2
    kernel = np.exp(-squares / (2 * max(sigma, 1e-6) ** 2))
    kernel[kernel < np.finfo(np.float64).eps] = 0
    reach = int(np.abs(taps[kernel[side // 2] > 0]).max())
    inside = slice(side // 2 - reach, side // 2 + reach + 1)
    kernel = kernel[inside, inside]
    return kernel / kernel.sum()


@functools.lru_cache(maxsize=len(BETAS))
def _table(beta):
    values = np.arange(round(TABLE_END / TABLE_STEP) + 1) * TABLE_STEP
    table = newton_shrink(values, beta).astype(np.float32)
    return table, np.diff(table, append=table[-1:])


def _border_share(profile, length):
    spectrum = fft.rfft(profile, length - 1)
    correlation = fft.irfft(np.abs(spectrum) ** 2, length - 1)
    return np.append(correlation, correlation[0]) / correlation.max()


def _response(psf, planes):
    """Transfer function of a kernel centred on the first pixel."""
    spread = np.zeros(planes.shape[1:], planes.dtype)
    spread[: psf.shape[0], : psf.shape[1]] = psf
    return _forward(np.roll(spread, [-(side // 2) for side in psf.shape], (0, 1)))


def _gradient_power(shape, dtype):
    height, width = shape
    down = 2 - 2 * np.cos(2 * np.pi * fft.fftfreq(height))
    right = 2 - 2 * np.cos(2 * np.pi * fft.rfftfreq(width))
    return (down[:, None] + right).astype(dtype)


def _forward(planes):
    return fft.rfft2(planes, workers=-1)


def _inverse(spectrum, shape):
    return fft.irfft2(spectrum, shape, workers=-1)
