"""RDPD+: views of a photograph or of a video, with a recurrent bottleneck.

Abuolaim, Delbracio, Kelly, Brown, Milanfar, "Learning to Reduce Defocus Blur by
Realistically Modeling Dual-Pixel Data", ICCV 2021. <https://arxiv.org/abs/2012.03255>

Idea: rendered dual-pixel video is cheap and teaches what real photographs are too few
for, if the renderer models the sensor. The network that both train is DPDNet at half
the width, with a convolutional LSTM at the bottleneck that carries what a clip's frames
share, and it is told how far from the centre of the frame a pixel lies, because a
lens's kernels change with that.

Inputs:   left, right       (batch, height, width, 3) float32 in [0, 1], a photograph;
                            or (batch, frames, height, width, 3), a clip
          radial_distance   optional, the same axes, 1 channel, in [0, 1]; where it is
                            not given, the images are taken for whole frames
Outputs:  deblurred         the shape of `left`, clipped to [0, 1]
Requires: height and width divisible by `size_multiple` (16); a known number of frames.

Source -> code
  encoder, bottleneck, decoder     models.rdpd.RDPD            tests/models/rdpd_test.py
  convolutional LSTM               layers.rdpd.FrameLSTM       tests/layers/rdpd_test.py
  distance from the centre         layers.rdpd.radial_distance      the same

Differences from the paper
  The paper's multi-scale edge loss is off in the released training, and not here.
Differences from the released weights
  None in the network; `variant` is accepted and changes nothing. The released training
  and its files hold the colours as blue, green, red: `conversion.rdpd` undoes that.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import rectified_convolution
from tf_defocus.layers.rdpd import (
    FrameLSTM,
    merge_frames,
    radial_distance,
    separate_frames,
)
from tf_defocus.models.base import check_arguments
from tf_defocus.models.five_scales import SCALES, FiveScalesNetwork
from tf_defocus.ops.tensor import Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class RDPD(FiveScalesNetwork):
    """Encoder of five scales, convolutional LSTM, decoder with skips.

    `receptive_field` is that of a photograph, as DPDNet's. In a clip every other frame
    reaches 16 px farther.

    Args:
        base_filters: int, channels at full resolution; doubled at every scale.
        dropout_rate: float in [0, 1), of the LSTM's inputs while training.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Abuolaim et al., 2021](https://arxiv.org/abs/2012.03255), Sec. 4.
    """

    view_names = ("left", "right")

    def __init__(
        self,
        base_filters: int = 32,
        dropout_rate: float = 0.4,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
            ("dropout_rate", dropout_rate, 0 <= dropout_rate < 1, "in [0, 1)"),
        )
        self.base_filters = base_filters
        self.dropout_rate = dropout_rate
        self._add_encoder()
        self._add_decoder()

    def frame_maps(self, height: int, width: int) -> dict[str, Tensor]:
        """The distance from the centre of a whole photograph, for its tiles."""
        return {"radial_distance": radial_distance(height, width)}

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; see the module's docstring for inputs and outputs.

        Raises:
            ValueError: if the views have neither four axes nor five.
        """
        left = ops.convert_to_tensor(inputs["left"])
        deblurred = self.stages(inputs, training=training)["linear"]
        deblurred = ops.clip(deblurred, 0, 1)
        if len(left.shape) == 5:
            deblurred = separate_frames(deblurred, left.shape[1])
        return {"deblurred": deblurred}

    def stages(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Every named intermediate, the frames of all clips one after another.

        Returns:
            Dict: `conv1` to `conv5` (encoder), `lstm`, `up6` to `up9` and `conv6` to
            `conv9` (decoder), `colors` (the three-channel rectified convolution) and
            `linear` (the output before it is clipped).
        """
        images, num_frames = self._join(inputs)
        stages, features = {}, images
        for level, convolutions in enumerate(self.encoder, start=1):
            for convolution in convolutions:
                features = convolution(features)
            stages[f"conv{level}"] = features
            if level < SCALES:
                features = self.pool(features)
        clips = separate_frames(features, num_frames)
        features = merge_frames(self.lstm(clips, training=training))
        stages["lstm"] = features
        stages["linear"] = self.mixing(self._decode(stages, features))
        return stages

    def _join(self, inputs):
        """Views and distance, (batch * frames, height, width, 7), and the frames."""
        left, right = (ops.convert_to_tensor(inputs[name]) for name in self.view_names)
        if len(left.shape) not in (4, 5):
            raise ValueError(
                "Views must be (batch, height, width, 3) or (batch, frames, height, "
                f"width, 3). Received: {tuple(left.shape)}"
            )
        distance = inputs.get("radial_distance")
        if distance is None:
            distance = radial_distance(*ops.shape(left)[-3:-1])
        # One distance serves all that is computed at once.
        distance = ops.convert_to_tensor(distance) + 0 * left[..., :1]
        images = ops.concatenate([left, right, distance], axis=-1)
        if len(left.shape) == 4:
            return images, 1
        return merge_frames(images), left.shape[1]

    def _add_encoder(self):
        widths = [self.base_filters * 2**level for level in range(SCALES)]
        self.encoder = [
            [
                rectified_convolution(width, 3, name=f"conv{level}_{index}")
                for index in ((1, 2) if level < SCALES else (1,))
            ]
            for level, width in enumerate(widths, start=1)
        ]
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.lstm = FrameLSTM(widths[-1], dropout_rate=self.dropout_rate, name="lstm")

    def _add_decoder(self):
        super()._add_decoder()
        # It alone makes the image: bfloat16 would leave it 8 bits.
        self.mixing = layers.Conv2D(3, 1, dtype="float32", name="mixing")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "dropout_rate": self.dropout_rate,
        }
