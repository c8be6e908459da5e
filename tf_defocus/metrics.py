"""Image quality: exact functions for scores, and metrics for training logs.

The functions are float64 on NumPy images and define every published score; which of
them a paper used, and on what rounding and clipping, is for `protocols.py` to say. The
`keras.metrics.Metric` classes run inside a training loop on any backend, in float32.
"""

from typing import Any

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
from tf_defocus.ops.tensor import Tensor

COC_THRESHOLD = 1.0  # [px], mean circle of confusion from which an image is blurred
LOGGED_PSNR_LIMIT = 100.0  # [dB], so that one perfect image leaves a mean finite
SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "float64") / 8  # of unit slope


def mean_squared_error(image: np.ndarray, other: np.ndarray) -> float:
    """Mean of (image - other)^2 over all elements, in float64.

    Args:
        image, other: arrays of one shape.

    Returns:
        float, in squared units of the images.
    """
    difference = np.subtract(image, other, dtype="float64").ravel()
    return float(difference @ difference / difference.size)


def mean_absolute_error(image: np.ndarray, other: np.ndarray) -> float:
    """Mean of |image - other| over all elements, in float64.

    Args:
        image, other: arrays of one shape.

    Returns:
        float, in units of the images.
    """
    return float(np.mean(np.abs(np.subtract(image, other, dtype="float64"))))


def psnr(image: np.ndarray, other: np.ndarray, data_range: float = 1.0) -> float:
    """Peak signal-to-noise ratio, 10 log10(data_range^2 / MSE).

    Args:
        image, other: arrays of one shape.
        data_range: float, distance of the largest from the smallest value.

    Returns:
        float [dB], infinite for equal images.
    """
    error = mean_squared_error(image, other)
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def rmse_rel(psnr: float) -> float:
    """Root-mean-square error relative to the data range [K3DN Tab. 1].

    K3DN prints 100 times this value, of the mean PSNR over a test set.

    Args:
        psnr: float [dB].

    Returns:
        float, 10^(-psnr / 20).
    """
    return float(10 ** (-psnr / 20))


def ssim_uniform(
    image: np.ndarray, other: np.ndarray, data_range: float = 1.0
) -> float:
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


def ssim_gaussian(
    image: np.ndarray, other: np.ndarray, data_range: float = 1.0
) -> float:
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


def ssim_luma(image: np.ndarray, other: np.ndarray) -> float:
    """`ssim_gaussian` of the luma (BT.601) of two images.

    Args:
        image, other: (height, width, 3) in [0, 1], at least 11 px on both sides.

    Returns:
        float, at most 1.
    """
    return ssim_gaussian(_luma(image)[..., None], _luma(other)[..., None])


