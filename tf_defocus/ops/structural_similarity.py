"""Structural similarity of batches of images, differentiable.

The one definition behind the SSIM loss and the SSIM of training logs. Published scores
are made by the float64 functions in `metrics.py`, which agree with this one.

Reference:
    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility
    to structural similarity", IEEE TIP 2004, Eq. 13.
"""

import numpy as np
from keras import ops

from tf_defocus.ops.tensor import Tensor

K1, K2 = 0.01, 0.03
GAUSSIAN_SIZE, GAUSSIAN_SIGMA = 11, 1.5  # [px]
UNIFORM_SIZE = 7  # [px]


def gaussian_window() -> np.ndarray:
    """The 11-tap window of standard deviation 1.5 px: (11,) float64, sum 1."""
    distance = np.arange(GAUSSIAN_SIZE) - GAUSSIAN_SIZE // 2
    window = np.exp(-(distance**2) / (2 * GAUSSIAN_SIGMA**2))
    return window / window.sum()


def structural_similarity(
    image: Tensor, other: Tensor, window: str = "gaussian"
) -> Tensor:
    """Mean structural similarity of each pair of images [SSIM Eq. 13].

        ssim = (2 m1 m2 + c1) (2 s12 + c2) / ((m1^2 + m2^2 + c1) (s1^2 + s2^2 + c2))

    Local means m, variances s^2 and the covariance s12 are taken per channel in windows
    that lie wholly inside the image; the map is averaged over pixels and channels.

    Args:
        image, other: (batch, height, width, channels) float in [0, 1], at least as
            large as the window.
        window: `"gaussian"`, 11x11 of sigma 1.5 px with weighted moments, or
            `"uniform"`, 7x7 with sample covariance (n - 1).

    Returns:
        (batch,), at most 1.

    Raises:
        ValueError: if `window` is neither.
    """
    if window == "gaussian":
        taps, correction = gaussian_window(), 1.0
    elif window == "uniform":
        taps = np.full(UNIFORM_SIZE, 1 / UNIFORM_SIZE)
        correction = UNIFORM_SIZE**2 / (UNIFORM_SIZE**2 - 1)
    else:
        raise ValueError(
            f"`window` must be 'gaussian' or 'uniform'. Received: window={window!r}"
        )
    mean, mean_other = _local_mean(image, taps), _local_mean(other, taps)
    variance = _local_mean(image * image, taps) - mean * mean
    variance_other = _local_mean(other * other, taps) - mean_other * mean_other
    covariance = _local_mean(image * other, taps) - mean * mean_other
    luminance = (2 * mean * mean_other + K1**2) / (mean**2 + mean_other**2 + K1**2)
    contrast = (2 * correction * covariance + K2**2) / (
        correction * (variance + variance_other) + K2**2
    )
    return ops.mean(luminance * contrast, axis=(1, 2, 3))


def _local_mean(image, taps):
    """Separable weighted mean over the windows that lie inside the image."""
    channels = image.shape[-1]
    for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
        kernel = np.tile(taps.reshape(shape), (1, 1, channels, 1))
        kernel = ops.convert_to_tensor(kernel, dtype=image.dtype)
        image = ops.depthwise_conv(image, kernel, padding="valid")
    return image
