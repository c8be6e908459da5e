"""IFAN's filters, predicted for every pixel and applied there.

A large blur needs large filters, too many numbers to predict one by one; a sequence of
small separable ones reaches as far (Lee et al., CVPR 2021, Sec. 3).
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.ifan import NEGATIVE_SLOPE, convolution, ifan_initializer
from tf_defocus.ops.adaptive_convolution import (
    computed_after,
    dense_adaptive_convolution,
    separable_adaptive_convolution,
)
from tf_defocus.ops.tensor import Shape, Tensor

FILTER_GAIN = 1.5  # of the filter predictor's initial weights


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
        num_iterations: int,
        filter_size: int = 3,
        predictor_size: int = 1,
        last_activation: bool = True,
        reuse_vertical: bool = False,
        gain: float = FILTER_GAIN,
        identity_start: bool = False,
        **kwargs: Any,
    ) -> None:
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

    def build(self, features_shape: Shape, context_shape: Shape) -> None:
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

    def call(
        self, features: Tensor, context: Tensor, return_filters: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
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

    def get_config(self) -> dict[str, Any]:
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

    def __init__(
        self,
        filter_size: int = 11,
        gain: float = FILTER_GAIN,
        predictor_size: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filter_size = filter_size
        self.gain = gain
        self.predictor_size = predictor_size

    def build(self, features_shape: Shape, context_shape: Shape) -> None:
        self.predictor = convolution(
            self.filter_size**2 * features_shape[-1],
            self.predictor_size,
            activation=None,
            gain=self.gain,
            name="predictor",
        )
        self.predictor.build(context_shape)

    def call(
        self, features: Tensor, context: Tensor, return_filters: bool = False
    ) -> Tensor:
        filters = self.predictor(context)
        features = dense_adaptive_convolution(features, filters, self.filter_size)
        return (features, filters) if return_filters else features

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filter_size": self.filter_size,
            "gain": self.gain,
            "predictor_size": self.predictor_size,
        }
