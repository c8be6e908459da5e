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

import keras
from keras import ops

from tf_defocus.layers.restormer import (
    Doubling,
    Halving,
    TransformerBlock,
    convolution,
)
from tf_defocus.layers.restormer_attention import pointwise_convolution
from tf_defocus.models.base import (
    RestorationNetwork,
    check_arguments,
    check_choice,
)

LEVELS = 4  # resolutions it works at, each half the one before


@keras.saving.register_keras_serializable(package="tf_defocus")
class Restormer(RestorationNetwork):
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
        base_filters=48,
        num_blocks=(4, 6, 6, 8),
        num_heads=(1, 2, 4, 8),
        num_refinement_blocks=4,
        expansion_factor=2.66,
        use_bias=False,
        center_normalization=True,
        views=1,
        variant="paper",
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check(base_filters, num_blocks, num_heads, expansion_factor)
        refined = num_refinement_blocks >= 0
        check_arguments(
            ("num_refinement_blocks", num_refinement_blocks, refined, "at least 0")
        )
        check_choice("views", views, (1, 2))
        check_choice("variant", variant, ("paper", "released"))
        self.base_filters = base_filters
        self.num_blocks = tuple(num_blocks)
        self.num_heads = tuple(num_heads)
        self.num_refinement_blocks = num_refinement_blocks
        self.expansion_factor = expansion_factor
        self.use_bias = use_bias
        self.center_normalization = center_normalization
        self.views = views
        self.variant = variant
        self._add_encoder()
        self._add_decoder()

    @property
    def view_names(self):
        """Names of the input images."""
        return ("blurred",) if self.views == 1 else ("left", "right")

    @property
    def size_multiple(self):
        """What height and width must divide by."""
        return 2 ** (LEVELS - 1), 2 ** (LEVELS - 1)

    @property
    def receptive_field(self):
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

    def call(self, inputs, training=None):
        return {"deblurred": self.stages(inputs, training=training)["output"]}

    def stages(self, inputs, training=None):
        """Every named intermediate, in the order it is computed.

        Returns:
            Dict: `patch_embed`, `enc1` to `enc3` and `latent` (the blocks of each size
            on the way down), `down1_2` to `down3_4` between them, `up4_3` to `up2_1`,
            `reduce3`, `reduce2` and `dec3` to `dec1` on the way up, `refinement`,
            `skip_conv` (with two views) and `output`.
        """
        images = [ops.convert_to_tensor(inputs[name]) for name in self.view_names]
        stages = {"patch_embed": self.patch_embedding(ops.concatenate(images, axis=-1))}
        features = self._encode(stages, training)
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

    def _encode(self, stages, training):
        features = stages["patch_embed"]
        for level, blocks in enumerate(self.encoder, start=1):
            if level > 1:
                features = self.halvings[level - 2](features)
                stages[f"down{level - 1}_{level}"] = features
            for block in blocks:
                features = block(features, training=training)
            stages[f"enc{level}" if level < LEVELS else "latent"] = features
        return features

    def _decode(self, stages, features, training):
        for level in range(LEVELS - 1, 0, -1):
            features = stages[f"up{level + 1}_{level}"] = self.doublings[level - 1](
                features
            )
            features = ops.concatenate([features, stages[f"enc{level}"]], axis=-1)
            if level > 1:
                features = self.reductions[level - 2](features)
                stages[f"reduce{level}"] = features
            for block in self.decoder[level - 1]:
                features = block(features, training=training)
            stages[f"dec{level}"] = features
        return features

    def _add_encoder(self):
        base = self.base_filters
        self.patch_embedding = convolution(3 * self.views, base, name="patch_embedding")
        self.encoder = [
            self._blocks(level, count, f"encoder{level}")
            for level, count in enumerate(self.num_blocks, start=1)
        ]
        self.halvings = [Halving(name=f"halving{level}") for level in (1, 2, 3)]

    def _add_decoder(self):
        base = self.base_filters
        self.doublings = [Doubling(name=f"doubling{level}") for level in (1, 2, 3)]
        self.reductions = [
            pointwise_convolution(
                width, width // 2, self.use_bias, name=f"reduction{level}"
            )
            for level, width in ((2, 4 * base), (3, 8 * base))
        ]
        self.decoder = [
            self._blocks(level, count, f"decoder{level}")
            for level, count in enumerate(self.num_blocks[:-1], start=1)
        ]
        self.refinement = self._blocks(1, self.num_refinement_blocks, "refinement")
        if self.views == 2:
            self.skip_convolution = pointwise_convolution(
                base, 2 * base, self.use_bias, name="skip_convolution"
            )
        self.output_convolution = convolution(2 * base, 3, self.use_bias, name="output")

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

    def get_config(self):
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_blocks": self.num_blocks,
            "num_heads": self.num_heads,
            "num_refinement_blocks": self.num_refinement_blocks,
            "expansion_factor": self.expansion_factor,
            "use_bias": self.use_bias,
            "center_normalization": self.center_normalization,
            "views": self.views,
            "variant": self.variant,
        }


def _check(base_filters, num_blocks, num_heads, expansion_factor):
    even = base_filters >= 2 and base_filters % 2 == 0
    counts = len(num_blocks) == LEVELS and min(num_blocks) >= 0
    heads = len(num_heads) == LEVELS and min(num_heads) >= 1
    heads = heads and not any(
        base_filters * 2**level % count for level, count in enumerate(num_heads)
    )
    hidden = base_filters * expansion_factor >= 1
    divide = "four numbers, which divide the channels of each size"
    check_arguments(
        ("base_filters", base_filters, even, "even and at least 2"),
        ("num_blocks", num_blocks, counts, "four numbers, none below 0"),
        ("num_heads", num_heads, heads, divide),
        ("expansion_factor", expansion_factor, hidden, "1 / base_filters at least"),
    )
