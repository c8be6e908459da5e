"""Triplet attention, the gates of GKMNet's attention (Quan et al., NeurIPS 2021).

Three gates weigh the features, each after pooling over one axis: over height, width and
channels (Misra et al., WACV 2021).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import UnbiasedBatchNormalization
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class AttentionGate(layers.Layer):
    """A gate from the largest and the mean value along one axis.

    Args:
        pooled_axis: 1 (height), 2 (width) or 3 (channels).

    Call arguments:
        inputs: (batch, height, width, channels).
        training, batch_statistics: of `UnbiasedBatchNormalization`.

    Returns:
        The shape of `inputs` with 1 in place of the pooled axis, in (0, 1).

    Reference:
        [Misra et al., 2021](https://arxiv.org/abs/2010.03045), Sec. 3.2.
    """

    def __init__(self, pooled_axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooled_axis = pooled_axis
        self.convolution = layers.Conv2D(
            1, 7, padding="same", use_bias=False, name="convolution"
        )
        self.normalization = UnbiasedBatchNormalization(
            momentum=0.99, name="normalization"
        )

    def build(self, input_shape: Shape) -> None:
        self.convolution.build((None, None, None, 2))
        self.normalization.build((None, None, None, 1))

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> Tensor:
        axis = self.pooled_axis
        pooled = [ops.max(inputs, axis=axis), ops.mean(inputs, axis=axis)]
        maps = ops.stack(pooled, axis=-1)
        # Rows and columns are (height, width), (height, channels), (channels, width).
        maps = ops.swapaxes(maps, 1, 2) if axis == 1 else maps
        maps = self.normalization(
            self.convolution(maps), training=training, batch_statistics=batch_statistics
        )
        # No transposition: of one sample only, converters mistake its axis
        gate = ops.squeeze(ops.sigmoid(maps), axis=-1)
        gate = ops.swapaxes(gate, 1, 2) if axis == 1 else gate
        return ops.expand_dims(gate, axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pooled_axis": self.pooled_axis}


@keras.saving.register_keras_serializable(package="tf_defocus")
class TripletAttention(layers.Layer):
    """Mean of three gatings: over space, rows and columns of channels.

    The last two pool over the whole height and width, so a tile's answer differs from
    the image's.

    Call arguments:
        inputs: (batch, height, width, channels).
        training, batch_statistics: of `UnbiasedBatchNormalization`.

    Returns:
        The shape of `inputs`.

    Reference:
        [Misra et al., 2021](https://arxiv.org/abs/2010.03045), Fig. 4.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gates = [
            AttentionGate(3, name="space"),
            AttentionGate(1, name="channel_width"),
            AttentionGate(2, name="height_channel"),
        ]

    def build(self, input_shape: Shape) -> None:
        for gate in self.gates:
            gate.build(input_shape)

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> Tensor:
        mode = {"training": training, "batch_statistics": batch_statistics}
        # The mean of the three; only their sum is as large as the image.
        space, channel_width, height_channel = (
            gate(inputs, **mode) / 3 for gate in self.gates
        )
        return inputs * (space + channel_width + height_channel)
