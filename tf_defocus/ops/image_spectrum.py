"""Fourier transforms of whole images, of any size, as pairs of real tensors.

Both are unnormalised on the way out and divide by the number of pixels on the way back.
They compute in float32: a sum over a million pixels has no place in half precision.

Other runtimes have no transforms, or not at sizes that a graph does not know: inside
`as_products` the half spectrum is products with matrices of cosines and sines. They
take (height + width) multiplications per pixel and channel.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import numpy as np
from keras import ops

from tf_defocus.ops.tensor import Tensor

_AS_PRODUCTS = contextvars.ContextVar("as_products", default=False)


@contextlib.contextmanager
def as_products() -> Iterator[None]:
    """Inside, the half spectrum is matrix products: for runtimes without transforms."""
    token = _AS_PRODUCTS.set(True)
    try:
        yield
    finally:
        _AS_PRODUCTS.reset(token)


def real_transform(images: Tensor) -> tuple[Tensor, Tensor]:
    """Half spectrum over height and width of every channel of real images.

    Args:
        images: (batch, height, width, channels) float.

    Returns:
        (real, imaginary), each (batch, height, width // 2 + 1, channels) float32.
    """
    planes = ops.transpose(ops.cast(images, "float32"), (0, 3, 1, 2))
    if _AS_PRODUCTS.get():
        width = ops.shape(planes)[3]
        cosine, sine = _waves(width, width // 2 + 1, width)
        spectrum = ops.matmul(planes, cosine), -ops.matmul(planes, sine)
    else:
        spectrum = ops.rfft(planes)
    return _channels_last(_along_rows(spectrum))


def inverse_real_transform(real: Tensor, imaginary: Tensor, width: int) -> Tensor:
    """Images whose half spectrum this is, as far as real ones have it.

    Args:
        real, imaginary: (batch, height, width // 2 + 1, channels) float.
        width: int or scalar tensor [px], of the images.

    Returns:
        (batch, height, width, channels) float32.
    """
    real, imaginary = (
        ops.transpose(ops.cast(part, "float32"), (0, 3, 1, 2))
        for part in (real, imaginary)
    )
    height = ops.cast(ops.shape(real)[2], "float32")
    # The inverse transform is the transform of the conjugate, conjugated.
    real, imaginary = _along_rows((real, -imaginary))
    spectrum = real / height, -imaginary / height
    if _AS_PRODUCTS.get():
        planes = _inverse_product(*spectrum, width)
    else:
        planes = ops.irfft(spectrum, fft_length=width)
    return ops.transpose(planes, (0, 2, 3, 1))


def full_transform(images):
    """Full spectrum over height and width of every channel of real images.

    Args:
        images: (batch, height, width, channels) float.

    Returns:
        (real, imaginary), each of the same shape, float32.
    """
    planes = ops.transpose(ops.cast(images, "float32"), (0, 3, 1, 2))
    return _channels_last(ops.fft2((planes, ops.zeros_like(planes))))


def transform_modulus(images: Tensor) -> Tensor:
    """Modulus of the full spectrum over height and width, 0 with a gradient of 0.

    Args:
        images: (batch, height, width, channels) float.

    Returns:
        The same shape, float32.
    """
    real, imaginary = full_transform(images)
    power = ops.square(real) + ops.square(imaginary)
    positive = power > 0
    root = ops.sqrt(ops.where(positive, power, 1.0))
    return ops.where(positive, root, 0.0)


def _along_rows(spectrum):
    """Transforms the axis before the last."""
    if _AS_PRODUCTS.get():
        real, imaginary = spectrum
        height = ops.shape(real)[2]
        cosine, sine = _waves(height, height, height)  # symmetric
        return (
            ops.matmul(cosine, real) + ops.matmul(sine, imaginary),
            ops.matmul(cosine, imaginary) - ops.matmul(sine, real),
        )
    turned = tuple(ops.swapaxes(part, 2, 3) for part in spectrum)
    return tuple(ops.swapaxes(part, 2, 3) for part in ops.fft(turned))


def _inverse_product(real, imaginary, width):
    """Rows of `width` pixels of half spectra (..., width // 2 + 1)."""
    count = ops.shape(real)[-1]
    # Written as they are used: LiteRT's converter refuses transposed ones.
    cosine, sine = _waves(count, width, width)
    # Every frequency stands for its conjugate too, but for 0 and half the width.
    index = ops.arange(count, dtype="int32")
    twice = ops.logical_and(index > 0, 2 * index < width)
    share = ops.where(twice, 2.0, 1.0) / ops.cast(width, "float32")
    return ops.matmul(real * share, cosine) - ops.matmul(imaginary * share, sine)


def _waves(rows, columns, size):
    """cos and sin of 2 pi i j / size, (rows, columns) float32; sin(pi) is 0."""
    row, column = (ops.arange(n, dtype="int32") for n in (rows, columns))
    turns = ops.mod(row[:, None] * column, size)
    angle = ops.cast(turns, "float32") * (2 * np.pi / ops.cast(size, "float32"))
    return ops.cos(angle), ops.where(2 * turns == size, 0.0, ops.sin(angle))


def _channels_last(spectrum):
    return tuple(ops.transpose(part, (0, 2, 3, 1)) for part in spectrum)
