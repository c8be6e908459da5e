"""LaKDNet: large kernels in the place of attention.

Ruan, Bemana, Seidel, Myszkowski, Chen, "Revisiting Image Deblurring with an Efficient
ConvNet", 2023. <https://arxiv.org/abs/2302.02234>

Idea: transformers deblur well because they look far. A convolution looks as far if its
kernel is large, and stays cheap if it works on each channel alone. So Restormer's frame
is kept, and each attention becomes two 9x9 convolutions of single channels with 1x1
convolutions between them.

Inputs:   blurred       (batch, height, width, 3) float32 in [0, 1]
          left, right   the same, beside it, for `views=2`
Outputs:  deblurred     the same shape, clipped to [0, 1]
Requires: height and width divisible by 8.

Source -> code
  mixer, block               layers.lakdnet         tests/layers/lakdnet_test.py
  feed-forward network, normalisation, halving, doubling
                             layers.restormer       tests/layers/restormer_test.py
  network                    models.lakdnet.LaKDNet tests/models/lakdnet_test.py

Differences from the paper
  The released code's network; the paper's figures leave the shortcuts' ends open.
Differences from the released weights
  None; `variant` is accepted and changes nothing.
"""

import keras
from keras import ops

from tf_defocus.layers.lakdnet import LargeKernelBlock
from tf_defocus.layers.restormer import (
    Doubling,
    Halving,
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
class LaKDNet(RestorationNetwork):
    """Large-kernel blocks at four sizes, down and up again.

    Args:
        base_filters: int, even, channels at full size; doubled at every halving.
        num_blocks: four int, blocks at each size.
        kernel_size: int, odd, of the large kernels.
        expansion_factor: float, hidden channels of the feed-forward networks per
            channel.
        views: 1 (photograph) or 2 (with left and right dual-pixel views).
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Ruan et al., 2023](https://arxiv.org/abs/2302.02234), Fig. 2.
    """

    # Exact tiles would need a margin of some 2700 px: tiles are blended instead.
    exact_tiling = False
    size_multiple = (2 ** (LEVELS - 1), 2 ** (LEVELS - 1))

    def __init__(
        self,
        base_filters=32,
        num_blocks=(8, 12, 12, 16),
        kernel_size=9,
        expansion_factor=2.3,
        views=1,
        variant="paper",
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check(base_filters, num_blocks, kernel_size, expansion_factor)
        check_choice("views", views, (1, 2))
        check_choice("variant", variant, ("paper", "released"))
        self.base_filters = base_filters
        self.num_blocks = tuple(num_blocks)
        self.kernel_size = kernel_size
        self.expansion_factor = expansion_factor
        self.views = views
        self.variant = variant
        self._add_encoder()
        self._add_decoder()

    @property
    def view_names(self):
        """Names of the input images."""
        return ("blurred",) if self.views == 1 else ("blurred", "left", "right")

    @property
    def receptive_field(self):
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        block = 2 * (self.kernel_size // 2) + 1
        reach = 2  # the first and the last convolution
        for level, count in enumerate(self.num_blocks):
            both_ways = 1 if level == LEVELS - 1 else 2
            between = 1 if level in (0, LEVELS - 1) else 2  # down, and up
            reach += 2**level * (both_ways * count * block + between)
        shifts = 2 ** (LEVELS - 1) - 1  # the rest of the coarse pixel that is reached
        return 2 * (reach + shifts) + 1

    def call(self, inputs, training=None):
        return {"deblurred": self.stages(inputs, training=training)["output"]}

    def stages(self, inputs, training=None):
        """Every named intermediate, in the order it is computed.

        Returns:
            Dict: `embed`, `enc1` to `enc3` and `latent` (the blocks of each size on the
            way down), `down1_2` to `down3_4` between them, `up4_3` to `up2_1`,
            `reduce3`, `reduce2` and `dec3` to `dec1` on the way up, `output_conv` (what
            is added to the photograph) and `output`.
        """
        blurred = ops.convert_to_tensor(inputs["blurred"])
        images = blurred
        if self.views == 2:
            views = [inputs["left"], inputs["right"], blurred]
            images = ops.concatenate(list(map(ops.convert_to_tensor, views)), axis=-1)
        stages = {"embed": self.embedding(images)}
        features = self._encode(stages, training)
        features = self._decode(stages, features, training)
        residual = ops.cast(self.output_convolution(features), "float32")
        stages["output_conv"] = residual
        stages["output"] = ops.clip(blurred + residual, 0, 1)
        return stages

    def _encode(self, stages, training):
        features = stages["embed"]
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
        channels = 3 if self.views == 1 else 9
        self.embedding = convolution(channels, self.base_filters, name="embedding")
        self.encoder = [
            self._blocks(count, f"encoder{level}")
            for level, count in enumerate(self.num_blocks, start=1)
        ]
        self.halvings = [Halving(name=f"halving{level}") for level in (1, 2, 3)]

    def _add_decoder(self):
        base = self.base_filters
        self.doublings = [Doubling(name=f"doubling{level}") for level in (1, 2, 3)]
        self.reductions = [
            pointwise_convolution(width, width // 2, False, name=f"reduction{level}")
            for level, width in ((2, 4 * base), (3, 8 * base))
        ]
        # At full size the channels stay doubled.
        self.decoder = [
            self._blocks(count, f"decoder{level}")
            for level, count in enumerate(self.num_blocks[:-1], start=1)
        ]
        self.output_convolution = convolution(2 * base, 3, name="output")

    def _blocks(self, count, name):
        return [
            LargeKernelBlock(
                self.kernel_size, self.expansion_factor, name=f"{name}_{index}"
            )
            for index in range(1, count + 1)
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_blocks": self.num_blocks,
            "kernel_size": self.kernel_size,
            "expansion_factor": self.expansion_factor,
            "views": self.views,
            "variant": self.variant,
        }


def _check(base_filters, num_blocks, kernel_size, expansion_factor):
    even = base_filters >= 2 and base_filters % 2 == 0
    positive = len(num_blocks) == LEVELS and min(num_blocks) >= 0
    odd = kernel_size >= 1 and kernel_size % 2 == 1
    hidden = base_filters * expansion_factor >= 1
    check_arguments(
        ("base_filters", base_filters, even, "even and at least 2"),
        ("num_blocks", num_blocks, positive, "four numbers, none below 0"),
        ("kernel_size", kernel_size, odd, "odd and at least 1"),
        ("expansion_factor", expansion_factor, hidden, "1 / base_filters at least"),
    )
