"""Restormer: a transformer whose attention is between channels, not pixels.

Zamir, Arora, Khan, Hayat, Khan, Yang, "Restormer: Efficient Transformer for
High-Resolution Image Restoration", CVPR 2022. <https://arxiv.org/abs/2111.09881>

Idea: attention compares everything with everything, which for the pixels of a
photograph is too much. Here each channel is compared with each other one instead, by
how alike they are over the whole image; the cost grows with the image as that of a
convolution does. A gated feed-forward network decides what goes on to the next block,
and both look at neighbouring pixels through convolutions of each channel alone.

Inputs:   blurred       (batch, height, width, 3) float32 in [0, 1]
          left, right   the same, in place of it, for `views=2`
Outputs:  deblurred     the same shape; not clipped
Requires: height and width divisible by 8.

At inference its blocks work strip by strip (`ops.strips`), exactly: a photograph of
1680x1120 takes 4.2 GiB in float32, measured by `tools/benchmark/network.py restore`;
`tools/benchmark/restormer.py` times it beside the same network in PyTorch, which took
2.1 times its processor time at 512x512. Tiles approximate: the attention of each sees
that tile alone. With fresh weights of 16 base filters a photograph of 840x560 in tiles
of 512 differs by 1.2/255 on average, by 67/255 at most; the mean jump across a seam is
3.1/255, across other lines 3.4/255 (`tools/benchmark/tiling.py --preset FOLDER --size
840x560 --tile 512`).

Paper -> code
  [Restormer Eq. 1]   layers.restormer_attention.ChannelAttention
                                                 tests/layers/restormer_test.py
  [Restormer Eq. 2]   layers.restormer.GatedFeedForward
                                                 tests/layers/restormer_test.py
  [Restormer Fig. 2]  models.restormer.Restormer tests/models/restormer_test.py
  [Restormer Sec. 3.3] configs.restormer         tests/configs/restormer_test.py

Differences from the paper
  The cosines are multiplied by a learned temperature; the paper divides by it.
  With two views no image is added to the output; a 1x1 convolution adds the first
  features to the last ones instead. The paper shows one view only; so the code does.
Differences from the released weights
  None; `variant` is accepted and changes nothing.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_defocus.layers.restormer import (
    TransformerBlock,
    convolution,
)
from tf_defocus.layers.restormer_attention import pointwise_convolution
from tf_defocus.models.base import check_arguments
from tf_defocus.models.four_sizes import LEVELS, FourSizesNetwork
from tf_defocus.ops.tensor import Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class Restormer(FourSizesNetwork):
    """Transformer blocks at four sizes, down and up again [Restormer Fig. 2].

    Args:
        base_filters: int, even, channels at full size; doubled at every halving.
        num_blocks: four int, transformer blocks at each size.
        num_heads: four int, attention heads at each size; they divide the channels.
        num_refinement_blocks: int, further blocks at full size at the end.
        expansion_factor: float, hidden channels of the feed-forward networks per
            channel.
        use_bias: bool, in the transformer blocks and where channels are reduced.
        center_normalization: bool; False normalises without subtracting the mean.
        views: 1 (photograph) or 2 (left and right dual-pixel views).
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Zamir et al., 2022](https://arxiv.org/abs/2111.09881), Fig. 2.
    """

    # The attention pools over the whole image: a tile only approximates.
    exact_tiling = False

    def __init__(
        self,
        base_filters: int = 48,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        num_heads: Sequence[int] = (1, 2, 4, 8),
        num_refinement_blocks: int = 4,
        expansion_factor: float = 2.66,
        use_bias: bool = False,
        center_normalization: bool = True,
        views: int = 1,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        kwargs.update(views=views, variant=variant)
        super().__init__(base_filters, num_blocks, expansion_factor, **kwargs)
        heads = len(num_heads) == LEVELS and min(num_heads) >= 1
        heads = heads and not any(
            base_filters * 2**level % count for level, count in enumerate(num_heads)
        )
        divide = "four numbers, which divide the channels of each size"
        refined = num_refinement_blocks >= 0
        check_arguments(
            ("num_heads", num_heads, heads, divide),
            ("num_refinement_blocks", num_refinement_blocks, refined, "at least 0"),
        )
        self.num_heads = tuple(num_heads)
        self.num_refinement_blocks = num_refinement_blocks
        self.use_bias = use_bias
        self.center_normalization = center_normalization
        self._add_layers()

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on through convolutions [px].

        Beyond it reaches the attention, which pools over the whole image.
        """
        reach = 2  # the first and the last convolution
        for level, blocks in enumerate(self.num_blocks):
            convolutions = 2 * 2 * blocks + 2  # down and up: two a block, one between
            if level == LEVELS - 1:
                convolutions = 2 * blocks + 1
            if level == 0:
                convolutions = 2 * (2 * blocks + self.num_refinement_blocks) + 1
            reach += 2**level * convolutions
        shifts = 2 ** (LEVELS - 1) - 1  # the rest of the coarse pixel that is reached
        return 2 * (reach + shifts) + 1

    def stages(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Every named intermediate, in the order it is computed.

        Returns:
            Dict: `patch_embed`, `enc1` to `enc3` and `latent` (the blocks of each size
            on the way down), `down1_2` to `down3_4` between them, `up4_3` to `up2_1`,
            `reduce3`, `reduce2` and `dec3` to `dec1` on the way up, `refinement`,
            `skip_conv` (with two views) and `output`.
        """
        images = [ops.convert_to_tensor(inputs[name]) for name in self.view_names]
        stages = {"patch_embed": self.patch_embedding(ops.concatenate(images, axis=-1))}
        features = self._encode(stages, stages["patch_embed"], training)
        features = self._decode(stages, features, training)
        for block in self.refinement:
            features = block(features, training=training)
        stages["refinement"] = features
        if self.views == 2:
            stages["skip_conv"] = self.skip_convolution(stages["patch_embed"])
            features = features + stages["skip_conv"]
        output = ops.cast(self.output_convolution(features), "float32")
        stages["output"] = output if self.views == 2 else output + images[0]
        return stages

    def _add_layers(self):
        base, use_bias = self.base_filters, self.use_bias
        self.patch_embedding = convolution(3 * self.views, base, name="patch_embedding")
        self._add_levels(use_bias)
        self.refinement = self._blocks(1, self.num_refinement_blocks, "refinement")
        if self.views == 2:
            self.skip_convolution = pointwise_convolution(
                base, 2 * base, use_bias, name="skip_convolution"
            )
        self.output_convolution = convolution(2 * base, 3, use_bias, name="output")

    def _blocks(self, level, count, name):
        return [
            TransformerBlock(
                self.num_heads[level - 1],
                self.expansion_factor,
                self.use_bias,
                self.center_normalization,
                name=f"{name}_{index}",
            )
            for index in range(1, count + 1)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_refinement_blocks": self.num_refinement_blocks,
            "use_bias": self.use_bias,
            "center_normalization": self.center_normalization,
        }
