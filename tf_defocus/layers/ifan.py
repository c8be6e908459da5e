"""IFAN's encoder, residual groups and disparity estimator (Lee et al., CVPR 2021).

The filters that it predicts per pixel are in `ifan_filters.py`.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import evenly_padded_convolution
from tf_defocus.ops.tensor import Shape, Tensor

NEGATIVE_SLOPE = 0.1


@keras.saving.register_keras_serializable(package="tf_defocus")
def leaky_relu(features):
    """Leaky ReLU with the slope that IFAN takes everywhere, 0.1."""
    return keras.activations.leaky_relu(features, NEGATIVE_SLOPE)


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualGroup(layers.Layer):
    """Residual units, and a skip around them if they are several.

        x <- lrelu(x + conv(lrelu(conv(x)))), repeated;  out = x + inputs

    Args:
        filters: int, channels of inputs and outputs.
        num_units: int.
        kernel_size: int, odd.
        gain: float, of the initial weights.

    Call arguments:
        inputs: (batch, height, width, filters).

    Returns:
        (batch, height, width, filters).
    """

    def __init__(
        self,
        filters: int,
        num_units: int,
        kernel_size: int = 3,
        gain: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.num_units = num_units
        self.kernel_size = kernel_size
        self.gain = gain
        self.units = [
            (
                convolution(filters, kernel_size, gain=gain, name=f"unit{i}_1"),
                convolution(
                    filters, kernel_size, activation=None, gain=gain, name=f"unit{i}_2"
                ),
            )
            for i in range(1, num_units + 1)
        ]

    def build(self, input_shape: Shape) -> None:
        for first, second in self.units:
            first.build(input_shape)
            second.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        features = inputs
        for first, second in self.units:
            features = _leaky_relu_of_sum(features, second(first(features)))
        return features + inputs if self.num_units > 1 else features

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_units": self.num_units,
            "kernel_size": self.kernel_size,
            "gain": self.gain,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualTrunk(layers.Layer):
    """A convolution, residual groups, and a closing convolution if wanted.

    Args:
        filters: int.
        group_sizes: tuple of int, residual units of each group.
        kernel_size: int, odd.
        closing: bool, whether a convolution follows the groups.
        gain: float, of the initial weights.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, height, width, filters).
    """

    def __init__(
        self,
        filters: int,
        group_sizes: Sequence[int],
        kernel_size: int = 3,
        closing: bool = False,
        gain: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.group_sizes = tuple(group_sizes)
        self.kernel_size = kernel_size
        self.closing = closing
        self.gain = gain
        self.opening_layer = convolution(
            filters, kernel_size, gain=gain, name="opening"
        )
        self.groups = [
            ResidualGroup(filters, size, kernel_size, gain, name=f"group{i}")
            for i, size in enumerate(self.group_sizes, start=1)
        ]
        self.closing_layer = (
            convolution(filters, kernel_size, gain=gain, name="closing")
            if closing
            else None
        )

    def build(self, input_shape: Shape) -> None:
        self.opening_layer.build(input_shape)
        inner = (*input_shape[:-1], self.filters)
        for layer in [*self.groups, self.closing_layer]:
            if layer is not None:
                layer.build(inner)

    def call(self, inputs: Tensor) -> Tensor:
        features = self.opening_layer(inputs)
        for group in self.groups:
            features = group(features)
        return features if self.closing_layer is None else self.closing_layer(features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "group_sizes": self.group_sizes,
            "kernel_size": self.kernel_size,
            "closing": self.closing,
            "gain": self.gain,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class FeatureEncoder(layers.Layer):
    """Features of the image at full, half, quarter and eighth size [IFAN Fig. 3].

    Args:
        base_filters: int, channels at full size; 2, 4 and 4 times as many below.
        kernel_size: int, odd.
        gain: float, of the initial weights.

    Call arguments:
        inputs: (batch, height, width, channels), sizes divisible by 8.

    Returns:
        List of four tensors, finest first.
    """

    def __init__(
        self, base_filters: int, kernel_size: int = 3, gain: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.base_filters = base_filters
        self.kernel_size = kernel_size
        self.gain = gain
        self.widths = [base_filters * factor for factor in (1, 2, 4, 4)]
        self.levels = [
            [
                convolution(
                    width,
                    kernel_size,
                    strides=2 if level > 1 and part == 1 else 1,
                    gain=gain,
                    name=f"conv{level}_{part}",
                )
                for part in (1, 2, 3)
            ]
            for level, width in enumerate(self.widths, start=1)
        ]

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for level, width in zip(self.levels, self.widths):
            for layer in level:
                layer.build((None, None, None, channels))
                channels = width

    def call(self, inputs: Tensor) -> Tensor:
        features, stages = inputs, []
        radius = self.kernel_size // 2
        border = [[0, 0], [radius, radius], [radius, radius], [0, 0]]
        for level in self.levels:
            for layer in level:
                if layer.padding == "valid":  # zeros on all sides, unlike "same"
                    features = ops.pad(features, border)
                features = layer(features)
            stages.append(features)
        return stages

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "kernel_size": self.kernel_size,
            "gain": self.gain,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class DisparityEstimator(layers.Layer):
    """Disparity between the dual-pixel views, from one encoded view [IFAN Sec. 3].

    Args:
        filters: int, channels of the hidden layers.
        num_residual_units: int, in each of the two residual groups.
        kernel_size: int, odd; the last convolution stays 3x3.
        gain, last_gain: float, of the initial weights, and of the last convolution's.

    Call arguments:
        inputs: (batch, height, width, channels), encoded image.

    Returns:
        (batch, height, width, 1) [px of the inputs].
    """

    def __init__(
        self,
        filters: int,
        num_residual_units: int = 2,
        kernel_size: int = 3,
        gain: float = 1.0,
        last_gain: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.num_residual_units = num_residual_units
        self.kernel_size = kernel_size
        self.gain = gain
        self.last_gain = last_gain
        groups = (num_residual_units, num_residual_units)
        self.trunk = ResidualTrunk(
            filters, groups, kernel_size, gain=gain, name="trunk"
        )
        self.disparity = convolution(
            1, 3, activation=None, gain=last_gain, name="disparity"
        )

    def build(self, input_shape: Shape) -> None:
        self.trunk.build(input_shape)
        self.disparity.build((*input_shape[:-1], self.filters))

    def call(self, inputs: Tensor) -> Tensor:
        return self.disparity(self.trunk(inputs))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_residual_units": self.num_residual_units,
            "kernel_size": self.kernel_size,
            "gain": self.gain,
            "last_gain": self.last_gain,
        }


def _leaky_relu_of_sum(features, change):
    """`leaky_relu` of a sum, one of whose terms is a convolution.

    TensorFlow's graph optimizer (2.21, oneDNN) fuses a convolution, its bias, a sum and
    a LeakyRelu into one kernel and forgets the slope on the way: it takes 0.2. It knows
    no such kernel for a maximum.
    """
    total = features + change
    return ops.maximum(total, NEGATIVE_SLOPE * total)


def ifan_initializer(gain=1.0):
    """The authors' initial kernels: Glorot's uniform ones, times `gain`."""
    if gain == 0:
        return keras.initializers.Zeros()
    return keras.initializers.VarianceScaling(
        scale=gain**2, mode="fan_avg", distribution="uniform"
    )


def convolution(
    filters, kernel_size, strides=1, activation=leaky_relu, gain=1.0, name=None
):
    """A convolution as IFAN initialises it; with strides its caller pads."""
    return evenly_padded_convolution(
        filters,
        kernel_size,
        strides,
        activation=activation,
        kernel_initializer=ifan_initializer(gain),
        name=name,
    )
