"""Image quality: exact functions for scores, and metrics for training logs.

The functions are float64 on NumPy images and define every published score; which of
them a paper used, and on what rounding and clipping, is for `protocols.py` to say. The
`keras.metrics.Metric` classes run inside a training loop on any backend, in float32.
"""

import cv2
import keras
import numpy as np
from keras import ops

from tf_defocus.ops.structural_similarity import (
    GAUSSIAN_SIZE,
    K1,
    K2,
    UNIFORM_SIZE,
    gaussian_window,
    structural_similarity,
)

LOGGED_PSNR_LIMIT = 100.0  # [dB], so that one perfect image leaves a mean finite


def mean_squared_error(image, other):
    """Mean of (image - other)^2 over all elements, in float64.

    Args:
        image, other: arrays of one shape.

    Returns:
        float, in squared units of the images.
    """
    difference = np.subtract(image, other, dtype="float64").ravel()
    return float(difference @ difference / difference.size)


def mean_absolute_error(image, other):
    """Mean of |image - other| over all elements, in float64.

    Args:
        image, other: arrays of one shape.

    Returns:
        float, in units of the images.
    """
    return float(np.mean(np.abs(np.subtract(image, other, dtype="float64"))))


def psnr(image, other, data_range=1.0):
    """Peak signal-to-noise ratio, 10 log10(data_range^2 / MSE).

    Args:
        image, other: arrays of one shape.
        data_range: float, distance of the largest from the smallest value.

    Returns:
        float [dB], infinite for equal images.
    """
    error = mean_squared_error(image, other)
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def rmse_rel(psnr):
    """Root-mean-square error relative to the data range [K3DN Tab. 1].

    K3DN prints 100 times this value, of the mean PSNR over a test set.

    Args:
        psnr: float [dB].

    Returns:
        float, 10^(-psnr / 20).
    """
    return float(10 ** (-psnr / 20))


def ssim_uniform(image, other, data_range=1.0):
    """Structural similarity in uniform 7x7 windows, as scikit-image's default.

    K1 = 0.01, K2 = 0.03, sample covariance (divided by 48), per channel, mean over the
    windows that lie wholly inside the image.

    Args:
        image, other: (height, width, channels) arrays, at least 7 px on both sides.
        data_range: float, distance of the largest from the smallest value.

    Returns:
        float, at most 1.
    """
    samples = UNIFORM_SIZE**2
    return _ssim(image, other, data_range, _uniform_mean, samples / (samples - 1))


def ssim_gaussian(image, other, data_range=1.0):
    """Structural similarity in 11x11 Gaussian windows of sigma 1.5 px.

    K1 = 0.01, K2 = 0.03, weighted moments, per channel, mean over the windows that lie
    wholly inside the image: the definition of Wang et al. without downsampling.

    Args:
        image, other: (height, width, channels) arrays, at least 11 px on both sides.
        data_range: float, distance of the largest from the smallest value.

    Returns:
        float, at most 1.
    """
    return _ssim(image, other, data_range, _gaussian_mean, 1.0)


def _ssim(image, other, data_range, local_mean, correction):
    """[SSIM Eq. 13] channel by channel, which keeps the temporary planes small."""
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    means = []
    for channel in range(image.shape[-1]):
        x = np.ascontiguousarray(image[..., channel], dtype="float64")
        y = np.ascontiguousarray(other[..., channel], dtype="float64")
        mean_x, mean_y = local_mean(x), local_mean(y)
        product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
        # The two variances appear only as their sum: one filtered map serves both.
        variances = correction * (local_mean(x * x + y * y) - squares)
        covariance = correction * (local_mean(x * y) - product)
        numerator = (2 * product + c1) * (2 * covariance + c2)
        means.append(np.mean(numerator / ((squares + c1) * (variances + c2))))
    return float(np.mean(means))


def _uniform_mean(plane):
    """Mean of each 7x7 window inside a float64 (height, width) plane."""
    margin = UNIFORM_SIZE // 2
    filtered = cv2.boxFilter(plane, cv2.CV_64F, (UNIFORM_SIZE, UNIFORM_SIZE))
    return filtered[margin:-margin, margin:-margin]


def _gaussian_mean(plane):
    """Gaussian mean of each 11x11 window inside a float64 (height, width) plane."""
    margin, taps = GAUSSIAN_SIZE // 2, gaussian_window()
    filtered = cv2.sepFilter2D(plane, cv2.CV_64F, taps, taps)
    return filtered[margin:-margin, margin:-margin]


@keras.saving.register_keras_serializable(package="tf_defocus")
class PSNR(keras.metrics.Mean):
    """Mean over images of the peak signal-to-noise ratio [dB], for training logs.

    Images are (batch, height, width, channels) float in [0, 1]; the prediction is
    clipped to that range. One image counts at most 100 dB.

    Args:
        name, dtype: as in `keras.metrics.Metric`.
    """

    def __init__(self, name="psnr", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "float32")
        y_pred = ops.clip(ops.cast(y_pred, "float32"), 0, 1)
        error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        floor = 10 ** (-LOGGED_PSNR_LIMIT / 10)
        decibels = -10 * ops.log10(ops.maximum(error, floor))
        return super().update_state(decibels, sample_weight)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="tf_defocus")
class SSIM(keras.metrics.Mean):
    """Mean over images of the structural similarity, for training logs.

    Images are (batch, height, width, channels) float in [0, 1]; the prediction is
    clipped to that range.

    Args:
        window: `"uniform"` (7x7) or `"gaussian"` (11x11, sigma 1.5 px).
        name, dtype: as in `keras.metrics.Metric`.
    """

    def __init__(self, window="uniform", name="ssim", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.window = window

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "float32")
        y_pred = ops.clip(ops.cast(y_pred, "float32"), 0, 1)
        similarity = structural_similarity(y_pred, y_true, self.window)
        return super().update_state(similarity, sample_weight)

    def get_config(self):
        return {"window": self.window, "name": self.name, "dtype": self.dtype}
