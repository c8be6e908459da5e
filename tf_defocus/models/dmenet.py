"""DMENet: how defocused every pixel is, learned on rendered and on real photographs.

Lee, Lee, Cho, Lee, "Deep Defocus Map Estimation Using Domain Adaptation", CVPR 2019.

Idea: rendered photographs come with the size of their blur, but look unlike real ones.
So a network learns the map from rendered ones, and a discriminator that sees its
features teaches it to see no difference between the two; photographs whose blur is only
marked (defocused or not) calibrate it. With a deconvolution by its map
(`deconvolution.dmenet`) it is the two-step baseline of the later papers.

Inputs:   blurred      (batch, height, width, 3) float32 in [0, 1]
Outputs:  defocus      (batch, height, width, 1) in (0, 1): the circle of confusion [px]
                       over 15, whatever its sign
          auxiliary_1, _2, _4, _8, _16   the same at that part of the size, less precise
          features     (batch, height, width, base_filters), while training: what the
                       discriminator sees
Requires: height and width divisible by `size_multiple` (16).

Source -> code
  encoder: VGG-19                models.dmenet.DMENet        tests/models/dmenet_test.py
  decoder, heads, refinement     layers.dmenet               tests/layers/dmenet_test.py
  calibration by marked blur     models.dmenet.BinaryNetwork        the models' test
  domain discriminator           models.dmenet.FeatureDiscriminator        likewise
  losses                         domain_adaptation      tests/domain_adaptation_test.py

Differences from the released weights
  None in the network; `variant` is accepted and changes nothing.
"""

import keras
from keras import layers, ops

from tf_defocus.layers.dmenet import (
    SLOPE,
    AuxiliaryHead,
    NormalizedConvolution,
    RefinementBlock,
    SymmetricConvolution,
    decoder_initializer,
)
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.colors import to_caffe_colors

LARGEST_COC = 15.0  # [px], where the map is one
# VGG-19: (factor of the channels, convolutions) from full size to 1/16
ENCODER = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
NUM_REFINEMENTS = 7


