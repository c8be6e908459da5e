"""Edges of a grey image at a given scale, with thresholds that find themselves.

Canny's detector as MATLAB's `edge(image, "Canny", [], sigma)` has it, which published
estimators were tuned on: other implementations smooth, threshold and thin otherwise.
"""

import numpy as np
from scipy import ndimage
from skimage import morphology

_BINS = 64  # of the histogram of magnitudes
_NO_EDGES = 0.7  # share of the pixels that lie below the high threshold
_LOW = 0.4  # the low threshold, of the high one
_NEIGHBOURS = np.ones((3, 3), int)


def canny(image, sigma):
    """Edges, thinned once at the end, as MATLAB's older releases do.

    Args:
        image: (height, width) float.
        sigma: float [px], of the Gaussian that smooths first.

    Returns:
        (height, width) bool; the outermost pixels are never edges.

    Reference:
        Canny, "A Computational Approach to Edge Detection", PAMI 1986.
    """
    across, down = _gradients(image, sigma)
    magnitude = np.hypot(across, down)
    if magnitude.max() > 0:
        magnitude = magnitude / magnitude.max()
    high = _high_threshold(magnitude)
    weak = _local_maxima(across, down, magnitude) & (magnitude > _LOW * high)
    labels, _ = ndimage.label(weak, _NEIGHBOURS)
    strong = np.unique(labels[weak & (magnitude > high)])
    edges = weak & np.isin(labels, strong)
    return morphology.thin(edges, max_num_iter=1)


def _gradients(image, sigma):
    """Derivatives of the smoothed image, to the right and down."""
    reach = int(np.ceil(4 * sigma))
    taps = np.arange(-reach, reach + 1)
    smooth = np.exp(-(taps**2) / (2 * sigma**2))
    smooth /= smooth.sum()
    slope = np.gradient(smooth)
    slope[slope > 0] /= slope[slope > 0].sum()
    slope[slope < 0] /= np.abs(slope[slope < 0].sum())

    def filtered(along_rows, along_columns):
        half = ndimage.convolve1d(image, along_rows, axis=1, mode="nearest")
        return ndimage.convolve1d(half, along_columns, axis=0, mode="nearest")

    return filtered(slope, smooth), filtered(smooth, slope)


def _high_threshold(magnitude):
    bins = np.floor(magnitude * (_BINS - 1) + 0.5).astype(int)
    total = np.cumsum(np.bincount(bins.ravel(), minlength=_BINS))
    return (np.argmax(total > _NO_EDGES * magnitude.size) + 1) / _BINS


def _local_maxima(across, down, magnitude):
    """Where neither side along the gradient is higher, (height, width) bool.

    A side lies between two neighbours, of which it is the linear interpolation.
    """
    flat = np.abs(across) >= np.abs(down)  # the gradient is rather horizontal
    larger = np.where(flat, across, down)[1:-1, 1:-1]
    smaller = np.where(flat, down, across)[1:-1, 1:-1]
    share = np.abs(smaller / np.where(larger == 0, 1, larger))
    same_sign = (across * down > 0)[1:-1, 1:-1]
    flat, center = flat[1:-1, 1:-1], magnitude[1:-1, 1:-1]

    def neighbour(row, column):
        height, width = magnitude.shape
        rows = slice(1 + row, height - 1 + row)
        return magnitude[rows, 1 + column : width - 1 + column]

    kept = larger != 0
    for way in (1, -1):
        straight = np.where(flat, neighbour(0, way), neighbour(way, 0))
        # Of the two diagonals on this side, the one towards the gradient.
        falling, rising = neighbour(way, way), neighbour(-way, way)
        rising = np.where(flat, rising, neighbour(way, -way))
        diagonal = np.where(same_sign, falling, rising)
        kept &= center >= straight * (1 - share) + diagonal * share
    result = np.zeros(magnitude.shape, bool)
    result[1:-1, 1:-1] = kept
    return result
