"""DMENet's blocks: convolutions that repeat the border, normalised without a scale."""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.ops.tensor import Shape, Tensor

SLOPE = 0.2  # of the leaky ReLU


def decoder_initializer():
    """Truncated normal with twice the variance that keeps a linear layer's."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")


@keras.saving.register_keras_serializable(package="tf_defocus")
class SymmetricConvolution(layers.Conv2D):
    """Convolution that keeps the size; outside the image its border is mirrored.

    Args:
        filters, kernel_size: as in `keras.layers.Conv2D`; the size is odd. At 3 the
            mirror repeats the outermost pixel.
        **kwargs: of `keras.layers.Conv2D`, except padding and strides.

    Call arguments:
        inputs: (batch, height, width, channels), at least kernel_size // 2 high, wide.

    Returns:
        (batch, height, width, filters).
    """

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **{**kwargs, "padding": "valid"})

    def call(self, inputs: Tensor) -> Tensor:
        reach = [(size // 2, size // 2) for size in self.kernel_size]
        if any(before for before, _ in reach):
            inputs = ops.pad(inputs, [(0, 0), *reach, (0, 0)], mode="symmetric")
        return super().call(inputs)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.filters)


@keras.saving.register_keras_serializable(package="tf_defocus")
class NormalizedConvolution(layers.Layer):
    """`SymmetricConvolution`, batch normalisation without a scale, leaky ReLU 0.2.

    The running variance is the biased one, as in TensorFlow's own layer at the time.

    Args:
        filters: int.
        kernel_size: int, odd.
        activated: bool; False leaves the leaky ReLU out.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, height, width, channels).
        training: bool; True normalises by the batch and updates the statistics.

    Returns:
        (batch, height, width, filters).
    """

    def __init__(
        self, filters: int, kernel_size: int = 3, activated: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.activated = activated
        # What a sigmoid follows starts as Glorot has it.
        start = decoder_initializer() if activated else "glorot_uniform"
        self.convolution = SymmetricConvolution(
            filters, kernel_size, kernel_initializer=start, name="convolution"
        )
        self.normalization = layers.BatchNormalization(
            scale=False, momentum=0.9, epsilon=1e-5, name="normalization"
        )

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        self.normalization.build((*input_shape[:-1], self.filters))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        outputs = self.normalization(self.convolution(inputs), training=training)
        return ops.leaky_relu(outputs, SLOPE) if self.activated else outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activated": self.activated,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class AuxiliaryHead(layers.Layer):
    """A defocus map of a decoder's features, so that every scale is taught.

    Args:
        filters: int, channels between the two convolutions.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, height, width, channels).
        training: bool, as in `NormalizedConvolution`.

    Returns:
        (batch, height, width, 1) float32 in (0, 1).

    Reference:
        Lee et al., CVPR 2019, Sec. 4.2.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.hidden = NormalizedConvolution(filters, name="hidden")
        self.map = NormalizedConvolution(1, activated=False, name="map")

    def build(self, input_shape: Shape) -> None:
        self.hidden.build(input_shape)
        self.map.build((*input_shape[:-1], self.filters))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        logits = self.map(self.hidden(inputs, training=training), training=training)
        return ops.sigmoid(ops.cast(logits, "float32"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable(package="tf_defocus")
class RefinementBlock(layers.Layer):
    """Two convolutions beside a pointwise one, summed; the shortcut is activated too.

    Args:
        filters: int, channels in and out.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, height, width, filters).
        training: bool, as in `NormalizedConvolution`.

    Returns:
        The shape of `inputs`; not activated after the sum.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.shortcut = NormalizedConvolution(filters, 1, name="shortcut")
        self.first = NormalizedConvolution(filters, name="first")
        self.second = NormalizedConvolution(filters, name="second")

    def build(self, input_shape: Shape) -> None:
        for layer in (self.shortcut, self.first, self.second):
            layer.build(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        features = self.first(inputs, training=training)
        features = self.second(features, training=training)
        return features + self.shortcut(inputs, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}
