"""A blur that varies over the image, undone as a blend of a few uniform ones.

Deconvolution of the whole image is linear algebra in a transform only where the blur is
uniform. So it runs once for each of a few blur sizes, and every pixel interpolates
between the two that enclose its own, as [KPAC Eq. 5] does with inverse kernels.
"""

from collections.abc import Callable

import numpy as np

SMALLEST_SIGMA = 0.5  # [px]; less is within a pixel and left alone
_STEP = 1.4  # ratio of neighbouring levels
_MARGIN = 8  # context around a region, in sigmas


def sigma_levels(largest):
    """Blur sizes that cover 0 to `largest` [px]; (0.0, 0.5, ..., >= largest).

    Args:
        largest: float [px] >= 0.

    Returns:
        Tuple of increasing floats, from 0.5 on each 1.4 times the one before.
    """
    levels = [0.0]
    if largest > 0:
        levels.append(SMALLEST_SIGMA)
    while levels[-1] < largest:
        levels.append(levels[-1] * _STEP)
    return tuple(levels)


def blend_weights(defocus_map, levels):
    """Linear interpolation between neighbouring levels, as weights.

    Args:
        defocus_map: (height, width) float, sigma [px] in [levels[0], levels[-1]].
        levels: increasing floats [px].

    Yields:
        One (height, width) float32 array in [0, 1] per level; they sum to one.
    """
    for index in range(len(levels)):
        corners = levels[max(index - 1, 0) : index + 2]
        heights = [float(level == levels[index]) for level in corners]
        yield np.interp(defocus_map, corners, heights).astype(np.float32)


def deconvolve_varying(
    blurred: np.ndarray, defocus_map: np.ndarray, deconvolve: Callable
) -> np.ndarray:
    """Blends uniform deconvolutions by a defocus map.

    A level runs on the rectangle that holds its pixels and a margin of eight sigmas.

    Args:
        blurred: (height, width, channels) float32 in [0, 1].
        defocus_map: (height, width) float, sigma of the blur [px] >= 0.
        deconvolve: function (image part, sigma [px]) -> deconvolved part.

    Returns:
        (height, width, channels) float32, not clipped; pixels of sigma 0 unchanged.
    """
    levels = sigma_levels(float(defocus_map.max()))
    result = np.zeros_like(blurred)
    for sigma, weights in zip(levels, blend_weights(defocus_map, levels)):
        if not weights.any():
            continue
        part = _region(weights, int(np.ceil(_MARGIN * sigma)))
        restored = deconvolve(blurred[part], sigma) if sigma > 0 else blurred[part]
        result[part] += weights[part][..., None] * restored
    return result


def _region(weights, margin):
    """Slices of the rectangle around the non-zero weights and a margin [px]."""
    slices = []
    for axis in (1, 0):
        places = np.flatnonzero(weights.any(axis=axis))
        slices.append(slice(max(places[0] - margin, 0), places[-1] + margin + 1))
    return tuple(slices)
