"""Convolutions to few channels, such as an image's three, on processors.

A processor multiplies 8 or 16 numbers at a time, one per output channel, so that three
channels leave most of it idle. Here the outputs of 2x2 pixels are computed side by
side, as four times the channels of a convolution one sample larger, with stride two:

    out[2 y + i, 2 x + j] = sum_ab in[2 y + a, 2 x + b] . K[a - i, b - j],   i, j < 2
"""

import contextlib
import contextvars
from collections.abc import Iterator

from keras import ops

from tf_defocus.ops.tensor import Tensor

_plain = contextvars.ContextVar("plain_convolutions", default=False)


@contextlib.contextmanager
def plain_convolutions() -> Iterator[None]:
    """Inside, convolutions are computed as they are defined: for graphs that count."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def convolve_to_image(features: Tensor, kernel: Tensor) -> Tensor:
    """A convolution that keeps the size, with zeros outside, to few channels.

    Args:
        features: (batch, height, width, channels), float, even sizes.
        kernel: (size, size, channels, outputs), odd size, same dtype.

    Returns:
        (batch, height, width, outputs).
    """
    if _plain.get():
        return ops.conv(features, kernel, padding="same", data_format="channels_last")
    size, _, channels, outputs = kernel.shape
    shifted = [
        ops.pad(kernel, [[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]])
        for i in (0, 1)
        for j in (0, 1)
    ]
    blocks = ops.reshape(
        ops.stack(shifted, axis=3), (size + 1, size + 1, channels, 4 * outputs)
    )
    values = ops.conv(
        features, blocks, strides=2, padding="same", data_format="channels_last"
    )
    batch, rows, columns, _ = ops.shape(values)
    values = ops.reshape(values, (batch, rows, columns, 2, 2, outputs))
    values = ops.transpose(values, (0, 1, 3, 2, 4, 5))
    return ops.reshape(values, (batch, 2 * rows, 2 * columns, outputs))
