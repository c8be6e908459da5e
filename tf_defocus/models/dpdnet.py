"""DPDNet: the first network for dual-pixel defocus, a plain encoder and decoder.

Abuolaim, Brown, "Defocus Deblurring Using Dual-Pixel Data", ECCV 2020.
<https://arxiv.org/abs/2005.00305>

Idea: the two views of a dual-pixel sensor differ only where the image is out of focus,
so a network that sees both can tell how much, and deblur, without being told a depth.
With one view the same network is the baseline of the papers this package reproduces.

Inputs:   left, right   (batch, height, width, 3) float32 in [0, 1]; `views=2`
          blurred       the same; `views=1`
Outputs:  deblurred     the same shape, in (0, 1): a sigmoid, no residual
Requires: height and width divisible by `size_multiple` (16).

Source -> code
  encoder, five scales, dropout     models.dpdnet.DPDNet    tests/models/dpdnet_test.py
  decoder, nearest + 2x2 convolution, skips concatenated first      the same

Differences from the released weights
  None in the network; `variant` is accepted and changes nothing. The released training
  and its files hold the colours as blue, green, red: `conversion.dpdnet` undoes that.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import rectified_convolution
from tf_defocus.layers.shared_batches import BatchDropout
from tf_defocus.models.base import MonoOrDualNetwork, check_arguments
from tf_defocus.models.five_scales import SCALES, FiveScalesNetwork
from tf_defocus.ops.tensor import Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class DPDNet(FiveScalesNetwork, MonoOrDualNetwork):
    """Encoder of five scales, decoder with skips, sigmoid.

    Args:
        base_filters: int, channels at full resolution; doubled at every scale.
        views: 1 (photograph) or 2 (left and right dual-pixel views).
        dropout_rate: float in [0, 1), on the two coarsest scales while training. The
            skip from the second coarsest carries the dropped-out features.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Abuolaim and Brown, 2020](https://arxiv.org/abs/2005.00305).
    """

    def __init__(
        self,
        base_filters: int = 64,
        views: int = 2,
        dropout_rate: float = 0.4,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(views=views, variant=variant, **kwargs)
        _check(base_filters, dropout_rate)
        self.base_filters = base_filters
        self.dropout_rate = dropout_rate
        self._add_encoder()
        self._add_decoder()

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        return {"deblurred": self.stages(inputs, training=training)["conv10"]}

    def stages(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Every named intermediate, finest first on the way down, then up.

        Returns:
            Dict: `conv1` to `conv5` (encoder), `up6` to `up9` and `conv6` to `conv9`
            (decoder), `colors` (the three-channel rectified convolution) and `conv10`
            (the output).
        """
        images = [ops.convert_to_tensor(inputs[name]) for name in self.view_names]
        features = ops.concatenate(images, axis=-1)
        stages = {}
        for level, (first, second) in enumerate(self.encoder, start=1):
            features = second(first(features))
            if level >= SCALES - 1:
                features = self.dropout(features, training=training)
            stages[f"conv{level}"] = features
            if level < SCALES:
                features = self.pool(features)
        stages["conv10"] = self.mixing(self._decode(stages, features))
        return stages

    def _add_encoder(self):
        self.encoder = []
        for level in range(1, SCALES + 1):
            width = self.base_filters * 2 ** (level - 1)
            self.encoder.append(
                (
                    rectified_convolution(width, 3, name=f"conv{level}_1"),
                    rectified_convolution(width, 3, name=f"conv{level}_2"),
                )
            )
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.dropout = BatchDropout(self.dropout_rate, name="dropout")

    def _add_decoder(self):
        super()._add_decoder()
        # The sigmoid alone makes the image: bfloat16 would leave it 8 bits.
        self.mixing = layers.Conv2D(
            3, 1, activation="sigmoid", dtype="float32", name="conv10"
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "dropout_rate": self.dropout_rate,
        }


def _check(base_filters, dropout_rate):
    check_arguments(
        ("base_filters", base_filters, base_filters >= 1, "at least 1"),
        ("dropout_rate", dropout_rate, 0 <= dropout_rate < 1, "in [0, 1)"),
    )
