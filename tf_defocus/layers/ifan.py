"""IFAN's blocks: encoders, disparity estimation, and filters predicted per pixel.

A large blur needs large filters, too many numbers to predict one by one; a sequence of
small separable ones reaches as far (Lee et al., CVPR 2021, Sec. 3).
"""

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.ops.adaptive_convolution import (
    computed_after,
    dense_adaptive_convolution,
    separable_adaptive_convolution,
)

NEGATIVE_SLOPE = 0.1
FILTER_GAIN = 1.5  # of the filter predictor's initial weights


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

    def __init__(self, filters, num_units, kernel_size=3, gain=1.0, **kwargs):
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

    def build(self, input_shape):
        for first, second in self.units:
            first.build(input_shape)
            second.build(input_shape)

    def call(self, inputs):
        features = inputs
        for first, second in self.units:
            features = _leaky_relu_of_sum(features, second(first(features)))
        return features + inputs if self.num_units > 1 else features

    def get_config(self):
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
        self, filters, group_sizes, kernel_size=3, closing=False, gain=1.0, **kwargs
    ):
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

    def build(self, input_shape):
        self.opening_layer.build(input_shape)
        inner = (*input_shape[:-1], self.filters)
        for layer in [*self.groups, self.closing_layer]:
            if layer is not None:
                layer.build(inner)

    def call(self, inputs):
        features = self.opening_layer(inputs)
        for group in self.groups:
            features = group(features)
        return features if self.closing_layer is None else self.closing_layer(features)

    def get_config(self):
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

    def __init__(self, base_filters, kernel_size=3, gain=1.0, **kwargs):
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

    def build(self, input_shape):
        channels = input_shape[-1]
        for level, width in zip(self.levels, self.widths):
            for layer in level:
                layer.build((None, None, None, channels))
                channels = width

    def call(self, inputs):
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

    def get_config(self):
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
        filters,
        num_residual_units=2,
        kernel_size=3,
        gain=1.0,
        last_gain=1.0,
        **kwargs,
    ):
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

    def build(self, input_shape):
        self.trunk.build(input_shape)
        self.disparity.build((*input_shape[:-1], self.filters))

    def call(self, inputs):
        return self.disparity(self.trunk(inputs))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_residual_units": self.num_residual_units,
            "kernel_size": self.kernel_size,
            "gain": self.gain,
            "last_gain": self.last_gain,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class IterativeAdaptiveConvolution(layers.Layer):
    """Predicts small separable filters per pixel and applies them in turn [IFAN Eq. 1].

        e_n = lrelu(e_(n-1) * f1_n * f2_n + b_n),   n = 1 .. N

    Each iteration's filters are predicted when they are needed: those of a whole
    photograph at once would take gigabytes.

    Args:
        num_iterations: int, N.
        filter_size: int, odd, length of the 1-D filters.
        predictor_size: int, odd, kernel of the convolution that predicts them.
        last_activation: bool; False leaves out the activation of iteration N.
        reuse_vertical: bool; True applies f1 twice, as the released code does.
        gain: float, of the predictor's initial weights.
        identity_start: bool; True ignores `gain` and starts with filters that leave the
            features alone, of `last_activation=False` with an output of zeros. Random
            filters are small, and after N of them nothing is left to learn from.

    Call arguments:
        features: (batch, height, width, channels).
        context: (batch, height, width, any), what the filters are predicted from.
        return_filters: bool, whether to return the filters too.

    Returns:
        (batch, height, width, channels); with `return_filters` a pair of it and
        (batch, height, width, N * (2 * filter_size + 1) * channels), iteration by
        iteration as `separable_adaptive_convolution` takes them.
    """

    def __init__(
        self,
        num_iterations,
        filter_size=3,
        predictor_size=1,
        last_activation=True,
        reuse_vertical=False,
        gain=FILTER_GAIN,
        identity_start=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_iterations = num_iterations
        self.filter_size = filter_size
        self.predictor_size = predictor_size
        self.last_activation = last_activation
        self.reuse_vertical = reuse_vertical
        self.gain = gain
        self.identity_start = identity_start
        if keras.backend.backend() == "tensorflow":
            self.supports_jit = False  # XLA does not know the native kernel

    def build(self, features_shape, context_shape):
        step = (2 * self.filter_size + 1) * features_shape[-1]
        size = (self.predictor_size, self.predictor_size)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*size, context_shape[-1], self.num_iterations * step),
            initializer="zeros" if self.identity_start else ifan_initializer(self.gain),
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.num_iterations * step,),
            initializer=self._identity if self.identity_start else "zeros",
        )

    def _identity(self, shape, dtype=None):
        """Filters of one tap in the middle, in the layout of the operator."""
        size = self.filter_size
        filters = np.zeros((self.num_iterations, 2 * size + 1, 1), "float32")
        filters[:, [size // 2, size + size // 2]] = 1
        if not self.last_activation:
            filters[-1, size + size // 2] = 0
        channels = shape[0] // filters.size
        filters = np.broadcast_to(filters, (*filters.shape[:2], channels))
        return ops.convert_to_tensor(filters.reshape(shape), dtype=dtype)

    def call(self, features, context, return_filters=False):
        kernel, bias = (ops.convert_to_tensor(w) for w in (self.kernel, self.bias))
        step = bias.shape[0] // self.num_iterations
        predicted = []
        for n in range(self.num_iterations):
            part = slice(n * step, (n + 1) * step)
            context = computed_after(context, features)
            filters = ops.conv(context, kernel[..., part], padding="same") + bias[part]
            last = n == self.num_iterations - 1
            features = separable_adaptive_convolution(
                features,
                filters,
                self.filter_size,
                1.0 if last and not self.last_activation else NEGATIVE_SLOPE,
                self.reuse_vertical,
            )  # e_n [IFAN Eq. 1]
            if return_filters:
                predicted.append(filters)
        if return_filters:
            return features, ops.concatenate(predicted, axis=-1)
        return features

    def get_config(self):
        return {
            **super().get_config(),
            "num_iterations": self.num_iterations,
            "filter_size": self.filter_size,
            "predictor_size": self.predictor_size,
            "last_activation": self.last_activation,
            "reuse_vertical": self.reuse_vertical,
            "gain": self.gain,
            "identity_start": self.identity_start,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class FilterAdaptiveConvolution(layers.Layer):
    """Predicts one dense filter per pixel and channel and applies it [IFAN Tab. 5].

    Linear, without bias: what the iterative layer is compared with.

    Args:
        filter_size: int, odd.
        gain: float, of the predictor's initial weights.
        predictor_size: int, odd, kernel of the convolution that predicts the filters.

    Call arguments:
        features, context, return_filters: as of `IterativeAdaptiveConvolution`.

    Returns:
        As `IterativeAdaptiveConvolution`, with filter_size**2 * channels filters.

    Reference:
        [Zhou et al., 2019](https://arxiv.org/abs/1904.12257), Sec. 3.3.
    """

    def __init__(self, filter_size=11, gain=FILTER_GAIN, predictor_size=1, **kwargs):
        super().__init__(**kwargs)
        self.filter_size = filter_size
        self.gain = gain
        self.predictor_size = predictor_size

    def build(self, features_shape, context_shape):
        self.predictor = convolution(
            self.filter_size**2 * features_shape[-1],
            self.predictor_size,
            activation=None,
            gain=self.gain,
            name="predictor",
        )
        self.predictor.build(context_shape)

    def call(self, features, context, return_filters=False):
        filters = self.predictor(context)
        features = dense_adaptive_convolution(features, filters, self.filter_size)
        return (features, filters) if return_filters else features

    def get_config(self):
        return {
            **super().get_config(),
            "filter_size": self.filter_size,
            "gain": self.gain,
            "predictor_size": self.predictor_size,
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
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        activation=activation,
        kernel_initializer=ifan_initializer(gain),
        name=name,
    )
