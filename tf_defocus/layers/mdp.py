"""MDP's blocks: the decoder of one image, in an early and a late half.

The halves meet at half the size, where every late decoder sees what all the early ones
found.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import rectified_convolution
from tf_defocus.ops.tensor import Shape, Tensor


class HalfDecoder(layers.Layer):
    """What both halves take.

    Args:
        base_filters: int, channels of the network at full size.
        **kwargs: of `keras.layers.Layer`.

    Reference:
        [Abuolaim et al., 2022](https://arxiv.org/abs/2108.05251), Fig. 3.
    """

    def __init__(self, base_filters, **kwargs):
        super().__init__(**kwargs)
        self.base_filters = base_filters
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")

    def get_config(self):
        return {**super().get_config(), "base_filters": self.base_filters}


@keras.saving.register_keras_serializable(package="tf_defocus")
class EarlyDecoder(HalfDecoder):
    """From the coarsest features, at 1/16, to half the size.

    Args: of `HalfDecoder`.

    Call arguments:
        features: (batch, height/16, width/16, 8 base_filters).
        skips: the encoder's features at 1/8 and at 1/4.

    Returns:
        dict of every stage: `bottleneck` (1/16), `up8` and `conv8` (1/8), `up4` and
        `conv4` (1/4), `up2` (1/2), of 2 base_filters, the result.
    """

    def __init__(self, base_filters: int, **kwargs: Any) -> None:
        super().__init__(base_filters, **kwargs)
        self.bottleneck = rectified_convolution(16 * base_filters, 3, name="bottleneck")
        self.up8 = rectified_convolution(8 * base_filters, 2, name="up8")
        self.conv8 = rectified_convolution(8 * base_filters, 3, name="conv8")
        self.up4 = rectified_convolution(4 * base_filters, 2, name="up4")
        self.conv4_1 = rectified_convolution(4 * base_filters, 3, name="conv4_1")
        self.conv4_2 = rectified_convolution(4 * base_filters, 3, name="conv4_2")
        self.up2 = rectified_convolution(2 * base_filters, 2, name="up2")

    def build(self, features_shape: Shape, skips_shape: Sequence[Shape]) -> None:
        base, (eighth, quarter) = self.base_filters, (s[-1] for s in skips_shape)
        for layer, channels in (
            (self.bottleneck, features_shape[-1]),
            (self.up8, 16 * base),
            (self.conv8, 8 * base + eighth),
            (self.up4, 8 * base),
            (self.conv4_1, 4 * base + quarter),
            (self.conv4_2, 4 * base),
            (self.up2, 4 * base),
        ):
            layer.build((None, None, None, channels))

    def call(self, features: Tensor, skips: Sequence[Tensor]) -> dict[str, Tensor]:
        stages = {}
        features = stages["bottleneck"] = self.bottleneck(features)
        features = stages["up8"] = self.up8(self.upsample(features))
        features = ops.concatenate([skips[0], features], axis=-1)
        features = stages["conv8"] = self.conv8(features)
        features = stages["up4"] = self.up4(self.upsample(features))
        features = ops.concatenate([skips[1], features], axis=-1)
        features = stages["conv4"] = self.conv4_2(self.conv4_1(features))
        stages["up2"] = self.up2(self.upsample(features))
        return stages


@keras.saving.register_keras_serializable(package="tf_defocus")
class LateDecoder(HalfDecoder):
    """From half the size to an image.

    Args: of `HalfDecoder`.

    Call arguments:
        features: (batch, height/2, width/2, 8 base_filters), the encoder's and those of
            the three early decoders.
        skip: the encoder's features at full size.

    Returns:
        dict of every stage: `conv2` (1/2); `up1`, `conv1`, `colors` (rectified) and
        `image` (batch, height, width, 3) float32 in (0, 1), the result.
    """

    def __init__(self, base_filters: int, **kwargs: Any) -> None:
        super().__init__(base_filters, **kwargs)
        self.conv2_1 = rectified_convolution(2 * base_filters, 3, name="conv2_1")
        self.conv2_2 = rectified_convolution(2 * base_filters, 3, name="conv2_2")
        self.up1 = rectified_convolution(base_filters, 2, name="up1")
        self.conv1_1 = rectified_convolution(base_filters, 3, name="conv1_1")
        self.conv1_2 = rectified_convolution(base_filters, 3, name="conv1_2")
        self.colors = rectified_convolution(3, 3, name="colors")
        # The sigmoid alone makes the image: bfloat16 would leave it 8 bits.
        self.image = layers.Conv2D(
            3, 1, activation="sigmoid", dtype="float32", name="image"
        )

    def build(self, features_shape: Shape, skip_shape: Shape) -> None:
        base = self.base_filters
        for layer, channels in (
            (self.conv2_1, features_shape[-1]),
            (self.conv2_2, 2 * base),
            (self.up1, 2 * base),
            (self.conv1_1, base + skip_shape[-1]),
            (self.conv1_2, base),
            (self.colors, base),
            (self.image, 3),
        ):
            layer.build((None, None, None, channels))

    def call(self, features: Tensor, skip: Tensor) -> dict[str, Tensor]:
        stages = {}
        features = stages["conv2"] = self.conv2_2(self.conv2_1(features))
        features = stages["up1"] = self.up1(self.upsample(features))
        features = ops.concatenate([skip, features], axis=-1)
        features = stages["conv1"] = self.conv1_2(self.conv1_1(features))
        stages["colors"] = self.colors(features)
        stages["image"] = self.image(stages["colors"])
        return stages
