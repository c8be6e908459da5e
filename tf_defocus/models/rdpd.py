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

import keras
from keras import layers, ops

from tf_defocus.layers.rdpd import (
    FrameLSTM,
    merge_frames,
    radial_distance,
    separate_frames,
)
from tf_defocus.models.base import (
    RestorationNetwork,
    check_arguments,
    check_choice,
)

SCALES = 5  # how many resolutions the network works at


@keras.saving.register_keras_serializable(package="tf_defocus")
class RDPD(RestorationNetwork):
    """Encoder of five scales, convolutional LSTM, decoder with skips.

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
    size_multiple = (2 ** (SCALES - 1), 2 ** (SCALES - 1))

    def __init__(self, base_filters=32, dropout_rate=0.4, variant="paper", **kwargs):
        super().__init__(**kwargs)
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
            ("dropout_rate", dropout_rate, 0 <= dropout_rate < 1, "in [0, 1)"),
        )
        check_choice("variant", variant, ("paper", "released"))
        self.base_filters = base_filters
        self.dropout_rate = dropout_rate
        self.variant = variant
        self._add_encoder()
        self._add_decoder()

    @property
    def receptive_field(self):
        """Extent of the pixels that a photograph's output pixel depends on [px].

        As DPDNet's. In a clip every other frame reaches 16 px farther.
        """
        coarse = 2 ** (SCALES - 1)
        encoder = 2 * (2 * coarse - 1)  # two 3x3 convolutions at every scale
        decoder = 2 * (coarse - 1) + 1  # the same below the coarsest, and the last
        shifts = coarse - 1  # 2x2 convolutions, one pixel of each scale
        pooling = coarse - 1  # the rest of the coarse pixel that is reached
        return 2 * (encoder + decoder + shifts + pooling) + 1

    def frame_maps(self, height, width):
        """The distance from the centre of a whole photograph, for its tiles."""
        return {"radial_distance": radial_distance(height, width)}

    def call(self, inputs, training=None):
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

    def stages(self, inputs, training=None):
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
        for level, (up, first, second) in enumerate(self.decoder, start=SCALES + 1):
            skip = stages[f"conv{2 * SCALES - level}"]
            stages[f"up{level}"] = up(self.upsample(features))
            features = ops.concatenate([skip, stages[f"up{level}"]], axis=-1)
            features = stages[f"conv{level}"] = second(first(features))
        stages["colors"] = self.colors(features)
        stages["linear"] = self.mixing(stages["colors"])
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
                _conv(width, 3, name=f"conv{level}_{index}")
                for index in ((1, 2) if level < SCALES else (1,))
            ]
            for level, width in enumerate(widths, start=1)
        ]
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.lstm = FrameLSTM(widths[-1], dropout_rate=self.dropout_rate, name="lstm")

    def _add_decoder(self):
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")
        self.decoder = []
        for level in range(SCALES + 1, 2 * SCALES):
            width = self.base_filters * 2 ** (2 * SCALES - level - 1)
            self.decoder.append(
                (
                    _conv(width, 2, name=f"up{level}"),
                    _conv(width, 3, name=f"conv{level}_1"),
                    _conv(width, 3, name=f"conv{level}_2"),
                )
            )
        self.colors = _conv(3, 3, name="colors")
        # It alone makes the image: bfloat16 would leave it 8 bits.
        self.mixing = layers.Conv2D(3, 1, dtype="float32", name="mixing")

    def get_config(self):
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "dropout_rate": self.dropout_rate,
            "variant": self.variant,
        }


def _conv(filters, kernel_size, **kwargs):
    return layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        **kwargs,
    )
