"""K3DN's two convolutions that run both ways: a set of kernels, and their mixing.

Deblurring applies them, reblurring applies their inverses: the reciprocal of a
spectrum, the inverse of a matrix kept in triangular factors.
"""

import random
from typing import Any

import keras
import numpy as np
import scipy.linalg
from keras import layers, ops

from tf_defocus.ops.fourier import (
    inverse_real_transform,
    mirror_columns,
    normalise_energy,
    reciprocal_spectrum,
)
from tf_defocus.ops.tensor import Shape, Tensor

SPECTRA = ("blur", "deblur")


@keras.saving.register_keras_serializable(package="tf_defocus")
class InvertibleDepthwiseConvolution(layers.Layer):
    """The released kernel set: one left-right symmetric kernel per channel.

        deblur: x * F'(1 / F(K))        reblur: x * K        K: blur kernel

    Trained is F(K), a free half spectrum one sample larger than the kernel. Cropping,
    mirroring (the symmetry of Eq. 2) and scaling to unit energy make the two directions
    inverse only approximately, as in the authors' code.

    Args:
        kernel_size: int, odd.
        spectrum: "blur" (the paper's: trained is F(K)) or "deblur" (the authors' code:
            trained is 1 / F(K), which swaps the two directions).
        frozen: bool; True holds the left half of the finished deblurring kernels in
            place of their spectra, for inference.

    Call arguments:
        inputs: (batch, height, width, channels); zeros are assumed outside.
        reverse: bool, reblurs instead of deblurring.

    Returns:
        The shape of `inputs`.

    Raises:
        ValueError: if `spectrum` is unknown, or if frozen kernels shall reblur.
    """

    def __init__(
        self,
        kernel_size: int = 9,
        spectrum: str = "blur",
        frozen: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if spectrum not in SPECTRA:
            raise ValueError(f"spectrum must be in {SPECTRA}. Received: {spectrum!r}")
        self.kernel_size = kernel_size
        self.spectrum = spectrum
        self.frozen = frozen

    def build(self, input_shape: Shape) -> None:
        channels, size = input_shape[-1], self.kernel_size
        half = size // 2 + 1
        # Cast by no policy: a spectrum in 16 bits is another kernel.
        if self.frozen:
            self.half_kernels = self.add_weight(
                name="half_kernels",
                shape=(channels, size, half),
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
        else:
            self.half_spectra = self.add_weight(
                name="half_spectra",
                shape=(channels, size + 1, (size + 1) // 2 + 1, 2),
                initializer=keras.initializers.RandomNormal(stddev=1.0),
                autocast=False,
            )

    def kernels(self, reverse: bool = False) -> Tensor:
        """(channels, kernel_size, kernel_size) float32, unit energy each."""
        if self.frozen:
            if reverse:
                raise ValueError("Frozen kernels only deblur; reblur before freezing.")
            return mirror_columns(ops.convert_to_tensor(self.half_kernels))
        real, imaginary = self.half_spectra[..., 0], self.half_spectra[..., 1]
        if reverse == (self.spectrum == "deblur"):
            real, imaginary = reciprocal_spectrum(real, imaginary)  # 1 / F(K)
        size = self.kernel_size
        kernels = inverse_real_transform(real, imaginary, (size + 1, size + 1))
        left = kernels[..., :size, : size // 2 + 1]
        return normalise_energy(mirror_columns(left))

    def call(self, inputs: Tensor, reverse: bool = False) -> Tensor:
        kernels = ops.transpose(self.kernels(reverse), (1, 2, 0))[..., None]
        kernels = ops.cast(kernels, self.compute_dtype)
        return ops.depthwise_conv(inputs, kernels, padding="same")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "spectrum": self.spectrum,
            "frozen": self.frozen,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class InvertiblePointwiseConvolution(layers.Layer):
    """Mixes the kernels' responses with a window's weights.

    What the authors' code has in the place of the sum of kernels [K3DN Eq. 9].

        deblur:  y = W (a . x)              a = softmax(modulation(r')), sum_j a_j K^j
        reblur:  y = (W^-1 x) . z           z = min(1 / a, truncate), scaled to norm 1
        W = P (L + I) (U + diag(sign . exp(log_scale)))

    W starts as a random rotation; P and the signs stay.

    Args:
        truncate: float, largest reciprocal of a weight.
        seed: int or None, of the initial rotation.

    Call arguments:
        inputs: (windows, height, width, channels).
        vectors: (windows, units), r'.
        reverse: bool, reblurs instead of deblurring.

    Returns:
        The shape of `inputs`.

    Reference:
        Kingma and Dhariwal, [Glow](https://arxiv.org/abs/1807.03039), Sec. 3.2.
    """

    def __init__(
        self, truncate: float = 100, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.truncate = truncate
        self.seed = seed
        # Drawn here, not in `build`: there a backend may be tracing.
        self._rotation_seed = random.randrange(2**31) if seed is None else seed

    def build(self, inputs_shape: Shape, vectors_shape: Shape) -> None:
        channels, units = inputs_shape[-1], vectors_shape[-1]
        parts = _decompose(_random_rotation(channels, self._rotation_seed))
        for name, value in parts.items():
            trainable = name not in ("permutation", "signs")
            weight = self.add_weight(
                name=name,
                shape=value.shape,
                initializer=_constant(value),
                trainable=trainable,
                autocast=False,  # an inverse in 16 bits is none
            )
            setattr(self, name, weight)
        self.modulation_kernel = self.add_weight(
            name="modulation_kernel",
            shape=(units, channels),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            autocast=False,
        )
        self.modulation_bias = self.add_weight(
            name="modulation_bias",
            shape=(channels,),
            initializer="ones",
            autocast=False,
        )

    def matrix(self, reverse: bool = False) -> Tensor:
        """(channels out, channels in) float32: W, or its inverse."""
        # A constant: not every runtime has the operation that `ops.eye` leaves.
        identity = ops.convert_to_tensor(np.eye(self.lower.shape[0], dtype="float32"))
        lower = ops.tril(self.lower, -1) + identity
        upper = ops.triu(self.upper, 1) + identity * self.signs * ops.exp(
            self.log_scale
        )
        if not reverse:
            return ops.matmul(self.permutation, ops.matmul(lower, upper))
        unmixed = ops.solve_triangular(
            lower, ops.transpose(self.permutation), lower=True
        )
        return ops.solve_triangular(upper, unmixed)

    def channel_weights(self, vectors: Tensor, reverse: bool = False) -> Tensor:
        """(windows, 1, 1, channels) float32: a, or z if `reverse`."""
        vectors = ops.cast(vectors, "float32")
        # Unit-variance weights, scaled at run time (equalised learning rate).
        kernel = self.modulation_kernel / self.modulation_kernel.shape[0] ** 0.5
        weights = ops.softmax(ops.matmul(vectors, kernel) + self.modulation_bias)
        if reverse:
            weights = ops.minimum(1 / (weights + 1e-8), self.truncate)
            energy = ops.sum(ops.square(weights), axis=-1, keepdims=True)
            weights = weights * ops.rsqrt(energy + 1e-8)
        return weights[:, None, None, :]

    def call(self, inputs: Tensor, vectors: Tensor, reverse: bool = False) -> Tensor:
        matrix = ops.cast(ops.transpose(self.matrix(reverse)), self.compute_dtype)
        weights = ops.cast(self.channel_weights(vectors, reverse), self.compute_dtype)
        if reverse:
            return ops.matmul(inputs, matrix) * weights
        return ops.matmul(inputs * weights, matrix)  # released form of [K3DN Eq. 9]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "truncate": self.truncate,
            "seed": self.seed,
        }


def _random_rotation(size, seed):
    normal = np.random.default_rng(seed).normal(size=(size, size))
    return np.linalg.qr(normal)[0]


def _decompose(matrix):
    """P L U of a matrix; the unit diagonal of L is left out, that of U stands apart."""
    permutation, lower, upper = scipy.linalg.lu(matrix)
    diagonal = np.diag(upper)
    return {
        "permutation": permutation,
        "signs": np.sign(diagonal),
        "lower": np.tril(lower, -1),
        "log_scale": np.log(np.abs(diagonal)),
        "upper": np.triu(upper, 1),
    }


def _constant(value):
    return lambda shape, dtype: ops.convert_to_tensor(value, dtype=dtype)
