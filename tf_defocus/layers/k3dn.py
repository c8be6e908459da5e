"""K3DN's blocks as released: kernels queried per window, and sharp regions preserved.

A window's disparity vector says which kernels of a trained set describe its blur. The
same parameters deblur, and blur the sharp image. Where the deblurred features resemble
the blurred ones, the photograph was sharp already and is kept (Yang et al., CVPR 2023,
Sec. 3.2 to 3.4). The blocks as the paper prints them: `k3dn_mixture.py`.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializer
from tf_defocus.layers.k3dn_invertible import (
    InvertibleDepthwiseConvolution,
    InvertiblePointwiseConvolution,
)
from tf_defocus.layers.residual import BaseResidualUnits
from tf_defocus.ops.local_correlation import local_correlation
from tf_defocus.ops.tensor import Shape, Tensor

ACTIVATION = "leaky_relu"  # Keras' default slope, 0.2, is the authors'


@keras.saving.register_keras_serializable(package="tf_defocus")
class KernelQuery(layers.Layer):
    """A window's disparity vector asks the kernel set, as in the authors' code.

        r' = r + lrelu(W_v (s . W_r r))     s_j = sum of W_k,j x K_j over the left half

    Call arguments:
        vectors: (windows, units), r.
        half_kernels: (kernels, rows, columns), the left halves of K.

    Returns:
        (windows, units), r'.
    """

    def build(self, vectors_shape: Shape, half_kernels_shape: Shape) -> None:
        units, kernels = vectors_shape[-1], half_kernels_shape[0]
        self.tap_weights = self.add_weight(
            name="tap_weights", shape=half_kernels_shape, initializer="zeros"
        )
        self.project = _small_dense(kernels, name="project")  # W_r
        self.expand = _small_dense(units, name="expand")  # W_v
        self.project.build((None, units))
        self.expand.build((None, kernels))

    def call(self, vectors: Tensor, half_kernels: Tensor) -> Tensor:
        responses = ops.sum(self.tap_weights * half_kernels, axis=(1, 2))
        answers = self.expand(self.project(vectors) * responses)
        # released form of [K3DN Eq. 8]; its softmax is in the mixing
        return vectors + keras.activations.leaky_relu(answers)


@keras.saving.register_keras_serializable(package="tf_defocus")
class PSFBlock(layers.Layer):
    """Deblurs, or reblurs, every window with its own weights, as the authors' code.

        deblur:  y = x + lrelu(mix(lrelu(convolve(x))))          in the place of Eq. 10
        reblur:  y = x + lrelu(convolve^-1(lrelu(mix^-1(x))))    in the place of Eq. 17

    Args:
        truncate: float, largest reciprocal of a window's weight when reblurring.
        spectrum, frozen: see `InvertibleDepthwiseConvolution`.

    Call arguments:
        inputs: (windows, height, width, channels).
        vectors: (windows, units), disparity vectors.
        reverse: bool, reblurs instead of deblurring.

    Returns:
        The shape of `inputs`.
    """

    def __init__(
        self,
        truncate: float = 100,
        spectrum: str = "blur",
        frozen: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truncate = truncate
        self.spectrum = spectrum
        self.frozen = frozen
        self.depthwise = InvertibleDepthwiseConvolution(
            spectrum=spectrum, frozen=frozen, name="depthwise"
        )
        self.query = KernelQuery(name="query")
        self.pointwise = InvertiblePointwiseConvolution(truncate, name="pointwise")

    def build(self, inputs_shape: Shape, vectors_shape: Shape) -> None:
        size = self.depthwise.kernel_size
        half_kernels_shape = (inputs_shape[-1], size, size // 2 + 1)
        self.depthwise.build(inputs_shape)
        self.query.build(vectors_shape, half_kernels_shape)
        self.pointwise.build(inputs_shape, vectors_shape)

    def answer(self, vectors: Tensor) -> Tensor:
        """The vectors after their query of the kernel set."""
        kernels = self.depthwise.kernels()
        return self.query(vectors, kernels[..., : kernels.shape[-1] // 2 + 1])

    def call(self, inputs: Tensor, vectors: Tensor, reverse: bool = False) -> Tensor:
        activate = keras.activations.leaky_relu
        vectors = self.answer(vectors)
        if reverse:
            features = activate(self.pointwise(inputs, vectors, reverse=True))
            features = self.depthwise(features, reverse=True)
        else:
            features = activate(self.depthwise(inputs))
            features = self.pointwise(features, vectors)
        return inputs + activate(features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "truncate": self.truncate,
            "spectrum": self.spectrum,
            "frozen": self.frozen,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualUnits(BaseResidualUnits):
    """A chain of residual units: x + conv(lrelu(conv(x))), without biases.

    Args, call arguments, returns: of `BaseResidualUnits`.
    """

    def __init__(self, filters: int, num_units: int, **kwargs: Any) -> None:
        super().__init__(filters, num_units, **kwargs)
        self.units = [
            (
                convolution(filters, activation=ACTIVATION, name=f"unit{i}_1"),
                convolution(filters, name=f"unit{i}_2"),
            )
            for i in range(num_units)
        ]


@keras.saving.register_keras_serializable(package="tf_defocus")
class SharpRegionPreservation(layers.Layer):
    """Gates features by how alike their neighbourhoods are, as in the authors' code.

        x = concat(old, new)                old: encoder, new: deblurred
        s = local correlation of Q x and K x, 9x9, mean over channels    Eqs. 11-13
        y = x + O(x . V s)                  O: conv, residual units, conv; in the place
                                            of Eqs. 14-16

    Args:
        filters: int, channels of `old` and `new` together.
        num_units: int, residual units of O.
        reduction: "mean", or "sum" over channels as in the authors' CPU fallback.

    Call arguments:
        old, new: (batch, height, width, channels each).

    Returns:
        (batch, height, width, filters).
    """

    def __init__(
        self, filters: int, num_units: int, reduction: str = "mean", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.num_units = num_units
        self.reduction = reduction
        names = ("query", "key", "value", "first", "last")
        self.query, self.key, self.value, self.first, self.last = (
            convolution(filters, use_bias=True, name=name) for name in names
        )
        self.units = ResidualUnits(filters, num_units, name="units")

    def build(self, old_shape: Shape, new_shape: Shape) -> None:
        del new_shape
        shape = (*old_shape[:-1], self.filters)
        for layer in (self.query, self.key, self.first, self.units, self.last):
            layer.build(shape)
        self.value.build((*old_shape[:-1], 81))

    def similarity(self, old: Tensor, new: Tensor) -> Tensor:
        """(batch, height, width, 81): s, row by row of the 9x9 neighbourhood."""
        features = ops.concatenate([old, new], axis=-1)
        query, key = self.query(features), self.key(features)
        return local_correlation(query, key, 4, self.reduction)  # [K3DN Eq. 12]

    def call(self, old: Tensor, new: Tensor) -> Tensor:
        features = ops.concatenate([old, new], axis=-1)
        gated = features * self.value(self.similarity(old, new))
        # released form of [K3DN Eq. 14]
        return features + self.last(self.units(self.first(gated)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_units": self.num_units,
            "reduction": self.reduction,
        }


def convolution(filters, activation=None, use_bias=False, **kwargs):
    """A 3x3 convolution of the image branch, with the authors' initial kernels."""
    return layers.Conv2D(
        filters,
        3,
        padding=kwargs.pop("padding", "same"),
        activation=activation,
        use_bias=use_bias,
        kernel_initializer=uniform_initializer(),
        **kwargs,
    )


def _small_dense(units, **kwargs):
    initializer = keras.initializers.TruncatedNormal(stddev=0.001)
    return layers.Dense(units, kernel_initializer=initializer, **kwargs)
