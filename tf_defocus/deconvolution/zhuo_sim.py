"""How blurred every pixel is, from the sharpness of the photograph's edges.

Zhuo and Sim, "Defocus Map Estimation from a Single Image", Pattern Recognition 2011:
a blur of known size is added; how much weaker it makes an edge's gradient tells the
edge's own blur, whatever its contrast.
"""

import cv2
import numpy as np
from scipy import ndimage
from skimage import feature

from tf_defocus.deconvolution.propagation import (
    guided_filter,
    propagate_by_guided_filter,
    propagate_by_matting,
)

PROPAGATIONS = {
    "matting": propagate_by_matting,
    "guided_filter": propagate_by_guided_filter,
}
_DERIVATIVE_SIGMA = 0.7  # [px]; the gradients' own smoothing, taken off the result
_REBLUR_SIGMA = 1.5  # [px], sigma_0; small against edges' distances
_WEAKEST_EDGE = 0.01  # gradient per px below which an edge is noise
_WORKING_PIXELS = 20_000  # the map is smooth but for edges, which the last step finds
_REFINING_RADIUS = 4  # [px of the working size], of the filter that finds them
_REFINING_EPSILON = 1e-3


def sparse_defocus(image, largest=8.0):
    """Blur of step edges by the ratio of gradients before and after re-blurring.

        R = |grad g| / |grad (g * G_s0)|,   sigma^2 = s0^2 / (R^2 - 1)

    where g is the image smoothed by the derivative filter, whose variance is
    subtracted.

    Args:
        image: (height, width, 3) float in [0, 1].
        largest: float [px], edges blurrier than this are counted as this.

    Returns:
        sigma (height, width) float64 [px], valid where `known` (height, width) bool.
    """
    grey = image.mean(axis=-1, dtype=np.float64)
    combined = float(np.hypot(_DERIVATIVE_SIGMA, _REBLUR_SIGMA))
    before = ndimage.gaussian_gradient_magnitude(grey, _DERIVATIVE_SIGMA)
    after = ndimage.gaussian_gradient_magnitude(grey, combined)
    edges = feature.canny(grey, sigma=1.0, low_threshold=0.02, high_threshold=0.06)
    # An edge that does not weaken is no step: a thin line's flank, or noise.
    excess = (before / np.maximum(after, 1e-9)) ** 2 - 1.0
    known = edges & (after > _WEAKEST_EDGE) & (excess > 0)
    variance = _REBLUR_SIGMA**2 / np.where(known, excess, 1.0) - _DERIVATIVE_SIGMA**2
    sigma = np.sqrt(np.clip(variance, 0.0, largest**2))
    return np.where(known, sigma, 0.0), known


def estimate_defocus_map(
    image: np.ndarray, propagation: str = "matting", largest: float = 8.0
) -> np.ndarray:
    """Dense defocus map of a photograph.

    Args:
        image: (height, width, 3) float in [0, 1].
        propagation: "matting" (matting Laplacian) or "guided_filter".
        largest: float [px], upper bound of the map.

    Returns:
        (height, width) float32, sigma of the blur [px] in [0, largest]; all zero where
        no edge is found, for then nothing says the image is blurred.

    Raises:
        ValueError: if the propagation is unknown.
    """
    if propagation not in PROPAGATIONS:
        raise ValueError(
            f"propagation must be one of {sorted(PROPAGATIONS)}. Received: "
            f"propagation={propagation!r}"
        )
    sigma, known = sparse_defocus(image, largest)
    height, width = known.shape
    if not known.any() or min(height, width) < 3:
        return np.zeros((height, width), np.float32)
    factor = min(1.0, float(np.sqrt(_WORKING_PIXELS / (height * width))))
    size = (max(3, round(width * factor)), max(3, round(height * factor)))
    guide = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = PROPAGATIONS[propagation](*_shrink(sigma, known, size), guide)
    small = small.astype(np.float32)
    dense = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    radius = int(np.ceil(_REFINING_RADIUS / factor))
    dense = guided_filter(image.mean(axis=-1), dense, radius, _REFINING_EPSILON)
    return np.clip(dense, 0.0, largest).astype(np.float32)


def _shrink(sigma, known, size):
    """Means of the known values that fall into each smaller pixel."""
    height, width = known.shape
    rows, columns = np.nonzero(known)
    cells = (rows * size[1] // height) * size[0] + columns * size[0] // width
    count = np.bincount(cells, minlength=size[0] * size[1])
    total = np.bincount(cells, sigma[known], minlength=size[0] * size[1])
    shape = (size[1], size[0])
    return (total / np.maximum(count, 1)).reshape(shape), (count > 0).reshape(shape)
