"""LaKDNet's blocks: large kernels of each channel alone, then a gated network.

What attention gives to an image, a wide view, a large kernel gives as well, and where
it works on each channel alone it costs little (Ruan et al., 2023). The gated
feed-forward network and the normalisation are Restormer's.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializers
from tf_defocus.layers.restormer import (
    ChannelNormalization,
    GatedFeedForward,
)
from tf_defocus.layers.restormer_attention import pointwise_convolution
from tf_defocus.ops.strips import join_strips, map_strips, needs_strips
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class LargeKernelMixer(layers.Layer):
    """Mixes pixels by large kernels and channels by 1x1 convolutions, twice.

        s <- z + gelu(depthwise(s));  s <- z + gelu(pointwise(s))      from s = z

    Every shortcut adds the mixer's own input z.

    Args:
        kernel_size: int, odd, of the convolutions of each channel alone.

    Call arguments:
        inputs: (batch, height, width, channels), z.

    Returns:
        The same shape.
    """

    def __init__(self, kernel_size: int = 9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        initializer = uniform_initializers(self.kernel_size**2)["kernel_initializer"]
        self.steps = [
            (
                layers.DepthwiseConv2D(
                    self.kernel_size,
                    padding="same",
                    use_bias=False,
                    depthwise_initializer=initializer,
                    name=f"depthwise{index}",
                ),
                pointwise_convolution(
                    channels, channels, True, name=f"pointwise{index}"
                ),
            )
            for index in (1, 2)
        ]
        for step in self.steps:
            for convolution in step:
                convolution.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        features = inputs
        for step in self.steps:
            for convolution in step:
                mixed = ops.gelu(convolution(features), approximate=False)
                features = inputs + mixed
        return features

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable(package="tf_defocus")
class LargeKernelBlock(layers.Layer):
    """A normalised mixer, then a normalised feed-forward network of what it changed.

        y = x + mixer(norm(x));   out = x + feed_forward(norm(y))

    The second shortcut adds x, not y: the mixer acts through the network only. At
    inference that is computed strip by strip, exactly.

    Args:
        kernel_size: int, odd, of `LargeKernelMixer`.
        expansion_factor: float; the feed-forward network has `int(channels *
            expansion_factor)` hidden channels.

    Call arguments:
        inputs: (batch, height, width, channels).
        training: bool; True computes whole images, as gradients need all of it anyway.

    Returns:
        The same shape.
    """

    def __init__(
        self, kernel_size: int = 9, expansion_factor: float = 2.3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.expansion_factor = expansion_factor

    def build(self, input_shape: Shape) -> None:
        hidden = int(input_shape[-1] * self.expansion_factor)
        self.norm1 = ChannelNormalization(name="norm1")
        self.mixer = LargeKernelMixer(self.kernel_size, name="mixer")
        self.norm2 = ChannelNormalization(name="norm2")
        self.feed_forward = GatedFeedForward(hidden, name="feed_forward")
        for part in (self.norm1, self.mixer, self.norm2, self.feed_forward):
            part.build(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        mixed = inputs + self.mixer(self.norm1(inputs))
        if training or not needs_strips(inputs):
            return inputs + self.feed_forward(self.norm2(mixed))
        strips = map_strips(self._transform, mixed)
        return inputs + join_strips(strips, ops.shape(inputs)[1])

    def _transform(self, strip, inside):
        return self.feed_forward(self.norm2(strip), inside)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "expansion_factor": self.expansion_factor,
        }
