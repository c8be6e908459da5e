"""Wiener deconvolution with known point-spread functions, as a differentiable layer.

Nothing is trained here; gradients reach the image, the kernels, the noise level and the
blending weights, so the layer can stand inside a network or a fit.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.ops.tensor import Tensor

BOUNDARIES = ("periodic", "symmetric")


@keras.saving.register_keras_serializable(package="tf_defocus")
class WienerDeconvolution(layers.Layer):
    """Divides by the blur's spectrum where the signal outweighs the noise.

        x = sum_i w_i . F^-1[ conj(K_i) F(y) / (|K_i|^2 + r) ]      [KPAC Eq. 5]

    K_i: spectrum of kernel i, r: noise-to-signal power ratio, w_i: weights per pixel
    that blend a few inverse kernels into those of all blur sizes between them.

    Outside the image, "periodic" continues it by itself, "symmetric" by its mirror
    image: transforms four times as large, no seam. The mirror is exact for kernels
    symmetric in both axes; others leave an error near the borders, within about twice
    the extent of the kernel.

    Args:
        boundary: "symmetric" or "periodic".

    Call arguments:
        inputs: (batch, height, width, channels), blurred images; any sizes.
        psfs: (batch or 1, kernel height, kernel width), or with `weights`
            (batch or 1, kernels, kernel height, kernel width). Of sum 1; the element
            [height // 2, width // 2] is the centre. Not larger than the images (twice
            that for "symmetric").
        noise_to_signal: float (by name) or (batch,), positive.
        weights: optional (batch, height, width, kernels), one weight per kernel.

    Returns:
        (batch, height, width, channels), float32 (float64 for that dtype); not clipped.

    Raises:
        ValueError: if the boundary is unknown, or the rank of `psfs` or the number of
            weights does not fit.

    Example:
        >>> blurred, identity = ops.ones((1, 9, 7, 3)), ops.ones((1, 1, 1))
        >>> WienerDeconvolution()(blurred, identity, noise_to_signal=1e-3).shape
        (1, 9, 7, 3)

    Reference:
        [Son et al., 2021](https://arxiv.org/abs/2108.09108), Sec. 3.
    """

    def __init__(self, boundary: str = "symmetric", **kwargs: Any) -> None:
        # Spectra need float32 whatever the policy: nothing is cast on the way in.
        super().__init__(autocast=False, **kwargs)
        if boundary not in BOUNDARIES:
            raise ValueError(
                f"boundary must be one of {BOUNDARIES}. Received: boundary={boundary!r}"
            )
        self.boundary = boundary

    def call(
        self,
        inputs: Tensor,
        psfs: Tensor,
        noise_to_signal: Tensor | float,
        weights: Tensor | None = None,
    ) -> Tensor:
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        images, psfs = ops.cast(inputs, dtype), ops.cast(psfs, dtype)
        ratio = ops.reshape(ops.cast(noise_to_signal, dtype), (-1, 1, 1, 1))
        kernels = _split_kernels(psfs, weights)
        height, width = ops.shape(images)[1:3]
        spectrum = _spectrum(self._extended(images))
        size = ops.shape(spectrum[0])[2:]
        total = 0.0
        for index, kernel in enumerate(kernels):
            restored = _divided(spectrum, transfer_function(kernel, size), ratio)
            restored = restored[:, :height, :width]
            if weights is not None:
                restored = restored * ops.cast(weights[..., index, None], dtype)
            total = total + restored  # w_i x_i [KPAC Eq. 5]
        return total

    def _extended(self, images):
        if self.boundary == "periodic":
            return images
        images = ops.concatenate([images, ops.flip(images, axis=1)], axis=1)
        return ops.concatenate([images, ops.flip(images, axis=2)], axis=2)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "boundary": self.boundary}


def transfer_function(psfs, size):
    """Spectra of point-spread functions on a periodic grid.

    Args:
        psfs: (batch, kernel height, kernel width), float.
        size: (height, width) of the grid [px], at least the kernel's.

    Returns:
        (real, imaginary), each (batch, 1, height, width).
    """
    for axis, (extent, room) in enumerate(zip(ops.shape(psfs)[1:], size), start=1):
        psfs = _pad_and_center(psfs, extent, room, axis)
    psfs = psfs[:, None]
    return ops.fft2((psfs, ops.zeros_like(psfs)))


def _pad_and_center(psfs, extent, room, axis):
    """Fills up with zeros and rolls the kernel's centre to index 0."""
    if isinstance(extent, int) and isinstance(room, int) and extent > room:
        raise ValueError(
            "psfs must not be larger than the images they blurred. Received: "
            f"{extent} on a grid of {room} px"
        )
    shape = list(ops.shape(psfs))
    shape[axis] = room - extent
    psfs = ops.concatenate([psfs, ops.zeros(shape, dtype=psfs.dtype)], axis=axis)
    return ops.roll(psfs, -(extent // 2), axis=axis)


def _split_kernels(psfs, weights):
    """A list of (batch, height, width), one entry per weight."""
    rank = len(psfs.shape)
    if rank != (3 if weights is None else 4):
        raise ValueError(
            "psfs must be (batch, height, width), or with weights (batch, kernels, "
            f"height, width). Received: shape {tuple(psfs.shape)}, weights "
            f"{'absent' if weights is None else 'given'}"
        )
    if weights is None:
        return [psfs]
    if weights.shape[-1] != psfs.shape[1]:
        raise ValueError(
            "weights must have one channel per kernel. Received: "
            f"{weights.shape[-1]} channels, {psfs.shape[1]} kernels"
        )
    return [psfs[:, index] for index in range(psfs.shape[1])]


def _spectrum(images):
    """(batch, height, width, channels) -> real and imaginary, channels second."""
    planes = ops.transpose(images, (0, 3, 1, 2))
    return ops.fft2((planes, ops.zeros_like(planes)))


def _divided(spectrum, transfer, ratio):
    """The filtered images, (batch, height, width, channels)."""
    (real, imaginary), (kernel_real, kernel_imaginary) = spectrum, transfer
    power = kernel_real**2 + kernel_imaginary**2 + ratio  # |K|^2 + r
    filtered = (
        (real * kernel_real + imaginary * kernel_imaginary) / power,
        (imaginary * kernel_real - real * kernel_imaginary) / power,
    )
    return ops.transpose(ops.ifft2(filtered)[0], (0, 2, 3, 1))
