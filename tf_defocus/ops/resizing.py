"""Resizing with the sampling positions that the published networks were trained with.

Frameworks place samples differently and name it alike; here the position of every
sample is written out. For half-pixel centres, `keras.ops.image.resize` is the tool.
"""

from keras import ops


def resize_nearest_floor(images, height, width):
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


def resize_bilinear_aligned(images, height, width):
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
