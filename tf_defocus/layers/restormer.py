"""Restormer's blocks: attention between channels, and a gated feed-forward network.

Attention between all pixels of a photograph cannot be computed. Attention between its
channels can: a small matrix says how much of every channel goes into every other, from
how alike the two are over the whole image (Zamir et al., CVPR 2022).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializers
from tf_defocus.layers.restormer_attention import (
    ChannelAttention,
    LocalProjection,
    pointwise_convolution,
)
from tf_defocus.ops.strips import join_strips, map_strips, needs_strips
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class ChannelNormalization(layers.Layer):
    """Layer normalisation of every pixel over its channels.

        y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
        y = x / sqrt(variance + epsilon) * gamma               without centring

    The variance is that about the mean in both; it is not a root mean square.

    Args:
        center: bool, whether to subtract the mean and to add beta.
        epsilon: float, inside the root.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        The same shape; computed in float32.
    """

    def __init__(
        self, center: bool = True, epsilon: float = 1e-5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.center = center
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        if self.center:
            self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        values = ops.cast(inputs, "float32")
        centred = values - ops.mean(values, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        values = centred if self.center else values
        values = values * ops.rsqrt(variance + self.epsilon)
        values = values * ops.cast(self.gamma, "float32")
        if self.center:
            values = values + ops.cast(self.beta, "float32")
        return ops.cast(values, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "center": self.center,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class GatedFeedForward(layers.Layer):
    """One half of the projected channels gates the other [Restormer Eq. 2].

        out = W (gelu(a) . b),   (a, b) = halves of the local projection

    Args:
        hidden_filters: int, channels of each half.
        use_bias: bool, of all convolutions.

    Call arguments:
        inputs, inside: of `LocalProjection`.

    Returns:
        As `LocalProjection`, with the channels of the inputs.
    """

    def __init__(
        self, hidden_filters: int, use_bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_filters = hidden_filters
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        self.projection = LocalProjection(
            2 * self.hidden_filters, self.use_bias, name="projection"
        )
        self.projection.build(input_shape)
        self.output_convolution = pointwise_convolution(
            self.hidden_filters, input_shape[-1], self.use_bias, name="output"
        )
        self.output_convolution.build((*input_shape[:-1], self.hidden_filters))

    def call(self, inputs: Tensor, inside: Tensor | None = None) -> Tensor:
        gate, features = ops.split(self.projection(inputs, inside), 2, axis=-1)
        gate = ops.gelu(gate, approximate=False)
        return self.output_convolution(gate * features)  # [Restormer Eq. 2]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_filters": self.hidden_filters,
            "use_bias": self.use_bias,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class TransformerBlock(layers.Layer):
    """Normalised channel attention, then a normalised feed-forward network.

        x <- x + attention(norm(x)),   x <- x + feed_forward(norm(x))

    At inference both are computed strip by strip, exactly: the attention's sums over
    the image are summed over its strips.

    Args:
        num_heads: int, which divides the channels.
        expansion_factor: float; the feed-forward network has `int(channels *
            expansion_factor)` hidden channels.
        use_bias: bool, of all convolutions.
        center_normalization: bool, of `ChannelNormalization`.

    Call arguments:
        inputs: (batch, height, width, channels).
        training: bool; True computes whole images, as gradients need all of it anyway.

    Returns:
        The same shape.
    """

    def __init__(
        self,
        num_heads: int,
        expansion_factor: float = 2.66,
        use_bias: bool = False,
        center_normalization: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.expansion_factor = expansion_factor
        self.use_bias = use_bias
        self.center_normalization = center_normalization

    def build(self, input_shape: Shape) -> None:
        hidden = int(input_shape[-1] * self.expansion_factor)
        center, use_bias = self.center_normalization, self.use_bias
        self.norm1 = ChannelNormalization(center, name="norm1")
        self.attention = ChannelAttention(self.num_heads, use_bias, name="attention")
        self.norm2 = ChannelNormalization(center, name="norm2")
        self.feed_forward = GatedFeedForward(hidden, use_bias, name="feed_forward")
        for part in (self.norm1, self.attention, self.norm2, self.feed_forward):
            part.build(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if training or not needs_strips(inputs):
            features = inputs + self.attention(self.norm1(inputs))
            return features + self.feed_forward(self.norm2(features))
        height = ops.shape(inputs)[1]
        values, sums = map_strips(self._project, inputs)
        sums = keras.tree.map_structure(lambda x: ops.sum(x, axis=1), sums)
        matrix = self.attention.mixing_matrix(sums)
        values = join_strips(values, height)
        features = inputs + self.attention.mix(values, matrix)
        return join_strips(map_strips(self._transform, features), height)

    def _project(self, strip, inside):
        return self.attention.project(self.norm1(strip), inside)

    def _transform(self, strip, inside):
        return strip[:, 1:-1] + self.feed_forward(self.norm2(strip), inside)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "expansion_factor": self.expansion_factor,
            "use_bias": self.use_bias,
            "center_normalization": self.center_normalization,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class Halving(layers.Layer):
    """Half the size, twice the channels: a 3x3 convolution, then pixels as channels.

    The 2x2 pixels of a channel become neighbouring channels, row by row.

    Call arguments:
        inputs: (batch, height, width, channels), even sizes and channels.

    Returns:
        (batch, height/2, width/2, 2 * channels).
    """

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self.convolution = convolution(channels, channels // 2, name="convolution")
        self.convolution.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        features = ops.space_to_depth(self.convolution(inputs), 2)
        batch, height, width, channels = ops.shape(features)
        # From all channels of one pixel together to all pixels of one channel.
        features = ops.reshape(features, (batch, height, width, 4, channels // 4))
        features = ops.transpose(features, (0, 1, 2, 4, 3))
        return ops.reshape(features, (batch, height, width, channels))


@keras.saving.register_keras_serializable(package="tf_defocus")
class Doubling(layers.Layer):
    """Twice the size, half the channels: a 3x3 convolution, then channels as pixels.

    Call arguments:
        inputs: (batch, height, width, channels), even channels.

    Returns:
        (batch, 2 * height, 2 * width, channels/2).
    """

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self.convolution = convolution(channels, 2 * channels, name="convolution")
        self.convolution.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.depth_to_space(self.convolution(inputs), 2)


def convolution(channels, filters, use_bias=False, name=None):
    """A 3x3 convolution, initialised as the authors' are."""
    return layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=use_bias,
        name=name,
        **uniform_initializers(9 * channels),
    )
