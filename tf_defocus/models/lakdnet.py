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

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_defocus.layers.lakdnet import LargeKernelBlock
from tf_defocus.layers.restormer import (
    convolution,
)
from tf_defocus.models.base import check_arguments
from tf_defocus.models.four_sizes import LEVELS, FourSizesNetwork
from tf_defocus.ops.tensor import Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class LaKDNet(FourSizesNetwork):
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

    dual_view_names = ("blurred", "left", "right")
    # Exact tiles would need a margin of some 2700 px: tiles are blended instead.
    exact_tiling = False

    def __init__(
        self,
        base_filters: int = 32,
        num_blocks: Sequence[int] = (8, 12, 12, 16),
        kernel_size: int = 9,
        expansion_factor: float = 2.3,
        views: int = 1,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        kwargs.update(views=views, variant=variant)
        super().__init__(base_filters, num_blocks, expansion_factor, **kwargs)
        odd = kernel_size >= 1 and kernel_size % 2 == 1
        check_arguments(("kernel_size", kernel_size, odd, "odd and at least 1"))
        self.kernel_size = kernel_size
        self._add_layers()

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        block = 2 * (self.kernel_size // 2) + 1
        reach = 2  # the first and the last convolution
        for level, count in enumerate(self.num_blocks):
            both_ways = 1 if level == LEVELS - 1 else 2
            between = 1 if level in (0, LEVELS - 1) else 2  # down, and up
            reach += 2**level * (both_ways * count * block + between)
        shifts = 2 ** (LEVELS - 1) - 1  # the rest of the coarse pixel that is reached
        return 2 * (reach + shifts) + 1

    def stages(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
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
        features = self._encode(stages, stages["embed"], training)
        features = self._decode(stages, features, training)
        residual = ops.cast(self.output_convolution(features), "float32")
        stages["output_conv"] = residual
        stages["output"] = ops.clip(blurred + residual, 0, 1)
        return stages

    def _add_layers(self):
        base, channels = self.base_filters, 3 if self.views == 1 else 9
        self.embedding = convolution(channels, base, name="embedding")
        self._add_levels(use_bias=False)
        self.output_convolution = convolution(2 * base, 3, name="output")

    def _blocks(self, level, count, name):
        del level
        return [
            LargeKernelBlock(
                self.kernel_size, self.expansion_factor, name=f"{name}_{index}"
            )
            for index in range(1, count + 1)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
        }
