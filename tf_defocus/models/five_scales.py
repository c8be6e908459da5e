"""The frame that DPDNet made and RDPD took over: five scales, down and up again."""

from keras import layers, ops

from tf_defocus.layers.common import rectified_convolution
from tf_defocus.models.base import RestorationNetwork

SCALES = 5  # how many resolutions the network works at


class FiveScalesNetwork(RestorationNetwork):
    """The decoder with its skips; a derived class has `base_filters` and an encoder."""

    size_multiple = (2 ** (SCALES - 1), 2 ** (SCALES - 1))

    @property
    def receptive_field(self):
        """Extent of the pixels an output pixel depends on [px].

        Twice its farther reach, and the pixel itself: the 2x2 convolutions look right
        and down only.
        """
        coarse = 2 ** (SCALES - 1)
        encoder = 2 * (2 * coarse - 1)  # two 3x3 convolutions at every scale
        decoder = 2 * (coarse - 1) + 1  # the same below the coarsest, and the last
        shifts = coarse - 1  # 2x2 convolutions, one pixel of each scale
        pooling = coarse - 1  # the rest of the coarse pixel that is reached
        return 2 * (encoder + decoder + shifts + pooling) + 1

    def _add_decoder(self):
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")
        self.decoder = []
        for level in range(SCALES + 1, 2 * SCALES):
            width = self.base_filters * 2 ** (2 * SCALES - level - 1)
            self.decoder.append(
                (
                    rectified_convolution(width, 2, name=f"up{level}"),
                    rectified_convolution(width, 3, name=f"conv{level}_1"),
                    rectified_convolution(width, 3, name=f"conv{level}_2"),
                )
            )
        self.colors = rectified_convolution(3, 3, name="colors")

    def _decode(self, stages, features):
        """Adds `up6` to `up9`, `conv6` to `conv9` and `colors`, which it returns."""
        for level, (up, first, second) in enumerate(self.decoder, start=SCALES + 1):
            skip = stages[f"conv{2 * SCALES - level}"]
            stages[f"up{level}"] = up(self.upsample(features))
            features = ops.concatenate([skip, stages[f"up{level}"]], axis=-1)
            features = stages[f"conv{level}"] = second(first(features))
        stages["colors"] = self.colors(features)
        return stages["colors"]
