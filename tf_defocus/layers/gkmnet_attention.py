"""GKMNet's attention: from an image to the weights of its Gaussian mixture.

A small encoder and decoder with triplet attention, then a convolutional LSTM that
carries what was found at a coarser scale to the next (Quan et al., NeurIPS 2021,
Fig. 2).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import (
    UnbiasedBatchNormalization,
    normalized_convolution,
)
from tf_defocus.layers.gkmnet_gates import TripletAttention
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualAttentionBlock(layers.Layer):
    """A convolution, a residual block and triplet attention [GKMNet Fig. 2].

        y = x + relu(bn(conv(x)));  z = y + relu(bn(conv(y)));  attention(z)

    Args:
        filters: int, channels of the output.
        resampling: None, "down" (3x3, stride 2) or "up" (transposed 2x2, stride 2).
        normalize: bool, whether the first convolution is normalised and rectified.

    Call arguments:
        inputs: (batch, height, width, channels); even sizes for "down".
        training, batch_statistics: of `UnbiasedBatchNormalization`.

    Returns:
        (batch, height or half or double, the same of width, filters).
    """

    def __init__(
        self,
        filters: int,
        resampling: str | None = None,
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.resampling = resampling
        self.normalize = normalize
        self.head = _head(filters, resampling)
        self.head_normalization = (
            UnbiasedBatchNormalization(name="head_normalization") if normalize else None
        )
        self.residuals = [
            (
                layers.Conv2D(filters, 3, padding="same", name=f"residual{i}"),
                UnbiasedBatchNormalization(name=f"normalization{i}"),
            )
            for i in (1, 2)
        ]
        self.attention = TripletAttention(name="attention")

    def build(self, input_shape: Shape) -> None:
        self.head.build((None, None, None, input_shape[-1]))
        shape = (None, None, None, self.filters)
        if self.normalize:
            self.head_normalization.build(shape)
        for layer in (*self.residuals[0], *self.residuals[1], self.attention):
            layer.build(shape)

    def residual_features(
        self,
        inputs: Tensor,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> Tensor:
        """What the attention is applied to."""
        mode = {"training": training, "batch_statistics": batch_statistics}
        if self.resampling == "down":
            # One pixel on both sides, where "same" would pad below and right only.
            inputs = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
        if self.normalize:
            features = ops.relu(
                normalized_convolution(self.head, self.head_normalization, inputs, mode)
            )
        else:
            features = self.head(inputs)
        for layer_pair in self.residuals:
            residual = normalized_convolution(*layer_pair, features, mode)
            features = features + ops.relu(residual)
        return features

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> Tensor:
        features = self.residual_features(inputs, training, batch_statistics)
        return self.attention(
            features, training=training, batch_statistics=batch_statistics
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "resampling": self.resampling,
            "normalize": self.normalize,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ConvLSTMCell(layers.Layer):
    """One step of a convolutional LSTM without peepholes.

        i, f, o, g = conv([x, h]);  c' = sigmoid(f) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c')

    Args:
        filters: int, channels of the state.
        kernel_size: int, odd.

    Call arguments:
        inputs: (batch, height, width, channels).
        hidden, cell: (batch, height, width, filters), the state.

    Returns:
        (hidden, cell), the next state.

    Reference:
        [Shi et al., 2015](https://arxiv.org/abs/1506.04214), Eq. 3.
    """

    def __init__(self, filters: int, kernel_size: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.gates = layers.Conv2D(
            4 * filters, kernel_size, padding="same", name="gates"
        )

    def build(
        self,
        inputs_shape: Shape,
        hidden_shape: Shape | None = None,
        cell_shape: Shape | None = None,
    ) -> None:
        self.gates.build((None, None, None, inputs_shape[-1] + self.filters))

    def call(
        self, inputs: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, Tensor]:
        gates = self.gates(ops.concatenate([inputs, hidden], axis=-1))
        take, keep, show, candidate = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(keep) * cell + ops.sigmoid(take) * ops.tanh(candidate)
        return ops.sigmoid(show) * ops.tanh(cell), cell

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class AttentionPredictionUnit(layers.Layer):
    """The weights of the Gaussians from features and a state [GKMNet Fig. 2].

        gamma = tanh(u a + u)     a: convolution of the features; u: the hidden state at
                                  half the size, repeated to the whole

    Args:
        num_maps: int, weights per pixel.
        recurrent: bool; False replaces the ConvLSTM by a 5x5 convolution (Table 4 b).
        variant: "paper", or "released" for 2 sigmoid(.) - 1 in place of tanh.

    Call arguments:
        inputs: (batch, height, width, channels), even sizes.
        state: (hidden, cell), each (batch, height/2, width/2, num_maps), or None to
            start from zeros.
        training, batch_statistics: of `UnbiasedBatchNormalization`.

    Returns:
        (weights (batch, height, width, num_maps) in (-1, 1), next state or None).
    """

    def __init__(
        self,
        num_maps: int,
        recurrent: bool = True,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_maps = num_maps
        self.recurrent = recurrent
        self.variant = variant
        self.convolution = layers.Conv2D(
            num_maps, 3, padding="same", name="convolution"
        )
        self.normalization = UnbiasedBatchNormalization(name="normalization")
        self.memory = (
            ConvLSTMCell(num_maps, name="memory")
            if recurrent
            else layers.Conv2D(num_maps, 5, padding="same", name="memory")
        )
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")

    def build(self, input_shape: Shape) -> None:
        shape = (None, None, None, input_shape[-1])
        self.convolution.build(shape)
        self.normalization.build((None, None, None, self.num_maps))
        self.memory.build(shape)

    def call(
        self,
        inputs: Tensor,
        state: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        mode = {"training": training, "batch_statistics": batch_statistics}
        own = normalized_convolution(self.convolution, self.normalization, inputs, mode)
        pooled = ops.average_pool(inputs, 2, strides=2, data_format="channels_last")
        if self.recurrent:
            state = self.memory(pooled, *(state or self._zero_state(pooled)))
            shared = self.upsample(state[0])
        else:
            shared = self.upsample(self.memory(pooled))
        mixed = shared * ops.relu(own) + shared
        # 2 sigmoid(x) - 1 = tanh(x / 2)
        return ops.tanh(mixed / 2 if self.variant == "released" else mixed), state

    def _zero_state(self, pooled):
        zeros = ops.zeros((*ops.shape(pooled)[:3], self.num_maps), pooled.dtype)
        return zeros, zeros

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **_arguments(self),
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ScaleRecurrentAttention(layers.Layer):
    """From an image to the weights of its mixture: SRAM [GKMNet Fig. 2].

    Args:
        num_maps: int, weights per pixel.
        recurrent: bool, whether a ConvLSTM carries a state between scales.
        variant: of `AttentionPredictionUnit`.
        base_filters: int, channels at full size; four times as many at a quarter.

    Call arguments:
        images: (batch, height, width, 3), sizes divisible by 4.
        state: (hidden, cell) or None, of `AttentionPredictionUnit`.
        training, batch_statistics: of `UnbiasedBatchNormalization`.

    Returns:
        (weights (batch, height, width, num_maps) in (-1, 1), next state or None).
    """

    def __init__(
        self,
        num_maps: int,
        recurrent: bool = True,
        variant: str = "paper",
        base_filters: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_maps = num_maps
        self.recurrent = recurrent
        self.variant = variant
        self.base_filters = base_filters
        base, block = base_filters, ResidualAttentionBlock
        self.full_in = block(base, normalize=False, name="full_in")
        self.half_in = block(2 * base, "down", name="half_in")
        self.quarter_in = block(4 * base, "down", name="quarter_in")
        self.bottleneck = block(4 * base, name="bottleneck")
        self.half_out = block(2 * base, "up", name="half_out")
        self.full_out = block(base, "up", name="full_out")
        self.prediction = AttentionPredictionUnit(
            num_maps, recurrent, variant, name="prediction"
        )

    def build(self, input_shape: Shape) -> None:
        base = self.base_filters
        for layer, channels in (
            (self.full_in, input_shape[-1]),
            (self.half_in, base),
            (self.quarter_in, 2 * base),
            (self.bottleneck, 4 * base),
            (self.half_out, 4 * base),
            (self.full_out, 2 * base),
            (self.prediction, base),
        ):
            layer.build((None, None, None, channels))

    def features(
        self,
        images: Tensor,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> tuple[Tensor, ...]:
        """The outputs of the six blocks, in order."""
        mode = {"training": training, "batch_statistics": batch_statistics}
        full = self.full_in(images, **mode)
        half = self.half_in(full, **mode)
        quarter = self.quarter_in(half, **mode)
        bottleneck = self.bottleneck(quarter, **mode)
        half_out = self.half_out(bottleneck + quarter, **mode)
        full_out = self.full_out(half_out + half, **mode)  # `full` is not skipped
        return full, half, quarter, bottleneck, half_out, full_out

    def call(
        self,
        images: Tensor,
        state: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        features = self.features(images, training, batch_statistics)[-1]
        return self.prediction(
            features,
            state=state,
            training=training,
            batch_statistics=batch_statistics,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **_arguments(self),
            "base_filters": self.base_filters,
        }


def _arguments(layer):
    """What an attention and its prediction are both made with."""
    names = ("num_maps", "recurrent", "variant")
    return {name: getattr(layer, name) for name in names}


def _head(filters, resampling):
    if resampling == "up":
        return layers.Conv2DTranspose(filters, 2, strides=2, name="head")
    if resampling == "down":
        return layers.Conv2D(filters, 3, strides=2, name="head")
    return layers.Conv2D(filters, 3, padding="same", name="head")
