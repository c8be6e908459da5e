"""NRKNet's blocks: blur as a mixture of kernels that grow out of one another.

A defocus kernel is taken for a mixture of symmetric kernels, each the one before
widened by three learned taps. The mixture is fixed by one map per kernel, which a
convolutional LSTM predicts (Quan, Wu, Ji, CVPR 2023).
"""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import UnbiasedBatchNormalization, uniform_initializer
from tf_defocus.layers.gkmnet_attention import ConvLSTMCell
from tf_defocus.layers.residual import BaseResidualUnits
from tf_defocus.ops.padding import reflect_border
from tf_defocus.ops.tensor import Shape, Tensor

COLOURS = 3


@keras.saving.register_keras_serializable(package="tf_defocus")
class ReflectedConvolution(layers.Layer):
    """A 3x3 convolution without bias whose border mirrors the image.

    Args:
        filters: int.
        strides: int; the border is one pixel on every side for strides of 2 too.
        activation: of `keras.layers.Conv2D`.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, height / strides, width / strides, filters).
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        activation: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.convolution = layers.Conv2D(
            filters,
            3,
            strides=strides,
            activation=activation,
            use_bias=False,
            kernel_initializer=uniform_initializer(),
            name="convolution",
        )

    def build(self, input_shape: Shape) -> None:
        self.convolution.build((None, None, None, input_shape[-1]))

    def call(self, inputs: Tensor) -> Tensor:
        return self.convolution(reflect_border(inputs))

    def get_config(self) -> dict[str, Any]:
        inner = self.convolution
        return {
            **super().get_config(),
            "filters": inner.filters,
            "strides": inner.strides[0],
            "activation": keras.activations.serialize(inner.activation),
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ReflectedResidualUnits(BaseResidualUnits):
    """Residual units, x + conv(relu(conv(x))), whose borders mirror the image.

    Args, call arguments, returns: of `BaseResidualUnits`.
    """

    def __init__(self, filters: int, num_units: int, **kwargs: Any) -> None:
        super().__init__(filters, num_units, **kwargs)
        self.units = [
            (
                ReflectedConvolution(filters, activation="relu", name=f"unit{i}_1"),
                ReflectedConvolution(filters, name=f"unit{i}_2"),
            )
            for i in range(1, num_units + 1)
        ]


@keras.saving.register_keras_serializable(package="tf_defocus")
class RecursiveKernels(layers.Layer):
    """A bank of ever wider blurs: each image is the one before, blurred by three taps.

        b_0 = image;  b_j = b_j-1 * (w_j w_j^T);  w_j = softmax(k_1, k_0, k_1)

    w_j are positive, symmetric and sum to 1, one triple per kernel and colour; the same
    taps blur rows and columns. b_j reaches j pixels.

    Args:
        num_kernels: int, blurs besides the image itself.

    Call arguments:
        images: (batch, height, width, 3).

    Returns:
        (batch, height, width, 3 * (num_kernels + 1)), the colours of b_0 first.
    """

    def __init__(self, num_kernels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_kernels = num_kernels

    def build(self, input_shape: Shape) -> None:
        # The outer tap, of both sides, and the inner one.
        self.half_kernels = self.add_weight(
            name="half_kernels",
            shape=(self.num_kernels, COLOURS, 2),
            initializer=keras.initializers.RandomUniform(0, 1),
        )

    def kernels(self) -> Tensor:
        """(num_kernels, 3, 3, colours), every kernel of sum 1."""
        outer, inner = self.half_kernels[..., 0], self.half_kernels[..., 1]
        taps = ops.softmax(ops.stack([outer, inner, outer], axis=1), axis=1)
        return taps[:, :, None] * taps[:, None]

    def blurs(self, images: Tensor) -> Iterator[Tensor]:
        """Yields b_0, b_1, ...; only one of them need exist at a time."""
        kernels = self.kernels()
        yield images
        for index in range(self.num_kernels):
            images = ops.depthwise_conv(
                reflect_border(images),
                kernels[index, ..., None],
                padding="valid",
                data_format="channels_last",
            )
            yield images

    def call(self, images: Tensor) -> Tensor:
        return ops.concatenate(list(self.blurs(images)), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_kernels": self.num_kernels}


@keras.saving.register_keras_serializable(package="tf_defocus")
class MixedBlur(layers.Layer):
    """Blurs an image by a mixture of recursive kernels that differs at every pixel.

        sum_j W_j (m_j . b_j) + bias      W_j mixes colours, m_j is a map

    The bank never exists all at once. Computes in its own dtype; give it "float32".

    Args:
        num_kernels: int, of `RecursiveKernels`.

    Call arguments:
        images: (batch, height, width, 3).
        mixing: (batch, height, width, num_kernels + 1), m.

    Returns:
        The shape of `images`.
    """

    def __init__(self, num_kernels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_kernels = num_kernels
        self.bank = RecursiveKernels(
            num_kernels, dtype=self.dtype_policy, name="recursive_kernels"
        )

    def build(self, images_shape: Shape, mixing_shape: Shape | None = None) -> None:
        self.bank.build(images_shape)
        channels = COLOURS * (self.num_kernels + 1)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(1, 1, channels, COLOURS),
            initializer=uniform_initializer(),
        )
        limit = channels**-0.5
        self.bias = self.add_weight(
            name="bias",
            shape=(COLOURS,),
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )

    def call(self, images: Tensor, mixing: Tensor) -> Tensor:
        total = 0.0
        for index, blurred in enumerate(self.bank.blurs(images)):
            first = COLOURS * index
            total = total + ops.conv(
                mixing[..., index : index + 1] * blurred,
                self.kernel[:, :, first : first + COLOURS],
                data_format="channels_last",
            )
        return total + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_kernels": self.num_kernels}


@keras.saving.register_keras_serializable(package="tf_defocus")
class MixingPrediction(layers.Layer):
    """The mixture's maps from features and a state that finer scales go on with.

        m = u a + u      a = relu(bn(conv(features)));  u: the hidden state at half the
                         size, repeated to the whole

    Args:
        num_maps: int, maps per pixel.

    Call arguments: of `gkmnet_attention.AttentionPredictionUnit`.

    Returns:
        (maps (batch, height, width, num_maps), next state).
    """

    def __init__(self, num_maps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_maps = num_maps
        self.convolution = ReflectedConvolution(num_maps, name="convolution")
        self.normalization = UnbiasedBatchNormalization(name="normalization")
        self.memory = ConvLSTMCell(num_maps, name="memory")
        self.memory.gates.kernel_initializer = uniform_initializer()
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        self.normalization.build((None, None, None, self.num_maps))
        self.memory.build(input_shape)

    def call(
        self,
        inputs: Tensor,
        state: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        own = ops.relu(
            self.normalization(
                self.convolution(inputs),
                training=training,
                batch_statistics=batch_statistics,
            )
        )
        pooled = ops.average_pool(inputs, 2, strides=2, data_format="channels_last")
        if state is None:
            zeros = ops.zeros((*ops.shape(pooled)[:3], self.num_maps), pooled.dtype)
            state = zeros, zeros
        state = self.memory(pooled, *state)
        shared = self.upsample(state[0])
        return shared * own + shared, state

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_maps": self.num_maps}
