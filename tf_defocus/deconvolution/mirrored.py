"""Blur with mirror boundaries: a product in the cosine transform.

An image continued by its mirror image, blurred by a kernel symmetric in both axes, has
the DCT-II as eigenbasis. So the classical solvers need transforms of the image's own
size, treat its borders without a seam, and take real spectra.
"""

import numpy as np
from scipy import fft

AXES = (0, 1)
_EXTENT = 4.0  # where a Gaussian kernel ends, in sigmas


def gaussian_psf(sigma):
    """Sampled Gaussian of sum 1, cut at four sigma.

    Args:
        sigma: float [px] >= 0; 0 is the 1x1 identity.

    Returns:
        (side, side) float64, side odd.
    """
    reach = int(np.ceil(_EXTENT * sigma))
    taps = np.arange(-reach, reach + 1) / max(sigma, 1e-6)
    profile = np.exp(-0.5 * taps**2)
    kernel = np.outer(profile, profile)
    return kernel / kernel.sum()


def transfer_function(psf, size):
    """What a blur multiplies every cosine coefficient with.

    Args:
        psf: (odd, odd) float, symmetric in both axes, of sum 1.
        size: (height, width) of the image [px].

    Returns:
        (height, width, 1) float64.

    Raises:
        ValueError: if the kernel is not symmetric or has an even side.
    """
    psf = np.asarray(psf, np.float64)
    even = any(side % 2 == 0 for side in psf.shape)
    if even or not (np.allclose(psf, psf[::-1]) and np.allclose(psf, psf[:, ::-1])):
        raise ValueError(
            "psf must have odd sides and be symmetric in both axes. Received: "
            f"shape {psf.shape}"
        )
    rows, columns = (_cosines(n, taps) for n, taps in zip(size, psf.shape))
    return (rows @ psf @ columns.T)[..., None]


def blur(images, psf):
    """Convolves with a symmetric kernel, mirror images outside the borders.

    Args:
        images: (height, width, channels) float.
        psf: as in `transfer_function`.

    Returns:
        (height, width, channels), the dtype of `images`.
    """
    response = transfer_function(psf, images.shape[:2]).astype(images.dtype)
    return from_cosines(response * to_cosines(images))


def to_cosines(images):
    """Orthonormal DCT-II of every channel, (height, width, channels)."""
    return fft.dctn(images, axes=AXES, norm="ortho", workers=-1)


def from_cosines(coefficients):
    """The inverse of `to_cosines`."""
    return fft.idctn(coefficients, axes=AXES, norm="ortho", workers=-1)


def _cosines(length, taps):
    """cos(pi k t / length) for every frequency k and every tap t about the centre."""
    offsets = np.arange(taps) - taps // 2
    return np.cos(np.pi / length * np.outer(np.arange(length), offsets))
