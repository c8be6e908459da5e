"""Padding to a multiple and cropping back: the one place where sizes change."""

from keras import ops


def pad_amounts(height, width, multiple):
    """Rows and columns to add below and to the right.

    Args:
        height, width: int or scalar tensor [px].
        multiple: (int, int), the model's `size_multiple` for height and width.

    Returns:
        (rows, columns), each in 0 .. multiple - 1.
    """
    return (-height) % multiple[0], (-width) % multiple[1]


def pad_to_multiple(images, multiple):
    """Repeats the last row and column until both sizes divide by `multiple`.

    Repetition, unlike reflection, is defined at every size, one pixel included.

    Args:
        images: (batch, height, width, channels), any dtype, any size >= 1.
        multiple: (int, int), for height and width.

    Returns:
        (batch, height + rows, width + columns, channels).
    """
    shape = ops.shape(images)
    rows, columns = pad_amounts(shape[1], shape[2], multiple)
    images = _repeat_last(images, rows, axis=1)
    return _repeat_last(images, columns, axis=2)


def crop_like(images, reference):
    """Keeps the top-left part that has the height and width of `reference`.

    Args:
        images, reference: (batch, height, width, channels); `images` at least as large.

    Returns:
        (batch, height of reference, width of reference, channels of images).
    """
    shape = ops.shape(reference)
    return images[:, : shape[1], : shape[2], :]


def reflect_border(images):
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


def _repeat_last(images, count, axis):
    size = ops.shape(images)[axis]
    index = ops.minimum(ops.arange(0, size + count), size - 1)
    return ops.take(images, index, axis=axis)