@keras.saving.register_keras_serializable(package="tf_defocus")
class DMENet(RestorationNetwork):
    """VGG-19 down, a decoder with skips up, seven refinement blocks at full size.

    Args:
        base_filters: int, even, channels at full resolution.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        Lee et al., CVPR 2019, Sec. 4.
    """

    output_name = "defocus"
    view_names = ("blurred",)
    size_multiple = (16, 16)

    def __init__(self, base_filters=64, variant="paper", **kwargs):
        super().__init__(**kwargs)
        _check(base_filters)
        check_arguments(
            ("variant", variant, variant in ("paper", "released"), "paper or released")
        )
        self.base_filters = base_filters
        self.variant = variant
        self._add_encoder()
        self._add_decoder()

    @property
    def receptive_field(self):
        """Extent of the pixels an output pixel depends on [px]."""
        encoder = sum(count * 2**level for level, (_, count) in enumerate(ENCODER))
        decoder = 3 * (8 + 4 + 2) + 1 + 2 * NUM_REFINEMENTS + 3
        pooling = 16 - 1  # the rest of the coarse pixel that is reached
        return 2 * (encoder + decoder + pooling) + 1

    def call(self, inputs, training=None):
        """Estimates the map; see the module."""
        stages = self.stages(inputs, training=training)
        names = ["defocus", *(f"auxiliary_{2**level}" for level in range(5))]
        if training:
            names.append("features")
        return {name: stages[name] for name in names}

    def stages(self, inputs, training=None):
        """Every named intermediate.

        Returns:
            Dict: `encoded_1` to `encoded_16` (by the part of the size), `auxiliary_16`
            to `auxiliary_1`, `features`, `refined_1` to `refined_7`, `defocus`.
        """
        stages = self._encode(inputs["blurred"])
        features = stages["encoded_16"]
        stages["auxiliary_16"] = self.heads[4](features, training=training)
        for level in (3, 2, 1, 0):
            skip = stages[f"encoded_{2**level}"]
            features = ops.concatenate([self.upsample(features), skip], axis=-1)
            for convolution in self.decoder[level]:
                features = convolution(features, training=training)
            head = self.heads[level](features, training=training)
            stages[f"auxiliary_{2**level}"] = head
        stages["features"] = features
        for index, block in enumerate(self.refinement, start=1):
            features = stages[f"refined_{index}"] = block(features, training=training)
        for convolution in self.closing:
            features = convolution(features, training=training)
        stages["defocus"] = self.defocus(features)
        return stages

    def _encode(self, images):
        features, stages = to_caffe_colors(images), {}
        for level, convolutions in enumerate(self.encoder):
            if level:
                features = self.pool(features)
            for convolution in convolutions:
                features = convolution(features)
            stages[f"encoded_{2**level}"] = features
        return stages

    def _add_encoder(self):
        self.encoder = [
            [
                SymmetricConvolution(
                    factor * self.base_filters, activation="relu", name=f"conv{n}_{i}"
                )
                for i in range(1, count + 1)
            ]
            for n, (factor, count) in enumerate(ENCODER, start=1)
        ]
        self.pool = layers.MaxPooling2D(2, name="pool")

    def _add_decoder(self):
        base = self.base_filters
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")
        widths, counts = (base, base, 2 * base, 4 * base), (1, 3, 3, 3)
        self.decoder = [
            [
                NormalizedConvolution(width, name=f"up{level}_{i}")
                for i in range(1, count + 1)
            ]
            for level, (width, count) in enumerate(zip(widths, counts))
        ]
        self.heads = [
            AuxiliaryHead(width // 2, name=f"head{level}")
            for level, width in enumerate((*widths, 8 * base))
        ]
        self.refinement = [
            RefinementBlock(base, name=f"refinement{i}") for i in range(NUM_REFINEMENTS)
        ]
        self.closing = [
            NormalizedConvolution(base, name="closing_1"),
            NormalizedConvolution(base // 2, name="closing_2"),
        ]
        # The sigmoid alone makes the map: bfloat16 would leave it 8 bits.
        self.defocus = SymmetricConvolution(
            1, activation="sigmoid", dtype="float32", name="defocus"
        )

    def get_config(self):
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "variant": self.variant,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class BinaryNetwork(keras.Model):
    """From a defocus map to the mask of what people mark as defocused, pixel by pixel.

    Photographs with such a mask teach DMENet through it; only training needs it.

    Args:
        base_filters: int, a multiple of four, as DMENet's.

    Call arguments:
        inputs: (batch, height, width, 1) float32 in (0, 1).
        training: bool; True normalises by the batch.

    Returns:
        (batch, height, width, 1) float32 logits.

    Reference:
        Lee et al., CVPR 2019, Sec. 4.2.
    """

    def __init__(self, base_filters=64, **kwargs):
        super().__init__(autocast=False, **kwargs)
        check_arguments(
            (
                "base_filters",
                base_filters,
                base_filters >= 4 and base_filters % 4 == 0,
                "a multiple of 4",
            )
        )
        self.base_filters = base_filters
        self.hidden = [
            NormalizedConvolution(base_filters // factor, 1, name=f"hidden{factor}_{i}")
            for factor in (1, 2, 4)
            for i in (1, 2, 3)
        ]
        self.logits = layers.Conv2D(1, 1, dtype="float32", name="logits")

    def call(self, inputs, training=None):
        features = ops.convert_to_tensor(inputs)
        for layer in self.hidden:
            features = layer(features, training=training)
        return self.logits(features)

    def build(self, input_shape=None):
        """Creates every weight."""
        self.compute_output_spec(keras.KerasTensor((1, 16, 16, 1)))

    def get_config(self):
        return {**super().get_config(), "base_filters": self.base_filters}


@keras.saving.register_keras_serializable(package="tf_defocus")
class FeatureDiscriminator(keras.Model):
    """Whether DMENet's features are of a rendered photograph, patch by patch.

    Args:
        base_filters: int, as DMENet's.

    Call arguments:
        inputs: (batch, height, width, base_filters), DMENet's `features`.
        training: bool; True normalises by the batch.

    Returns:
        (batch, height/32, width/32, 1) float32 logits, sizes rounded up.

    Reference:
        Lee et al., CVPR 2019, Sec. 4.2.
    """

    def __init__(self, base_filters=64, **kwargs):
        super().__init__(autocast=False, **kwargs)
        check_arguments(("base_filters", base_filters, base_filters >= 1, "at least 1"))
        self.base_filters = base_filters
        self.convolutions = [
            _halving(factor * base_filters, decoder_initializer(), f"conv_{factor}")
            for factor in (1, 2, 4, 8)
        ]
        self.normalizations = [
            layers.BatchNormalization(
                scale=False, momentum=0.9, epsilon=1e-5, name=f"norm_{factor}"
            )
            for factor in (1, 2, 4, 8)
        ]
        self.logits = _halving(1, "glorot_uniform", "logits")

    def call(self, inputs, training=None):
        features = ops.convert_to_tensor(inputs)
        for convolution, normalization in zip(self.convolutions, self.normalizations):
            features = normalization(convolution(features), training=training)
            features = ops.leaky_relu(features, SLOPE)
        return ops.cast(self.logits(features), "float32")

    def build(self, input_shape=None):
        """Creates every weight."""
        self.compute_output_spec(keras.KerasTensor((1, 32, 32, self.base_filters)))

    def get_config(self):
        return {**super().get_config(), "base_filters": self.base_filters}


def _halving(filters, initializer, name):
    return layers.Conv2D(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )


def _check(base_filters):
    good = base_filters >= 2 and base_filters % 2 == 0
    check_arguments(("base_filters", base_filters, good, "even"))
