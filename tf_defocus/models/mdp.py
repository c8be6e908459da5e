"""MDP: to deblur one photograph, learn to see the two views it is the mean of.

Abuolaim, Afifi, Brown, "Improving Single-Image Defocus Deblurring: How Dual-Pixel
Images Help Through Multi-Task Learning", WACV 2022. <https://arxiv.org/abs/2108.05251>

Idea: a dual-pixel sensor sees every photograph as two views that differ where it is out
of focus. A network that must also predict the views from the photograph learns what
defocus looks like, from photographs that nobody took a sharp twin of.

Inputs:   blurred        (batch, height, width, 3) float32 in [0, 1]
Outputs:  deblurred      the same shape, in (0, 1): a sigmoid, no residual
          left, right    the two views, likewise
Requires: height and width divisible by `size_multiple` (16).

Source -> code
  encoder, four scales                  models.mdp.MDP       tests/models/mdp_test.py
  early decoders, one per image         layers.mdp.EarlyDecoder      the same
  late decoders, each sees all early    layers.mdp.LateDecoder       the same
  losses of the views                   training_tasks.MDPTasks
                                                       tests/training_tasks_test.py

Differences from the released weights
  None in the network; `variant` is accepted and changes nothing. The released files
  hold the colours as blue, green, red: `conversion.mdp` undoes that.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import rectified_convolution
from tf_defocus.layers.mdp import EarlyDecoder, LateDecoder
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.tensor import Tensor

IMAGES = ("left", "right", "deblurred")  # in the authors' order, which concatenates
# (factor of the channels, convolutions) at full size, 1/2, 1/4, 1/8
_ENCODER = ((1, 2), (2, 2), (4, 2), (8, 1))


@keras.saving.register_keras_serializable(package="tf_defocus")
class MDP(RestorationNetwork):
    """One encoder; three decoders, for the left view, the right and the sharp image.

    Args:
        base_filters: int, channels at full resolution; doubled at every scale.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Abuolaim et al., 2022](https://arxiv.org/abs/2108.05251), Fig. 3.
    """

    view_names = ("blurred",)
    size_multiple = (16, 16)

    def __init__(
        self, base_filters: int = 64, variant: str = "paper", **kwargs: Any
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
        )
        self.base_filters = base_filters
        self.encoder = [
            [
                rectified_convolution(factor * base_filters, 3, name=f"conv{scale}_{i}")
                for i in range(1, count + 1)
            ]
            for scale, (factor, count) in enumerate(_ENCODER, start=1)
        ]
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.early = [EarlyDecoder(base_filters, name=f"early_{i}") for i in IMAGES]
        self.late = [LateDecoder(base_filters, name=f"late_{i}") for i in IMAGES]

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px].

        Twice its farther reach, and the pixel itself: the 2x2 convolutions look right
        and down only.
        """
        encoder = 2 * (1 + 2 + 4) + 8  # 3x3 convolutions, by the scale's pixel
        decoder = 16 + 8 + 2 * (4 + 2 + 1) + 1
        shifts = 8 + 4 + 2 + 1  # 2x2 convolutions, one pixel of each scale
        pooling = 16 - 1  # the rest of the coarse pixel that is reached
        return 2 * (encoder + decoder + shifts + pooling) + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs, and splits into views; see the module."""
        stages = self.stages(inputs)
        images = {name: stages[f"{name}/image"] for name in IMAGES}
        return {"deblurred": images.pop("deblurred"), **images}

    def stages(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every named intermediate.

        Returns:
            Dict: `conv1` to `conv4`, the encoder's before pooling, and for each of
            "left", "right" and "deblurred" the stages of its decoders: `left/up8`.
        """
        features = ops.convert_to_tensor(inputs["blurred"])
        stages = {}
        for scale, convolutions in enumerate(self.encoder, start=1):
            for convolution in convolutions:
                features = convolution(features)
            stages[f"conv{scale}"] = features
            features = self.pool(features)
        shared = [stages["conv2"]]
        for name, decoder in zip(IMAGES, self.early):
            found = decoder(features, [stages["conv4"], stages["conv3"]])
            stages |= {f"{name}/{key}": value for key, value in found.items()}
            shared.append(found["up2"])
        shared = ops.concatenate(shared, axis=-1)
        for name, decoder in zip(IMAGES, self.late):
            found = decoder(shared, stages["conv1"])
            stages |= {f"{name}/{key}": value for key, value in found.items()}
        return stages

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
        }
