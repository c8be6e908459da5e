"""Padding to a multiple and cropping back: the one place where sizes change."""

from keras import ops

from tf_defocus.ops.tensor import Tensor


def pad_amounts(
    height: int, width: int, multiple: tuple[int, int], margin: int = 0
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns to add, so that a network accepts the image.

    Args:
        height, width: int or scalar tensor [px].
        multiple: (int, int), the model's `size_multiple` for height and width.
        margin: int [px], added on every side before both sizes are filled up to the
            multiple, below and on the right.

    Returns:
        ((above, below), (left, right)).
    """
    return tuple(
        # not (-size) % step: converters of graphs truncate where Python floors
        (margin, margin + (step - (size + 2 * margin) % step) % step)
        for size, step in zip((height, width), multiple)
    )


def pad_to_multiple(
    images: Tensor, multiple: tuple[int, int], margin: int = 0
) -> Tensor:
    """Mirrors an image about its outermost pixels until both sizes divide.

        x_2 x_1 | x_0 x_1 ... x_n-1 | x_n-2 x_n-3

    Where more is needed than there is, the mirror images follow each other; one pixel
    alone is repeated.

    Args:
        images: (batch, height, width, channels), any dtype, any size >= 1.
        multiple: (int, int), for height and width.
        margin: int [px], see `pad_amounts`.

    Returns:
        (batch, above + height + below, left + width + right, channels).
    """
    shape = ops.shape(images)
    amounts = pad_amounts(shape[1], shape[2], multiple, margin)
    for axis, (before, after) in enumerate(amounts, start=1):
        images = _mirror(images, before, after, axis)
    return images


def crop_like(images: Tensor, reference: Tensor, margin: int = 0) -> Tensor:
    """Keeps the part that `pad_to_multiple` was given.

    Args:
        images, reference: (batch, height, width, channels); `images` at least as large.
        margin: int [px], as it was given to `pad_to_multiple`.

    Returns:
        (batch, height of reference, width of reference, channels of images).
    """
    shape = ops.shape(reference)
    rows = slice(margin, margin + shape[1])
    columns = slice(margin, margin + shape[2])
    return images[:, rows, columns, :]


def reflect_border(images: Tensor) -> Tensor:
    """Adds one pixel on every side, mirrored about the outermost one.

        x_1 | x_0 x_1 ... x_n-1 | x_n-2      one pixel alone is repeated

    `keras.ops.pad` has no answer for one pixel alone.

    Args:
        images: (batch, height, width, channels), any dtype, any size >= 1.

    Returns:
        (batch, height + 2, width + 2, channels).
    """
    for axis in (1, 2):
        size = ops.shape(images)[axis]
        before, after = (
            ops.take(images, ops.reshape(index, (1,)), axis=axis)
            for index in (ops.minimum(1, size - 1), ops.maximum(0, size - 2))
        )
        images = ops.concatenate([before, images, after], axis=axis)
    return images


def _mirror(images, before, after, axis):
    size = ops.shape(images)[axis]
    place = ops.arange(0, before + size + after) - before
    # a triangle wave: 0 1 ... n-1 n-2 ... 1, with the period 2 (n - 1)
    period = ops.maximum(2 * (size - 1), 1)
    place = ops.mod(ops.abs(place), period)
    index = ops.minimum(place, period - place)
    index = ops.minimum(index, size - 1)
    return ops.take(images, index, axis=axis)
