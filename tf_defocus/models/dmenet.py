"""DMENet: how defocused every pixel is, learned on rendered and on real photographs.

Lee, Lee, Cho, Lee, "Deep Defocus Map Estimation Using Domain Adaptation", CVPR 2019.

Idea: rendered photographs come with the size of their blur, but look unlike real ones.
So a network learns the map from rendered ones, and a discriminator that sees its
features teaches it to see no difference between the two; photographs whose blur is only
marked (defocused or not) calibrate it. With a deconvolution by its map
(`deconvolution.dmenet`) it is the two-step baseline of the later papers.

Inputs:   blurred      (batch, height, width, 3) float32 in [0, 1]
Outputs:  defocus      (batch, height, width, 1) in (0, 1): the circle of confusion [px]
                       over 15, whatever its sign
          auxiliary_1, _2, _4, _8, _16   the same at that part of the size, less precise
          features     (batch, height, width, base_filters), while training: what the
                       discriminator sees
Requires: height and width divisible by `size_multiple` (16).

Source -> code
  encoder: VGG-19                models.dmenet.DMENet        tests/models/dmenet_test.py
  decoder, heads, refinement     layers.dmenet               tests/layers/dmenet_test.py
  the networks that train it     models.dmenet_domains              the models' test
  losses                         training.domain_adaptation
                                              tests/training/domain_adaptation_test.py

Differences from the released weights
  None in the network; `variant` is accepted and changes nothing.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.dmenet import (
    AuxiliaryHead,
    NormalizedConvolution,
    RefinementBlock,
    SymmetricConvolution,
)
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.colors import to_caffe_colors
from tf_defocus.ops.tensor import Tensor

LARGEST_COC = 15.0  # [px], where the map is one
# VGG-19: (factor of the channels, convolutions) from full size to 1/16
ENCODER = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
NUM_REFINEMENTS = 7


@keras.saving.register_keras_serializable(package="tf_defocus")
class DMENet(RestorationNetwork):
    """VGG-19 down, a decoder with skips up, seven refinement blocks at full size.

    Args:
        base_filters: int, even, channels at full resolution.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        Lee et al., CVPR 2019, Sec. 4.
    """

    output_name = "defocus"
    view_names = ("blurred",)
    size_multiple = (16, 16)

    def __init__(
        self, base_filters: int = 64, variant: str = "paper", **kwargs: Any
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        even = base_filters >= 2 and base_filters % 2 == 0
        check_arguments(
            ("base_filters", base_filters, even, "even"),
        )
        self.base_filters = base_filters
        self._add_encoder()
        self._add_decoder()

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px]."""
        encoder = sum(count * 2**level for level, (_, count) in enumerate(ENCODER))
        decoder = 3 * (8 + 4 + 2) + 1 + 2 * NUM_REFINEMENTS + 3
        pooling = 16 - 1  # the rest of the coarse pixel that is reached
        return 2 * (encoder + decoder + pooling) + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Estimates the map; see the module."""
        stages = self.stages(inputs, training=training)
        names = ["defocus", *(f"auxiliary_{2**level}" for level in range(5))]
        if training:
            names.append("features")
        return {name: stages[name] for name in names}

    def stages(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Every named intermediate.

        Returns:
            Dict: `encoded_1` to `encoded_16` (by the part of the size), `auxiliary_16`
            to `auxiliary_1`, `features`, `refined_1` to `refined_7`, `defocus`.
        """
        stages = self._encode(inputs["blurred"])
        features = stages["encoded_16"]
        stages["auxiliary_16"] = self.heads[4](features, training=training)
        for level in (3, 2, 1, 0):
            skip = stages[f"encoded_{2**level}"]
            features = ops.concatenate([self.upsample(features), skip], axis=-1)
            for convolution in self.decoder[level]:
                features = convolution(features, training=training)
            head = self.heads[level](features, training=training)
            stages[f"auxiliary_{2**level}"] = head
        stages["features"] = features
        for index, block in enumerate(self.refinement, start=1):
            features = stages[f"refined_{index}"] = block(features, training=training)
        for convolution in self.closing:
            features = convolution(features, training=training)
        stages["defocus"] = self.defocus(features)
        return stages

    def _encode(self, images):
        features, stages = to_caffe_colors(images), {}
        for level, convolutions in enumerate(self.encoder):
            if level:
                features = self.pool(features)
            for convolution in convolutions:
                features = convolution(features)
            stages[f"encoded_{2**level}"] = features
        return stages

    def _add_encoder(self):
        self.encoder = [
            [
                SymmetricConvolution(
                    factor * self.base_filters, activation="relu", name=f"conv{n}_{i}"
                )
                for i in range(1, count + 1)
            ]
            for n, (factor, count) in enumerate(ENCODER, start=1)
        ]
        self.pool = layers.MaxPooling2D(2, name="pool")

    def _add_decoder(self):
        base = self.base_filters
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")
        widths, counts = (base, base, 2 * base, 4 * base), (1, 3, 3, 3)
        self.decoder = [
            [
                NormalizedConvolution(width, name=f"up{level}_{i}")
                for i in range(1, count + 1)
            ]
            for level, (width, count) in enumerate(zip(widths, counts))
        ]
        self.heads = [
            AuxiliaryHead(width // 2, name=f"head{level}")
            for level, width in enumerate((*widths, 8 * base))
        ]
        self.refinement = [
            RefinementBlock(base, name=f"refinement{i}") for i in range(NUM_REFINEMENTS)
        ]
        self.closing = [
            NormalizedConvolution(base, name="closing_1"),
            NormalizedConvolution(base // 2, name="closing_2"),
        ]
        # The sigmoid alone makes the map: bfloat16 would leave it 8 bits.
        self.defocus = SymmetricConvolution(
            1, activation="sigmoid", dtype="float32", name="defocus"
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
        }
