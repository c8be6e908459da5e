"""Defocus as a mixture of Gaussians whose weights are known, and its inversion.

The blur is linear in the weights and close to the identity, so the photograph can be
sharpened by putting back what a further blur would take away. GKMNet unrolls this
iteration and learns the weights; here they are given.
"""

import numpy as np
from scipy import ndimage

_BOUNDARIES = {"zero": "constant", "periodic": "wrap", "replicate": "nearest"}


def blur_by_mixture(image, weights, taps, boundary="zero"):
    """Blurs every pixel by its own mixture of separable kernels [GKMNet Eq. 3].

        y = sum_m beta_m . (g_m * x)

    Args:
        image: (height, width, channels) float.
        weights: (height, width, kernels) float, beta; sum 1 keeps the brightness.
        taps: (kernels, size) float, one-dimensional and symmetric, as of
            `tf_defocus.ops.gaussian.gaussian_bank`.
        boundary: "zero", "periodic" or "replicate", what lies outside the image.

    Returns:
        (height, width, channels) float64.

    Raises:
        ValueError: if the shapes do not fit together or the boundary is unknown.
    """
    image, weights = np.asarray(image, np.float64), np.asarray(weights, np.float64)
    if weights.shape != (*image.shape[:2], len(taps)) or image.ndim != 3:
        raise ValueError(
            "Expected an image (height, width, channels) and weights (height, width, "
            f"{len(taps)}), one per kernel. Received: {image.shape}, {weights.shape}"
        )
    if boundary not in _BOUNDARIES:
        raise ValueError(
            f"Expected a boundary of {sorted(_BOUNDARIES)}. Received: {boundary!r}"
        )
    blurred = np.zeros_like(image)
    for m, row in enumerate(np.asarray(taps, np.float64)):
        filtered = image
        for axis in (0, 1):
            filtered = ndimage.correlate1d(
                filtered, row, axis, mode=_BOUNDARIES[boundary]
            )
        blurred += weights[:, :, m, None] * filtered
    return blurred


def deblur_fixed_point(
    blurred: np.ndarray,
    weights: np.ndarray,
    taps: np.ndarray,
    num_iterations: int,
    boundary: str = "zero",
) -> np.ndarray:
    """Inverts `blur_by_mixture` by a fixed-point iteration [GKMNet Eq. 6].

        x_0 = y;  x_t = y + x_{t-1} - sum_m beta_m . (g_m * x_{t-1})

    For one kernel of transfer function G everywhere, X_t = (1 - (1 - G)^(t+1)) / G Y:
    it converges wherever |1 - G| < 1, the faster the weaker the blur, and noise grows
    with it, so that the number of iterations regularises.

    Args:
        blurred: (height, width, channels) float, y.
        weights, taps, boundary: as of `blur_by_mixture`.
        num_iterations: int, 0 returns `blurred`.

    Returns:
        (height, width, channels) float64, not clipped.

    Raises:
        ValueError: as `blur_by_mixture`, or if `num_iterations` is negative.
    """
    if num_iterations < 0:
        raise ValueError(
            f"Expected num_iterations >= 0. Received: num_iterations={num_iterations}"
        )
    blurred = np.asarray(blurred, np.float64)
    estimate = blurred
    for _ in range(num_iterations):
        reblurred = blur_by_mixture(estimate, weights, taps, boundary)
        estimate = blurred + estimate - reblurred  # [GKMNet Eq. 6]
    return estimate
