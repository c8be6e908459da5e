"""Cutting features into windows of one size, and joining them again."""

from keras import ops


def cut_windows(features, size):
    """The windows of features, row by row of each image.

    Args:
        features: (batch, height, width, channels), sizes multiples of the windows'.
        size: (rows, columns) of a window.

    Returns:
        (windows, rows, columns, channels).
    """
    shape, (rows, columns) = ops.shape(features), size
    down, across = shape[1] // rows, shape[2] // columns
    grid = (shape[0], down, rows, across, columns, features.shape[-1])
    windows = ops.transpose(ops.reshape(features, grid), (0, 1, 3, 2, 4, 5))
    return ops.reshape(windows, (-1, rows, columns, features.shape[-1]))


def join_windows(windows, reference, size):
    """Undoes `cut_windows` of `reference`; the shape of `reference`."""
    shape, (rows, columns) = ops.shape(reference), size
    down, across = shape[1] // rows, shape[2] // columns
    grid = (shape[0], down, across, rows, columns, reference.shape[-1])
    features = ops.transpose(ops.reshape(windows, grid), (0, 1, 3, 2, 4, 5))
    return ops.reshape(features, shape)
