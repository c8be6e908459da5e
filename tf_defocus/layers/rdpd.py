"""RDPD's blocks: a recurrent bottleneck, and where in the frame a pixel lies.

Abuolaim et al., ICCV 2021. The gates are those of Keras 2, whose hard sigmoid has
another slope than Keras 3's.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.shared_batches import BatchDropout
from tf_defocus.ops.tensor import Shape, Tensor


def hard_sigmoid(values):
    """Keras 2's: clip(0.2 x + 0.5, 0, 1); Keras 3's has a slope of 1/6."""
    return ops.clip(0.2 * values + 0.5, 0, 1)


def radial_distance(height, width):
    """Distance of every pixel of a frame from its centre, in levels of 8 bits.

        round(255 r / R) / 255      r from the pixel in row height/2, column width/2;
                                    R from there to the pixel in row 0, column 0

    Args:
        height, width: int or scalar integer tensor [px], of the whole frame.

    Returns:
        (height, width, 1) float32 in [0, 1]. In float64 a few pixels that lie between
        two levels take the other one.
    """
    across, down = (
        ops.cast(ops.arange(size, dtype="int32"), "float32")
        - ops.cast(size, "float32") / 2
        for size in (width, height)
    )
    distance = ops.sqrt(ops.square(down)[:, None] + ops.square(across))
    levels = ops.round(255 * (distance / distance[0, 0]))
    return ops.expand_dims(levels, -1) / 255


@keras.saving.register_keras_serializable(package="tf_defocus")
class FrameLSTM(layers.Layer):
    """A convolutional LSTM over the frames of a clip, with the gates of Keras 2.

        i, f, o = hard_sigmoid(.), g = tanh(.)  of  W * x_t + U * h_t-1 + b
        c_t = f c_t-1 + i g;  h_t = o tanh(c_t)

    Every call starts from zeros, so one frame alone is untouched by U and f.

    Args:
        filters: int, channels of the state.
        kernel_size: int, odd.
        dropout_rate: float in [0, 1), of the inputs while training: one mask for every
            gate, the same in all frames.

    Call arguments:
        inputs: (batch, frames, height, width, channels); frames must be known.
        training: bool.

    Returns:
        (batch, frames, height, width, filters).

    Raises:
        ValueError: if the number of frames is unknown to the graph.

    Reference:
        [Shi et al., 2015](https://arxiv.org/abs/1506.04214), Eq. 3, without peepholes.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.dropout_rate = dropout_rate
        same_in_all_frames = (None, 1, None, None, None)
        self.dropout = BatchDropout(
            dropout_rate, noise_shape=same_in_all_frames, name="dropout"
        )

    def build(self, input_shape: Shape) -> None:
        size, filters = self.kernel_size, self.filters
        self.kernel = self.add_weight(
            name="kernel",
            shape=(size, size, input_shape[-1], 4 * filters),
            initializer="glorot_uniform",
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(size, size, filters, 4 * filters),
            initializer="orthogonal",
        )
        self.bias = self.add_weight(
            name="bias", shape=(4 * filters,), initializer=_remember
        )

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        num_frames = inputs.shape[1]
        if num_frames is None:
            raise ValueError(
                "The number of frames must be known to the graph. Received: "
                f"inputs of shape {tuple(inputs.shape)}"
            )
        gates = self._from_inputs(inputs, training)
        hidden, cell, outputs = None, None, []
        for frame in range(num_frames):
            now = gates[:, frame]
            if hidden is not None:
                now = now + _convolve(hidden, self.recurrent_kernel)
            take, keep, candidate, show = ops.split(now, 4, axis=-1)
            following = hard_sigmoid(take) * ops.tanh(candidate)
            if cell is not None:
                following = following + hard_sigmoid(keep) * cell
            cell = following
            hidden = hard_sigmoid(show) * ops.tanh(cell)
            outputs.append(hidden)
        return ops.stack(outputs, axis=1)

    def _from_inputs(self, inputs, training):
        """W * x + b of all frames."""
        if not training or self.dropout_rate == 0:
            return _over_frames(inputs, self.kernel) + self.bias
        parts = [
            _over_frames(self.dropout(inputs, training=True), kernel)
            for kernel in ops.split(self.kernel, 4, axis=-1)
        ]
        return ops.concatenate(parts, axis=-1) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dropout_rate": self.dropout_rate,
        }


def merge_frames(clips):
    """(batch, frames, ...) -> (batch * frames, ...)."""
    if clips.shape[1] == 1:
        return clips[:, 0]
    shape = ops.shape(clips)
    return ops.reshape(clips, (shape[0] * shape[1], *shape[2:]))


def separate_frames(images, num_frames):
    """(batch * frames, ...) -> (batch, frames, ...)."""
    if num_frames == 1:
        return ops.expand_dims(images, 1)
    shape = ops.shape(images)
    return ops.reshape(images, (shape[0] // num_frames, num_frames, *shape[1:]))


def _over_frames(inputs, kernel):
    num_frames = inputs.shape[1]
    return separate_frames(_convolve(merge_frames(inputs), kernel), num_frames)


def _convolve(inputs, kernel):
    return ops.conv(inputs, kernel, padding="same", data_format="channels_last")


def _remember(shape, dtype=None):
    """Biases of 0, but 1 of the gate that keeps the state."""
    values = [0.0, 1.0, 0.0, 0.0]
    return ops.repeat(ops.convert_to_tensor(values, dtype=dtype), shape[0] // 4)
