"""Resizing with the sampling positions that the published networks were trained with.

Frameworks place samples differently and name it alike; here the position of every
sample is written out. For half-pixel centres, `keras.ops.image.resize` is the tool.
"""

import numpy as np
from keras import ops

from tf_defocus.ops.tensor import Tensor


def resize_nearest_floor(images: Tensor, height: int, width: int) -> Tensor:
    """Nearest neighbour without half-pixel offset: source = floor(target * in / out).

    Args:
        images: (batch, height in, width in, channels).
        height, width: int or scalar integer tensor [px].

    Returns:
        (batch, height, width, channels).
    """
    for axis, size in ((1, height), (2, width)):
        source = ops.arange(size, dtype="int32") * ops.shape(images)[axis] // size
        images = ops.take(images, source, axis=axis)
    return images


def resize_nearest_aligned(images, height, width):
    """Nearest neighbour, corner samples staying on the corners.

        source = round(target * (in - 1) / (out - 1)), halves up; 0 if out is 1

    Args, returns: of `resize_nearest_floor`.
    """
    for axis, size in ((1, height), (2, width)):
        last = ops.shape(images)[axis] - 1
        steps = ops.maximum(ops.convert_to_tensor(size, dtype="int32") - 1, 1)
        target = ops.arange(size, dtype="int32")
        source = (2 * target * last + steps) // (2 * steps)
        images = ops.take(images, source, axis=axis)
    return images


def resize_bilinear_aligned(images: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, corner samples staying on the corners.

        source = target * (in - 1) / (out - 1); 0 if out is 1

    Args:
        images: (batch, height in, width in, channels), float.
        height, width: int or scalar integer tensor [px].

    Returns:
        (batch, height, width, channels), dtype of `images`.
    """
    for axis, size in ((1, height), (2, width)):
        images = _interpolate(images, size, axis)
    return images


def halve_antialiased(images: Tensor) -> Tensor:
    """Half the size by a triangle filter as wide as four pixels.

        (1, 3, 3, 1) / 8 along each axis; the taps inside the image divided by their sum

    Args:
        images: (batch, height, width, channels), float, even sizes.

    Returns:
        (batch, height/2, width/2, channels), dtype of `images`; not rounded.
    """
    for axis in (1, 2):
        images = _halve(images, axis)
    return images


def halve_binomial(images: Tensor) -> Tensor:
    """Half the size: means of 2x2 pixels of the image blurred by binomial taps.

        (1, 4, 6, 4, 1) / 16 along each axis, the border mirrored about its outermost
        pixels

    Args:
        images: (batch, height, width, channels), float, even sizes of 4 at least.

    Returns:
        (batch, height/2, width/2, channels), dtype of `images`.
    """
    edges = [[0, 0], [2, 2], [2, 2], [0, 0]]
    images = ops.pad(images, edges, mode="reflect")
    for axis in (1, 2):
        size = ops.shape(images)[axis] - 4
        taps = (
            weight * ops.take(images, ops.arange(i, i + size), axis=axis)
            for i, weight in enumerate((1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16))
        )
        images = sum(taps)
    return ops.average_pool(images, 2, 2, data_format="channels_last")


def double_bilinear(images: Tensor) -> Tensor:
    """Twice the size, see `enlarge_bilinear`.

    Args:
        images: (batch, height, width, channels), float.

    Returns:
        (batch, 2 * height, 2 * width, channels), same dtype.
    """
    return enlarge_bilinear(images, 2)


def enlarge_bilinear(images: Tensor, factor: int) -> Tensor:
    """Bilinear at a multiple of the size, half-pixel centres, borders repeated.

    As `keras.ops.image.resize`, which does not take sizes unknown to a graph.

    Args:
        images: (batch, height, width, channels), float.
        factor: int, even.

    Returns:
        (batch, factor * height, factor * width, channels), dtype of `images`.
    """
    # Of every pixel's `factor` parts, the first half lies towards the one before.
    phases = (np.arange(factor) + 0.5) / factor - 0.5
    for axis in (1, 2):
        size = ops.shape(images)[axis]
        target = ops.arange(factor * size, dtype="int32")
        nearer = target // factor
        side = 2 * (target % factor // (factor // 2)) - 1
        farther = ops.clip(nearer + side, 0, size - 1)
        share = ops.convert_to_tensor(np.abs(phases), dtype=images.dtype)
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        share = ops.reshape(ops.take(share, target % factor), shape)
        images = (1 - share) * ops.take(images, nearer, axis=axis) + (
            share * ops.take(images, farther, axis=axis)
        )
    return images


def double_from_corner(images):
    """Twice the size, bilinear, samples counted from the corner.

        x_0, (x_0 + x_1) / 2, x_1, ..., x_n-1, x_n-1

    As the first TensorFlow resized.

    Args:
        images: (batch, height, width, channels), float.

    Returns:
        (batch, 2 height, 2 width, channels), dtype of `images`.
    """
    for axis in (1, 2):
        size = ops.shape(images)[axis]
        target = ops.arange(2 * size, dtype="int32")
        before, after = target // 2, ops.minimum((target + 1) // 2, size - 1)
        images = (
            ops.take(images, before, axis=axis) + ops.take(images, after, axis=axis)
        ) / 2
    return images


def reduce_bilinear(images, factor):
    """A fraction of the size, bilinear without antialiasing: means of four pixels.

    Args:
        images: (batch, height, width, channels), float, sizes divisible by `factor`.
        factor: int, even; the middle 2x2 of every factor x factor pixels are averaged.

    Returns:
        (batch, height / factor, width / factor, channels).
    """
    low, high = factor // 2 - 1, factor // 2
    rows = images[:, low::factor] + images[:, high::factor]
    return (rows[:, :, low::factor] + rows[:, :, high::factor]) / 4


def every_second_pixel(images):
    """Half the size: the top left one of every 2x2 pixels."""
    return images[:, ::2, ::2]


def _halve(images, axis):
    count = ops.shape(images)[axis] // 2
    pairs = 2 * ops.arange(count, dtype="int32")
    last = 2 * count - 1
    # At the borders the missing outer tap has weight 0.
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    before = ops.reshape(ops.cast(pairs > 0, images.dtype), shape)
    after = ops.reshape(ops.cast(pairs + 1 < last, images.dtype), shape)

    def tap(offset):
        return ops.take(images, ops.clip(pairs + offset, 0, last), axis=axis)

    total = before * tap(-1) + 3 * tap(0) + 3 * tap(1) + after * tap(2)
    return total / (6 + before + after)


def _interpolate(images, size, axis):
    last = ops.shape(images)[axis] - 1
    # Integers find the sample, so that rounding never moves it over an edge.
    position = ops.arange(size, dtype="int32") * last
    steps = ops.maximum(ops.convert_to_tensor(size, dtype="int32") - 1, 1)
    lower = position // steps
    weight = ops.cast(position % steps, images.dtype) / ops.cast(steps, images.dtype)
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    weight = ops.reshape(weight, shape)
    below = ops.take(images, lower, axis=axis)
    above = ops.take(images, ops.minimum(lower + 1, last), axis=axis)
    return below * (1 - weight) + above * weight
