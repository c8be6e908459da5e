"""Fourier transforms of whole images, of any size, as pairs of real tensors.

Both are unnormalised on the way out and divide by the number of pixels on the way back.
They compute in float32: a sum over a million pixels has no place in half precision.
"""

from keras import ops

from tf_defocus.ops.tensor import Tensor


def real_transform(images: Tensor) -> tuple[Tensor, Tensor]:
    """Half spectrum over height and width of every channel of real images.

    Args:
        images: (batch, height, width, channels) float.

    Returns:
        (real, imaginary), each (batch, height, width // 2 + 1, channels) float32.
    """
    planes = ops.transpose(ops.cast(images, "float32"), (0, 3, 1, 2))
    return _channels_last(_along_rows(ops.rfft(planes)))


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
    planes = ops.irfft((real / height, -imaginary / height), fft_length=width)
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
    turned = tuple(ops.swapaxes(part, 2, 3) for part in spectrum)
    return tuple(ops.swapaxes(part, 2, 3) for part in ops.fft(turned))


def _channels_last(spectrum):
    return tuple(ops.transpose(part, (0, 2, 3, 1)) for part in spectrum)
