"""DDDNet: blur from two views by stereo matching, then the image from patches.

Pan, Chowdhury, Hartley, Liu, Zhang, Li, "Dual Pixel Exploration: Simultaneous Depth
Estimation and Image Restoration", CVPR 2021. <https://arxiv.org/abs/2012.00301>

Idea: depth and sharpness come from one cause. A stereo network measures how far the
views lie apart; views and map go through a network that looks at quarters of the image,
at halves and at the whole, each level correcting what the next one sees, and that tells
the sharp image and a second map at once.

Inputs:   left, right   (batch, height, width, 3) float32 in [0, 1]
Outputs:  deblurred     the same shape; no residual, not clipped
          blur_map      (batch, height, width, 1) [px] in [0, 11], of the views
          depth_map     the same shape, beside the image; of no unit
Requires: height and width divisible by 8. Below 64 the stereo network's largest cells
          are filled by repetition.

Source -> code
  blur from the views      layers.dddnet.BlurEstimator     tests/layers/dddnet_test.py
  image from patches       layers.dddnet_patches.PatchEncoder, PatchDecoder,
                           UnlikeChannelAttention          the same
  the network              models.dddnet.DDDNet            tests/models/dddnet_test.py

Differences from the released code
  None in what is computed; `variant` is accepted and changes nothing. Where a shifted
  view does not reach, the cost volume is zero, as in the network it is made from; the
  release leaves it uninitialised. Layers that it makes and never calls, 3.5 million
  parameters, are left out. Its training was not released, so there is no recipe.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializers
from tf_defocus.layers.dddnet import BlurEstimator
from tf_defocus.layers.dddnet_patches import (
    PatchDecoder,
    PatchEncoder,
    UnlikeChannelAttention,
)
from tf_defocus.models.base import RestorationNetwork, check_choice
from tf_defocus.ops.tensor import Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class DDDNet(RestorationNetwork):
    """Stereo matching and a three-level patch network.

    Args:
        width_divisor: 1, 2, 4 or 8, divides the number of all channels.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Pan et al., 2021](https://arxiv.org/abs/2012.00301).
    """

    view_names = ("left", "right")
    size_multiple = (8, 8)
    exact_tiling = False  # halves and quarters are those of the whole image

    def __init__(
        self, width_divisor: int = 1, variant: str = "paper", **kwargs: Any
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        check_choice("width_divisor", width_divisor, (1, 2, 4, 8))
        self.width_divisor = width_divisor
        base = 32 // width_divisor
        self.blur_estimator = BlurEstimator(width_divisor, name="blur_estimator")
        self.encoders = [PatchEncoder(base, name=f"encoder{i}") for i in (1, 2, 3)]
        self.decoders = [
            PatchDecoder(filters, base, name=f"decoder{i}")
            for i, filters in enumerate((3, 7, 7), start=1)
        ]
        self.depth_decoder = PatchDecoder(1, base, name="depth_decoder")
        self.difference = layers.Conv2D(
            4 * base,
            8,
            strides=4,
            activation="sigmoid",
            **uniform_initializers(4 * 8 * 8),
            name="difference",
        )
        self.attention = UnlikeChannelAttention(name="attention")

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on through convolutions [px].

        Or a little more. Beyond it reach the attention, which sums over the whole
        image, and what the place of a pixel in its half and quarter decides.
        """
        patches = 3 * (5 + 1 + 8 + 2 + 16 + 16 + 4 + 8 + 2 + 5)
        stereo = 14 + 3 * 64 + 32
        return 2 * (patches + stereo) + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; see the module's docstring for inputs and outputs."""
        left, right = (ops.convert_to_tensor(inputs[name]) for name in self.view_names)
        blur_map = self.blur_estimator(left, right, training=training)
        stages = self.patches(left, right, blur_map)
        return {
            "deblurred": stages["deblurred"],
            "blur_map": blur_map,
            "depth_map": stages["depth_map"],
        }

    def patches(
        self, left: Tensor, right: Tensor, blur_map: Tensor
    ) -> dict[str, Tensor]:
        """Every named result of the patch network.

        Returns:
            Dict: `quarters` (features of four patches, row after row) and
            `quarter_results` (of the upper and the lower half), `halves`,
            `half_result`, `whole` (features), `difference`, `attended`, `deblurred`,
            `depth_map`.
        """
        first, second, third = self.encoders
        images = ops.concatenate([left, right, blur_map], axis=-1)
        rows = _halves(images, axis=1)
        quarters = [third(part) for row in rows for part in _halves(row, axis=2)]
        upper = ops.concatenate(quarters[:2], axis=2)
        lower = ops.concatenate(quarters[2:], axis=2)
        # Two calls: between the halves the decoder sees zeros.
        quarter_results = [self.decoders[2](part) for part in (upper, lower)]
        halves = [second(part + r) for part, r in zip(rows, quarter_results)]
        features = ops.concatenate(halves, axis=1)
        features = features + ops.concatenate([upper, lower], axis=1)
        half_result = self.decoders[1](features)
        whole = first(images + half_result)
        difference = ops.concatenate([left - right, blur_map], axis=-1)
        difference = ops.pad(difference, [[0, 0], [2, 2], [2, 2], [0, 0]])
        difference = self.difference(difference)
        attended = self.attention(difference)
        features = whole + features + attended
        return {
            "quarters": quarters,
            "quarter_results": quarter_results,
            "halves": halves,
            "half_result": half_result,
            "whole": whole,
            "difference": difference,
            "attended": attended,
            "deblurred": self.decoders[0](features),
            "depth_map": self.depth_decoder(features),
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width_divisor": self.width_divisor,
        }


def _halves(images, axis):
    middle = ops.shape(images)[axis] // 2
    if axis == 1:
        return images[:, :middle], images[:, middle:]
    return images[:, :, :middle], images[:, :, middle:]
