"""DRBNet: an image rebuilt from an eighth of its size by filters for every pixel.

Ruan, Chen, Li, Lam, "Learning to Deblur using Light Field Generated and Real Defocus
Images", CVPR 2022. <https://arxiv.org/abs/2204.00442>

Idea: defocus blur differs from pixel to pixel, so filters are predicted for each one;
but no small filter undoes a large blur. At an eighth of the size the blur is small. So
the image is filtered there first, and what comes out is enlarged and filtered at twice
the size, three times. A residual adds what no filter of the blurred image can give.

Inputs:   blurred       (batch, height, width, 3) float32 in [0, 1]
          left, right   the same, for `views=2` (blurred: the centre view)
Outputs:  deblurred     the same shape, clipped to [0, 1] as by the authors
Requires: height and width divisible by 8.

Paper -> code
  dynamic residual block   layers.drbnet.DynamicResidualBlock,
                           ops.adaptive_convolution.dense_adaptive_convolution
                                                     tests/layers/drbnet_test.py
  the network              models.drbnet.DRBNet      tests/models/drbnet_test.py

Differences from the paper
  Enlarging an image repeats its pixels; so the released code does.
  With two views the encoder sees right before left; the image that is filtered is the
  centre view.
Differences from the released weights
  None; `variant` is accepted and changes nothing.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.drbnet import (
    DynamicResidualBlock,
    ResidualUnit,
    convolution,
    doubling,
)
from tf_defocus.models.base import MonoOrDualNetwork, check_arguments
from tf_defocus.ops.tensor import Tensor

STRIDE = 8  # pixels of the image per pixel of the coarsest features
WIDTHS = (1, 2, 4, 8)  # of the features at each size, times base_filters
# Coarsest size first: channels of the block's convolutions on the image, before the
# filters, and before the residual; all times base_filters.
BLOCKS = (
    ((2, 4, 8), (8, 4), (8, 2)),
    ((2, 4, 4), (4, 4), (4, 2)),
    ((2, 2, 2), (2, 2), (2, 2)),
    ((2, 2, 1), (2, 2), (2, 2)),
)


@keras.saving.register_keras_serializable(package="tf_defocus")
class DRBNet(MonoOrDualNetwork):
    """Encoder, and a dynamic residual block at every size on the way up.

    Args:
        base_filters: int, channels at full size; doubled at every halving.
        filter_size: int, odd, of the predicted filters.
        views: 1 (photograph) or 2 (left and right dual-pixel views for the encoder).
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Ruan et al., 2022](https://arxiv.org/abs/2204.00442).
    """

    dual_view_names = ("blurred", "left", "right")
    size_multiple = (STRIDE, STRIDE)

    def __init__(
        self,
        base_filters: int = 32,
        filter_size: int = 7,
        views: int = 1,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(views=views, variant=variant, **kwargs)
        odd = filter_size >= 1 and filter_size % 2 == 1
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
            ("filter_size", filter_size, odd, "odd"),
        )
        self.base_filters = base_filters
        self.filter_size = filter_size
        self._add_encoder()
        self._add_decoder()

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        encoder = (
            38 + 6 * STRIDE
        )  # as IFAN's; six 3x3 convolutions at the coarsest size
        # A block sees five 3x3 convolutions far, three of them on the image, or as far
        # as its filters; the coarsest sees the encoder's features through two.
        block = max(5, self.filter_size // 2)
        coarsest = max(encoder + 2 * STRIDE, block * STRIDE)
        shifts = STRIDE - 1  # the rest of the coarse pixel that is reached
        return 2 * (coarsest + (4 + 2 + 1) * block + shifts) + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        output = self.stages(inputs)["output"]
        return {"deblurred": (output + 1) / 2}

    def stages(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every named intermediate, in the order it is computed; images in [-1, 1].

        Returns:
            Dict: `f_enc` (the coarsest features of the encoder), `img_d8` (the image at
            an eighth), `est_d8` to `est_d1` (estimates at each size), the enlarged
            `est_d4_up` to `est_d1_up`, `f_d8` to `f_d1` (features that a block sees)
            and `output` (`est_d1`, clipped).
        """
        images = {n: 2 * ops.convert_to_tensor(inputs[n]) - 1 for n in self.view_names}
        names = ("blurred",) if self.views == 1 else ("right", "left")
        skips = self._encode(ops.concatenate([images[n] for n in names], axis=-1))
        features = skips[-1]
        stages = {"f_enc": features}
        for layer in self.context:
            features = layer(features)
        estimate = self.reduce(images["blurred"])
        stages["img_d8"] = estimate
        for index, block in enumerate(self.blocks):
            size = STRIDE // 2**index
            if index:
                upsample, *units = self.decoder[index - 1]
                features = upsample(features) + skips[-1 - index]
                for unit in units:
                    features = unit(features)
                estimate = stages[f"est_d{size}_up"] = self.repeat(estimate)
            stages[f"f_d{size}"] = features
            estimate = stages[f"est_d{size}"] = block(estimate, features)
        stages["output"] = ops.clip(estimate, -1, 1)
        return stages

    def _encode(self, features):
        """Features of every size, finest first."""
        stages = []
        for level in self.encoder:
            for layer in level:
                if layer.padding == "valid":  # zeros on all sides, unlike "same"
                    features = ops.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
                features = layer(features)
            stages.append(features)
        return stages

    def _add_encoder(self):
        channels = 3 * self.views
        self.encoder = []
        for level, width in enumerate(self._scaled(WIDTHS), start=1):
            layers_of_level = []
            for part in (1, 2, 3):
                strides = 2 if level > 1 and part == 1 else 1
                name = f"conv{level}_{part}"
                layers_of_level.append(
                    convolution(channels, width, strides=strides, name=name)
                )
                channels = width
            self.encoder.append(layers_of_level)
        self.context = [
            convolution(channels, channels, name="context1"),
            ResidualUnit(channels, name="context2"),
            ResidualUnit(channels, name="context3"),
            convolution(channels, channels, name="context4"),
        ]

    def _add_decoder(self):
        self.reduce = layers.AveragePooling2D(STRIDE, dtype="float32", name="reduce")
        self.repeat = layers.UpSampling2D(
            2, interpolation="nearest", dtype="float32", name="repeat"
        )
        self.blocks = [
            DynamicResidualBlock(
                *(self._scaled(widths) for widths in block),
                self.filter_size,
                name=f"block{STRIDE // 2**index}",
            )
            for index, block in enumerate(BLOCKS)
        ]
        widths = self._scaled(WIDTHS)[::-1]
        self.decoder = [
            (
                doubling(width, name=f"doubling{level}"),
                ResidualUnit(width, name=f"refine{level}_1"),
                ResidualUnit(width, name=f"refine{level}_2"),
            )
            for level, width in zip((3, 2, 1), widths[1:])
        ]

    def _scaled(self, widths):
        return tuple(self.base_filters * width for width in widths)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "filter_size": self.filter_size,
        }
