"""Restormer's attention between channels, and the projection before it.

What it needs of the image is a sum over pixels, so parts of the image can be projected
one after another (Zamir et al., CVPR 2022, Sec. 3.1).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializers
from tf_defocus.ops.tensor import Shape, Tensor

SMALLEST_NORM = 1e-12  # of a channel, before it is divided by


@keras.saving.register_keras_serializable(package="tf_defocus")
class LocalProjection(layers.Layer):
    """A 1x1 convolution to more channels, then a 3x3 one of each channel alone.

    Args:
        filters: int, channels of the output.
        use_bias: bool, of both convolutions.

    Call arguments:
        inputs: (batch, height, width, channels).
        inside: (height,) bool or None; rows where it is False count as zeros, as those
            beyond the image do, and the first and the last are not returned.

    Returns:
        (batch, height, width, filters), without the two rows if `inside` is given.
    """

    def __init__(self, filters: int, use_bias: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        self.pointwise = pointwise_convolution(
            input_shape[-1], self.filters, self.use_bias, name="pointwise"
        )
        initializers = uniform_initializers(fan_in=3 * 3)
        self.depthwise = layers.DepthwiseConv2D(
            3,
            padding="same",
            use_bias=self.use_bias,
            depthwise_initializer=initializers["kernel_initializer"],
            bias_initializer=initializers["bias_initializer"],
            name="depthwise",
        )
        self.pointwise.build(input_shape)
        self.depthwise.build((*input_shape[:-1], self.filters))

    def call(self, inputs: Tensor, inside: Tensor | None = None) -> Tensor:
        features = self.pointwise(inputs)
        if inside is None:
            return self.depthwise(features)
        return self.depthwise(features * _as_rows(inside, features))[:, 1:-1]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "use_bias": self.use_bias,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ChannelAttention(layers.Layer):
    """Attention between the channels of each head [Restormer Eq. 1].

        A = softmax(temperature * q k^T),   out = A v

    q and k are channels of unit length over all pixels, so that q k^T holds cosines. A
    is one small matrix per head and image; together with the convolution that follows
    it is one matrix, by which every pixel is multiplied. What the whole image decides
    is only q k^T and the lengths, which are sums over pixels: `project` gives them and
    v for any part of the image, `mixing_matrix` takes them summed.

    Args:
        num_heads: int, which divides the channels.
        use_bias: bool, of all convolutions.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        The same shape.
    """

    def __init__(self, num_heads: int, use_bias: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self.projection = LocalProjection(
            3 * channels, self.use_bias, name="projection"
        )
        self.projection.build(input_shape)
        self.temperature = self.add_weight(
            name="temperature", shape=(self.num_heads, 1, 1), initializer="ones"
        )
        self.output_convolution = pointwise_convolution(
            channels, channels, self.use_bias, name="output"
        )
        self.output_convolution.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        values, products = self.project(inputs)
        return self.mix(values, self.mixing_matrix(products))

    def project(
        self, inputs: Tensor, inside: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """v of the pixels given, and what they add to the sums over the image.

        Args:
            inputs, inside: of `LocalProjection`.

        Returns:
            (v (batch, height, width, channels), dict of float32: "products" q k^T
            (batch, heads, channels/heads, channels/heads) and "lengths" (batch, 2,
            heads, channels/heads), the squared lengths of q and k).
        """
        query, key, value = ops.split(self.projection(inputs, inside), 3, axis=-1)
        batch, height, width, channels = ops.shape(value)
        shape = (batch, height * width, self.num_heads, channels // self.num_heads)
        # Sums over millions of pixels: float16 would overflow, bfloat16 would stall.
        query, key = (ops.cast(part, "float32") for part in (query, key))
        if inside is not None:  # nothing may be counted twice
            query, key = (part * _as_rows(inside[1:-1], part) for part in (query, key))
        query, key = (ops.reshape(part, shape) for part in (query, key))
        lengths = [ops.sum(ops.square(part), axis=1) for part in (query, key)]
        products = ops.einsum("bphc,bphd->bhcd", query, key)
        return value, {"products": products, "lengths": ops.stack(lengths, axis=1)}

    def mixing_matrix(self, sums: dict[str, Tensor]) -> Tensor:
        """Attention and the last convolution in one: (batch, channels, channels)."""
        lengths = ops.sqrt(ops.maximum(sums["lengths"], SMALLEST_NORM**2))
        query, key = lengths[:, 0], lengths[:, 1]
        cosines = sums["products"] / (
            ops.expand_dims(query, -1) * ops.expand_dims(key, -2)
        )
        temperature = ops.cast(self.temperature, "float32")
        attention = ops.softmax(temperature * cosines, axis=-1)  # [Restormer Eq. 1]
        kernel = ops.cast(self.output_convolution.kernel, "float32")
        channels = kernel.shape[-1]
        kernel = ops.reshape(kernel, (self.num_heads, -1, channels))
        matrix = ops.einsum("bhcd,hco->bhdo", attention, kernel)
        return ops.reshape(matrix, (-1, channels, channels))

    def mix(self, values: Tensor, matrix: Tensor) -> Tensor:
        """Every pixel of v times the image's matrix of `mixing_matrix`."""
        batch, height, width, channels = ops.shape(values)
        pixels = ops.reshape(values, (batch, height * width, channels))
        mixed = ops.matmul(pixels, ops.cast(matrix, self.compute_dtype))
        if self.use_bias:
            mixed = mixed + ops.cast(self.output_convolution.bias, self.compute_dtype)
        return ops.reshape(mixed, (batch, height, width, channels))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "use_bias": self.use_bias,
        }


def pointwise_convolution(channels, filters, use_bias, name):
    """A 1x1 convolution, initialised as the authors' are."""
    return layers.Conv2D(
        filters, 1, use_bias=use_bias, name=name, **uniform_initializers(channels)
    )


def _as_rows(inside, features):
    """`inside` (height,) as a factor of features (batch, height, width, channels)."""
    return ops.cast(inside, features.dtype)[None, :, None, None]
