"""The two networks that teach DMENet on real photographs, and only while it trains.

Lee, Lee, Cho, Lee, "Deep Defocus Map Estimation Using Domain Adaptation", CVPR 2019:
one turns its map into what people marked, the other tells features of rendered
photographs from those of real ones.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.dmenet import SLOPE, NormalizedConvolution, decoder_initializer
from tf_defocus.models.base import check_arguments
from tf_defocus.ops.tensor import Shape, Tensor


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

    def __init__(self, base_filters: int = 64, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        good = base_filters >= 4 and base_filters % 4 == 0
        check_arguments(("base_filters", base_filters, good, "a multiple of 4"))
        self.base_filters = base_filters
        self.hidden = [
            NormalizedConvolution(base_filters // factor, 1, name=f"hidden{factor}_{i}")
            for factor in (1, 2, 4)
            for i in (1, 2, 3)
        ]
        self.logits = layers.Conv2D(1, 1, dtype="float32", name="logits")

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        features = ops.convert_to_tensor(inputs)
        for layer in self.hidden:
            features = layer(features, training=training)
        return self.logits(features)

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight."""
        self.compute_output_spec(keras.KerasTensor((1, 16, 16, 1)))

    def get_config(self) -> dict[str, Any]:
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

    def __init__(self, base_filters: int = 64, **kwargs: Any) -> None:
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

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        features = ops.convert_to_tensor(inputs)
        for convolution, normalization in zip(self.convolutions, self.normalizations):
            features = normalization(convolution(features), training=training)
            features = ops.leaky_relu(features, SLOPE)
        return ops.cast(self.logits(features), "float32")

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight."""
        self.compute_output_spec(keras.KerasTensor((1, 32, 32, self.base_filters)))

    def get_config(self) -> dict[str, Any]:
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
