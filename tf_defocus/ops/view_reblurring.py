"""Blurs each dual-pixel view as the other one is, so that the two should agree.

With a sharp image S, the left view is S * k and the right view S * k', k' being the
mirror image of k. So left * k' equals right * k, whatever S is: the radius of k that
makes them agree is the radius of the blur (Liang et al., 2022).
"""

import functools

import numpy as np
from keras import ops

from tf_defocus.ops.tensor import Tensor

MAX_RADIUS = 24  # [px]
_SMOOTHING_SIGMA = 1.5  # [px], of the 3x3 window that differences are seen through


@functools.lru_cache(maxsize=MAX_RADIUS + 1)
def growing_disc(radius: int) -> np.ndarray:
    """A disc whose weight grows to the right, of sum 1.

    Args:
        radius: int [px] >= 0.

    Returns:
        (2 radius + 1, 2 radius + 1) float32, read-only.
    """
    if radius == 0:
        kernel = np.ones((1, 1), np.float32)
    else:
        offset = np.arange(2 * radius + 1) - radius
        inside = offset[:, None] ** 2 + offset**2 <= radius**2
        ramp = np.minimum(np.arange(1, 2 * radius + 2), 2 * radius)
        kernel = (inside * ramp / np.sum(inside * ramp)).astype(np.float32)
    kernel.setflags(write=False)
    return kernel


def reblur(views: Tensor, radius: int, mirrored: bool) -> Tensor:
    """Cross-correlates every pixel with the disc of its own radius.

    Between whole radii the results are interpolated linearly. Zeros lie outside.

    Args:
        views: (batch, height, width, 3) float.
        radius: the same shape [px], signed, at most `MAX_RADIUS` in size; negative ones
            take the disc that grows to the left.
        mirrored: bool, exchanges the two discs, as the right view needs it.

    Returns:
        The shape of `views`.
    """
    size, growing = ops.abs(radius), (radius < 0 if mirrored else radius >= 0)
    total = ops.zeros_like(views)
    for whole in range(MAX_RADIUS + 1):
        share = ops.maximum(1 - ops.abs(size - whole), 0)
        to_right, to_left = (
            _correlate(views, kernel)
            for kernel in (growing_disc(whole), growing_disc(whole)[:, ::-1])
        )
        total = total + share * ops.where(growing, to_right, to_left)
    return total


def view_disagreement(left: Tensor, right: Tensor, radius: int) -> Tensor:
    """How unlike the views are, each blurred as the other; 0 for the true radius.

        mean |G (left blurred - right blurred)|,  G a 3x3 Gaussian of sigma 1.5

    Args:
        left, right: (batch, height, width, 3) float in [0, 1].
        radius: the same shape [px], signed, see `reblur`.

    Returns:
        Scalar.
    """
    difference = reblur(left, radius, False) - reblur(right, radius, True)
    taps = np.exp(-np.array([1.0, 0.0, 1.0]) / (2 * _SMOOTHING_SIGMA**2))
    window = np.outer(taps, taps) / np.sum(taps) ** 2
    borders = [[0, 0], [1, 1], [1, 1], [0, 0]]
    padded = ops.pad(difference, borders, mode="reflect")
    return ops.mean(ops.abs(_correlate(padded, window, padding="valid")))


def total_variation(radius: Tensor) -> Tensor:
    """Sum of the absolute differences of neighbours, of a whole batch of maps.

    Args:
        radius: (batch, height, width, channels) float.

    Returns:
        Scalar, not divided by anything.
    """
    down = ops.abs(radius[:, 1:] - radius[:, :-1])
    across = ops.abs(radius[:, :, 1:] - radius[:, :, :-1])
    return ops.sum(down) + ops.sum(across)


def _correlate(images, window, padding="same"):
    """Every channel with one window; "same" puts zeros outside."""
    channels = images.shape[-1]
    kernel = np.repeat(window[:, :, None, None], channels, axis=2)
    kernel = ops.convert_to_tensor(kernel, dtype=images.dtype)
    return ops.depthwise_conv(
        images, kernel, padding=padding, data_format="channels_last"
    )
