"""Spectra of small kernels: transforms with defined results, reciprocals, symmetry.

Libraries disagree on what the inverse real transform of a half spectrum is when that
spectrum belongs to no real kernel, which is what training makes of free parameters.
Here it is a product of two small matrices: the same on every backend, device and
precision, with its gradient. Nothing in this file knows a network.
"""

import numpy as np
from keras import ops

from tf_defocus.ops.tensor import Tensor


def inverse_real_transform(real, imaginary, size):
    """Inverse real 2-D Fourier transform of any half spectrum.

        kernel = real part of DFT^-1 along the rows axis, then along the columns, where
        every interior column stands for itself and its conjugate

    For the spectrum of a real kernel it is its inverse. For any other it does what
    `numpy.fft.irfft2` does: the imaginary part of the first and of the Nyquist column
    is ignored after the transform of the rows.

    Args:
        real, imaginary: (..., rows, columns // 2 + 1), float.
        size: (rows, columns) of the result.

    Returns:
        (..., rows, columns), dtype of `real`.
    """
    rows, columns = size
    angle = 2 * np.pi * np.outer(np.arange(rows), np.arange(rows)) / rows
    row_cos, row_sin = np.cos(angle) / rows, np.sin(angle) / rows
    frequencies = np.arange(columns // 2 + 1)
    angle = 2 * np.pi * np.outer(frequencies, np.arange(columns)) / columns
    unpaired = (frequencies == 0) | (2 * frequencies == columns)
    weight = np.where(unpaired, 1, 2)[:, None] / columns
    column_cos = np.cos(angle) * weight
    column_sin = np.where(unpaired[:, None], 0, np.sin(angle) * weight)

    def constant(matrix):
        return ops.convert_to_tensor(matrix, dtype=real.dtype)

    row_cos, row_sin = constant(row_cos), constant(row_sin)
    real, imaginary = (
        ops.matmul(row_cos, real) - ops.matmul(row_sin, imaginary),
        ops.matmul(row_sin, real) + ops.matmul(row_cos, imaginary),
    )
    return ops.matmul(real, constant(column_cos)) - ops.matmul(
        imaginary, constant(column_sin)
    )


def reciprocal_spectrum(
    real: Tensor, imaginary: Tensor, stabiliser: float = 1e-8
) -> tuple[Tensor, Tensor]:
    """1 / (spectrum + stabiliser), and 0 where that is undefined.

    Args:
        real, imaginary: tensors of one shape.
        stabiliser: float, added to the real part.

    Returns:
        (real, imaginary) of the reciprocal; gradients are finite everywhere.
    """
    real = real + stabiliser
    power = ops.square(real) + ops.square(imaginary)
    defined = power > 0
    inverse = ops.where(defined, 1 / ops.where(defined, power, 1.0), 0.0)
    return real * inverse, -imaginary * inverse


def mirror_columns(left):
    """Completes a left-right symmetric kernel from its left half.

    Args:
        left: (..., rows, half), the last column being the axis of symmetry.

    Returns:
        (..., rows, 2 * half - 1).
    """
    return ops.concatenate([left, ops.flip(left[..., :-1], axis=-1)], axis=-1)


def normalise_energy(kernels: Tensor, stabiliser: float = 1e-8) -> Tensor:
    """Scales every kernel to unit sum of squares.

    Args:
        kernels: (..., rows, columns).
        stabiliser: float, added to the sum of squares.

    Returns:
        The same shape.
    """
    energy = ops.sum(ops.square(kernels), axis=(-2, -1), keepdims=True)
    return kernels * ops.rsqrt(energy + stabiliser)


def inverse_kernels(kernels, limit):
    """Kernels of the reciprocal spectrum, F'(1 / F(k)), on the grid of the kernels.

        1 / F -> conj(F) / (|F|^2 + 1 / (2 limit)^2)

    The origin is the middle of the grid. Convolved around it, a kernel whose spectrum
    has no small values and its inverse give an impulse.

    Args:
        kernels: (..., size, size), odd size, left-right symmetric.
        limit: float, largest gain of a frequency.

    Returns:
        The same shape, left-right symmetric.
    """
    size = kernels.shape[-1]
    places = np.arange(size) - size // 2
    angle = 2 * np.pi * np.outer(np.arange(size), places) / size
    cosine, sine = (
        ops.convert_to_tensor(matrix, dtype=kernels.dtype)
        for matrix in (np.cos(angle), np.sin(angle))
    )

    def product(rows, values, columns):
        return ops.matmul(ops.matmul(rows, values), columns)

    # Of a symmetric kernel the columns' transform is real.
    real = product(cosine, kernels, ops.transpose(cosine))
    imaginary = -product(sine, kernels, ops.transpose(cosine))
    power = ops.square(real) + ops.square(imaginary) + 1 / (2 * limit) ** 2
    real, imaginary = real / power, -imaginary / power
    rows, columns = ops.transpose(cosine), cosine
    inverse = product(rows, real, columns)
    inverse = inverse - product(ops.transpose(sine), imaginary, columns)
    return inverse / size**2
