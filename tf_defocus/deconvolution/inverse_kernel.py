"""Inverse kernels and their scales: why one shared kernel undoes blurs of many sizes.

Son et al., "Single Image Defocus Deblurring Using Kernel-Sharing Parallel Atrous
Convolutions", ICCV 2021, Eqs. 3-5 and 8-16. Idea: when a blur keeps its shape and only
grows, its inverse kernel keeps its shape and grows alike, so that

    inverse(upsample(psf, s)) = upsample(inverse(psf), s),

a dilated convolution is such an upsampling, and sizes in between are weighed sums of a
few dilations. `layers.kpac` learns these kernels; here they are computed.
"""

import numpy as np
from scipy import fft, optimize, signal

_LANCZOS_LOBES = 3


def wiener_inverse_kernel(
    psf: np.ndarray, noise_to_signal: float, side: int
) -> np.ndarray:
    """Spatial kernel of the Wiener filter of a point-spread function.

        inverse = F^-1( conj(F(psf)) / (|F(psf)|^2 + noise_to_signal) )

    It is computed on a grid at least four times as wide as itself, so that what wraps
    around is far from what is kept.

    Args:
        psf: (height, width) float of odd sides, centred.
        noise_to_signal: float > 0, variance of the noise over that of the image.
        side: int, odd, of the kernel kept; what lies outside is cut off.

    Returns:
        (side, side) float64; its full sum is about 1 / (1 + noise_to_signal).

    Raises:
        ValueError: if a side is even or `noise_to_signal` is not positive.
    """
    _check_odd(np.shape(psf), "psf")
    _check_odd((side, side), "inverse kernel")
    if noise_to_signal <= 0:
        raise ValueError(f"Expected noise_to_signal > 0. Received: {noise_to_signal}")
    size = fft.next_fast_len(4 * max(side, *np.shape(psf)), real=True)
    grid = np.zeros((size, size))
    grid[: psf.shape[0], : psf.shape[1]] = psf
    grid = np.roll(grid, (-(psf.shape[0] // 2), -(psf.shape[1] // 2)), axis=(0, 1))
    spectrum = fft.rfft2(grid)
    inverse = np.conj(spectrum) / (np.abs(spectrum) ** 2 + noise_to_signal)
    centred = np.roll(fft.irfft2(inverse, grid.shape), (side // 2,) * 2, axis=(0, 1))
    return centred[:side, :side].copy()


def apply_kernel(image, kernel):
    """Convolve an image with a kernel, mirrored at the border.

    Args:
        image: (height, width) or (height, width, channels) float, sides larger than
            half the kernel's.
        kernel: (side, side) float of odd side.

    Returns:
        float64 array of the shape of `image`.

    Raises:
        ValueError: if a side of the kernel is even.
    """
    _check_odd(kernel.shape, "kernel")
    reach = [(side // 2, side // 2) for side in kernel.shape]
    planes = np.reshape(image, (*np.shape(image)[:2], -1))
    padded = np.pad(planes, [*reach, (0, 0)], mode="symmetric")
    blurred = signal.fftconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1))
    return blurred.reshape(np.shape(image))


def upsample_kernel(kernel, scale, method="sinc", side=None):
    """Enlarge a kernel about its centre and keep its sum.

        sinc      the band-limited interpolation, kernel(x / scale) / scale^2
        lanczos   the same with a window of three lobes, nothing beyond
        dilation  zeros in between, what an atrous convolution does

    Sinc and dilation commute with the Wiener inverse exactly: both make the spectrum
    narrower, the one leaves nothing beyond it and the other repeats it.

    Args:
        kernel: (height, width) float of odd sides, centred.
        scale: float >= 1; for dilation an integer.
        method: "sinc", "lanczos" or "dilation".
        side: int, odd, of the square result; by default each side spans what the kernel
            did, and the interpolation's ripples beyond are cut off.

    Returns:
        float64 array of odd sides.

    Raises:
        ValueError: for an unknown method, an even side, or a scale that is below one
            or, for dilation, no integer.
    """
    kernel = np.asarray(kernel, np.float64)
    _check_odd(kernel.shape, "kernel")
    if scale < 1:
        raise ValueError(f"Expected scale >= 1. Received: {scale}")
    sides = [2 * int(np.ceil(scale * (length // 2))) + 1 for length in kernel.shape]
    if side is not None:
        _check_odd((side, side), "result")
        sides = [side, side]
    rows, columns = (
        _interpolation_matrix(length, scale, method, target)
        for length, target in zip(kernel.shape, sides)
    )
    return rows @ kernel @ columns.T


def blend_weights(target, kernels, nonnegative=True):
    """Weights of the sum of `kernels` that is nearest to `target` [KPAC Eq. 5].

    An inverse kernel of a size in between is a weighed sum of those of a few sizes; the
    network's scale attention predicts such weights for each pixel.

    Args:
        target: (side, side) float.
        kernels: sequence of (side, side) float.
        nonnegative: bool, least squares over weights >= 0, else over all.

    Returns:
        (len(kernels),) float64.

    Raises:
        ValueError: if shapes differ.
    """
    if any(np.shape(kernel) != np.shape(target) for kernel in kernels):
        raise ValueError(
            f"Expected kernels of shape {np.shape(target)}. "
            f"Received: {[np.shape(kernel) for kernel in kernels]}"
        )
    columns = np.stack([np.ravel(kernel) for kernel in kernels], axis=1)
    if nonnegative:
        return optimize.nnls(columns, np.ravel(target))[0]
    return np.linalg.lstsq(columns, np.ravel(target), rcond=None)[0]


def blend_kernels(kernels, weights):
    """Weighed sum of kernels of equal shape, sum_i weight_i kernel_i [KPAC Eq. 5]."""
    return np.tensordot(weights, np.stack(kernels), axes=1)


def _check_odd(sides, name):
    if any(side % 2 == 0 for side in sides):
        raise ValueError(f"Expected odd sides of the {name}. Received: {tuple(sides)}")


def _interpolation_matrix(length, scale, method, target):
    """(target, length) weights of one axis; each column's sum is one but for tails."""
    taps = np.arange(length) - length // 2
    pixels = np.arange(target) - target // 2
    if method == "dilation":
        if scale != int(scale):
            raise ValueError(f"Expected an integer to dilate by. Received: {scale}")
        return (pixels[:, None] == taps[None, :] * int(scale)).astype(np.float64)
    offset = pixels[:, None] / scale - taps[None, :]
    if method == "sinc":
        return np.sinc(offset) / scale
    if method == "lanczos":
        # The window alone would lose 0.3 % of the sum.
        fraction = pixels[:, None] / scale % 1.0
        neighbours = np.arange(1 - _LANCZOS_LOBES, _LANCZOS_LOBES + 1)
        gain = _lanczos(fraction - neighbours).sum(axis=1, keepdims=True)
        return _lanczos(offset) / (gain * scale)
    raise ValueError(
        f"Expected method 'sinc', 'lanczos' or 'dilation'. Received: {method!r}"
    )


def _lanczos(offset):
    inside = np.abs(offset) < _LANCZOS_LOBES
    return np.sinc(offset) * np.sinc(offset / _LANCZOS_LOBES) * inside