def ssim_reduced(image: np.ndarray, other: np.ndarray) -> float:
    """`ssim_luma` of images reduced as the program of its authors suggests.

    Means over squares of round(short side / 256) px, from the image mirrored around, at
    every so many pixels: 1 up to 383 px, 4 for 1680x1120.

    Args:
        image, other: (height, width, 3) in [0, 1], at least 11 px on both sides.

    Returns:
        float, at most 1.

    Reference:
        Wang, Bovik, Sheikh, Simoncelli, `ssim.m`, version of 2012.
    """
    lumas = []
    for luma in map(_luma, (image, other)):
        step = max(1, round(min(luma.shape) / 256))
        anchor = ((step - 1) // 2,) * 2
        mean = cv2.boxFilter(
            luma, cv2.CV_64F, (step, step), anchor=anchor, borderType=cv2.BORDER_REFLECT
        )
        lumas.append(mean[::step, ::step, None])
    return ssim_gaussian(*lumas)


def ssim_volume(image: np.ndarray, other: np.ndarray, data_range: float = 1.0) -> float:
    """Structural similarity of colour images taken for volumes, as MATLAB's `ssim`.

    The 11-tap Gaussian of sigma 1.5 runs over the three colours as well, values at the
    border are repeated, and the mean is over all pixels.

    Args:
        image, other: (height, width, 3), at least 11 px on both sides.
        data_range: float, distance of the largest from the smallest value.

    Returns:
        float, at most 1.
    """
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    x, y = (np.ascontiguousarray(i, dtype="float64") for i in (image, other))
    mean_x, mean_y = _volume_mean(x), _volume_mean(y)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    variances = _volume_mean(x * x + y * y) - squares
    covariance = _volume_mean(x * y) - product
    numerator = (2 * product + c1) * (2 * covariance + c2)
    return float(np.mean(numerator / ((squares + c1) * (variances + c2))))


def _volume_mean(volume):
    """Gaussian mean over rows, columns and colours, borders repeated."""
    taps, radius = gaussian_window(), GAUSSIAN_SIZE // 2
    planes = cv2.sepFilter2D(
        volume, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REPLICATE
    )
    colours = np.arange(3)
    mixing = np.zeros((3, 3))  # of colours
    for offset, tap in zip(range(-radius, radius + 1), taps):
        mixing[np.clip(colours + offset, 0, 2), colours] += tap
    return planes @ mixing


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


def variance_of_laplacian(image: np.ndarray) -> float:
    """Sharpness without a reference: variance of the four-neighbour Laplacian.

    For sets that have no sharp image. It grows with noise and contrast as well: compare
    restorations of one photograph only, and look at them.

    Args:
        image: (height, width, 3) float in [0, 1], at least 3 px on both sides.

    Returns:
        float >= 0, over the pixels that have four neighbours, of the luma.

    Reference:
        Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    luma = _luma(image)
    center = luma[1:-1, 1:-1]
    vertical = luma[:-2, 1:-1] + luma[2:, 1:-1]
    horizontal = luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(np.var(vertical + horizontal - 4 * center))


def tenengrad(image: np.ndarray) -> float:
    """Sharpness without a reference: mean squared Sobel gradient.

    Less swayed by noise than `variance_of_laplacian`, with the same reservation.

    Args:
        image: (height, width, 3) float in [0, 1], at least 3 px on both sides.

    Returns:
        float >= 0, in squared units per pixel, over the pixels with eight neighbours,
        of the luma.

    Reference:
        Krotkov, "Focusing", International Journal of Computer Vision, 1988.
    """
    luma = _luma(image)
    gradients = (
        cv2.filter2D(luma, cv2.CV_64F, kernel)[1:-1, 1:-1]
        for kernel in (SOBEL_X, SOBEL_X.T)
    )
    return float(sum(np.mean(gradient**2) for gradient in gradients))


def _luma(image):
    """Y of BT.601 in float64; refuses what is no picture in [0, 1]."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or min(image.shape[:2]) < 3:
        raise ValueError(
            "`image` must be (height, width, 3), at least 3 px on both sides. "
            f"Received: shape {image.shape}"
        )
    if image.dtype.kind != "f" or not np.isfinite(image).all():
        raise ValueError(
            f"`image` must be finite float in [0, 1]. Received: dtype {image.dtype}"
        )
    return image.astype("float64") @ np.array([0.299, 0.587, 0.114])


@keras.saving.register_keras_serializable(package="tf_defocus")
class PSNR(keras.metrics.Mean):
    """Mean over images of the peak signal-to-noise ratio [dB], for training logs.

    Images are (batch, height, width, channels) float in [0, 1]; the prediction is
    clipped to that range. One image counts at most 100 dB.

    Args:
        name, dtype: as in `keras.metrics.Metric`.
    """

    def __init__(self, name: str = "psnr", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        y_true = ops.cast(y_true, "float32")
        y_pred = ops.clip(ops.cast(y_pred, "float32"), 0, 1)
        error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        floor = 10 ** (-LOGGED_PSNR_LIMIT / 10)
        decibels = -10 * ops.log10(ops.maximum(error, floor))
        return super().update_state(decibels, sample_weight)

    def get_config(self) -> dict[str, Any]:
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

    def __init__(
        self, window: str = "uniform", name: str = "ssim", dtype: str | None = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.window = window

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        y_true = ops.cast(y_true, "float32")
        y_pred = ops.clip(ops.cast(y_pred, "float32"), 0, 1)
        similarity = structural_similarity(y_pred, y_true, self.window)
        return super().update_state(similarity, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"window": self.window, "name": self.name, "dtype": self.dtype}
