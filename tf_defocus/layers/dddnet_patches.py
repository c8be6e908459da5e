"""DDDNet's encoders and decoders of patches (Pan et al., CVPR 2021)."""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import doubling_convolution, evenly_padded_convolution
from tf_defocus.layers.residual import BaseResidualUnits
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualPair(BaseResidualUnits):
    """Residual units, x + conv(relu(conv(x))) each, two where nothing else is said.

    Args, call arguments, returns: of `BaseResidualUnits`.
    """

    def __init__(self, filters: int, num_units: int = 2, **kwargs: Any) -> None:
        super().__init__(filters, num_units, **kwargs)
        self.units = [
            (
                convolution(filters, activation="relu", name=f"unit{i}_1"),
                convolution(filters, name=f"unit{i}_2"),
            )
            for i in range(1, num_units + 1)
        ]


@keras.saving.register_keras_serializable(package="tf_defocus")
class PatchEncoder(layers.Layer):
    """Features of a patch at a quarter of its size.

    Args:
        base_filters: int, channels at full size; doubled at every halving.

    Call arguments:
        inputs: (batch, height, width, channels), sizes divisible by 4.

    Returns:
        (batch, height / 4, width / 4, 4 * base_filters).
    """

    def __init__(self, base_filters: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base_filters = base_filters
        self.levels = [
            (
                convolution(
                    base_filters * 2**i, strides=min(i, 1) + 1, name=f"entrance{i}"
                ),
                ResidualPair(base_filters * 2**i, name=f"residual{i}"),
            )
            for i in range(3)
        ]

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for entrance, residual in self.levels:
            entrance.build((None, None, None, channels))
            channels = entrance.filters
            residual.build((None, None, None, channels))

    def call(self, inputs: Tensor) -> Tensor:
        for entrance, residual in self.levels:
            if entrance.strides[0] > 1:
                inputs = ops.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
            inputs = residual(entrance(inputs))
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "base_filters": self.base_filters}


@keras.saving.register_keras_serializable(package="tf_defocus")
class PatchDecoder(layers.Layer):
    """An image, or maps, from a `PatchEncoder`'s features.

    Args:
        filters: int, channels of the output.
        base_filters: int, of the `PatchEncoder`.

    Call arguments:
        inputs: (batch, height, width, 4 * base_filters).

    Returns:
        (batch, 4 height, 4 width, filters) float32.
    """

    def __init__(self, filters: int, base_filters: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.base_filters = base_filters
        widths = [4 * base_filters, 2 * base_filters, base_filters]
        self.residuals = [ResidualPair(w, name=f"residual{w}") for w in widths]
        self.rises = [
            doubling_convolution(
                width,
                kernel_initializer=_initializer("fan_in"),
                name=f"rise{width}",
            )
            for width in widths[1:]
        ]
        # It makes an image, or what is added to one: bfloat16 would leave 8 bits.
        self.closing = convolution(filters, dtype="float32", name="closing")

    def build(self, input_shape: Shape) -> None:
        for residual in self.residuals:
            residual.build((None, None, None, residual.filters))
        for before, rise in zip(self.residuals, self.rises):
            rise.build((None, None, None, before.filters))
        self.closing.build((None, None, None, self.base_filters))

    def call(self, inputs: Tensor) -> Tensor:
        features = self.residuals[0](inputs)
        for rise, residual in zip(self.rises, self.residuals[1:]):
            features = residual(rise(features))
        return self.closing(features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "base_filters": self.base_filters,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class UnlikeChannelAttention(layers.Layer):
    """Adds to each channel the others, those most that are least like it.

        out = x + gamma * softmax(max_j E_ij - E_ij) x,   E = x x^T over all pixels

    gamma starts at zero. E is computed in float32.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        The shape of `inputs`.
    """

    def build(self, input_shape: Shape) -> None:
        self.gamma = self.add_weight(name="gamma", shape=(1,), initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        pixels = ops.reshape(inputs, (shape[0], -1, inputs.shape[-1]))
        exact = ops.cast(pixels, "float32")
        likeness = ops.matmul(ops.swapaxes(exact, 1, 2), exact)
        unlike = ops.max(likeness, axis=-1, keepdims=True) - likeness
        weights = ops.softmax(unlike, axis=-1)
        mixed = ops.matmul(exact, ops.swapaxes(weights, 1, 2))
        mixed = ops.cast(ops.reshape(mixed, shape), inputs.dtype)
        return self.gamma * mixed + inputs


def convolution(filters, strides=1, activation=None, **kwargs):
    """A 3x3 convolution as the authors initialise it; with strides its caller pads."""
    return evenly_padded_convolution(
        filters,
        3,
        strides,
        activation=activation,
        kernel_initializer=_initializer("fan_out"),
        **kwargs,
    )


def _initializer(mode):
    """Half of He's deviation, of the number of outputs."""
    return keras.initializers.VarianceScaling(0.5, mode, "untruncated_normal")
