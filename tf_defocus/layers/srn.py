"""SRN's parts: one encoder and decoder for all scales, and a memory between them.

Deblurring at a small size is easier and alike: the same weights serve every scale (Tao
et al., CVPR 2018).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import doubling_convolution
from tf_defocus.layers.residual import BaseResidualUnit
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class LargeResidualBlock(BaseResidualUnit):
    """A residual block of 5x5 convolutions: x + conv(relu(conv(x))).

    Args, call arguments, returns: of `BaseResidualUnit`.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.first = convolution(filters, name="first")
        self.second = convolution(filters, activation=None, name="second")


@keras.saving.register_keras_serializable(package="tf_defocus")
class ScaleMemory(layers.Layer):
    """A convolutional LSTM cell whose steps are the scales.

        i, j, f, o = conv3(concat(x, h))
        c' = c sigmoid(f + 1) + sigmoid(i) tanh(j);  h' = tanh(c') sigmoid(o)

    Args:
        filters: int, channels of input, cell and hidden state.

    Call arguments:
        inputs: (batch, height, width, filters).
        state: (batch, height, width, 2 * filters), c then h; None for zeros.

    Returns:
        (h', next state).
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.gates = layers.Conv2D(
            4 * filters,
            3,
            padding="same",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=1e-3),
            name="gates",
        )

    def build(self, inputs_shape: Shape, state_shape: Shape | None = None) -> None:
        self.gates.build((None, None, None, 2 * self.filters))

    def call(
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if state is None:
            cell = hidden = ops.zeros_like(inputs)
        else:
            cell, hidden = ops.split(state, 2, axis=-1)
        gates = self.gates(ops.concatenate([inputs, hidden], axis=-1))
        write, content, keep, read = ops.split(gates, 4, axis=-1)
        cell = cell * ops.sigmoid(keep + 1) + ops.sigmoid(write) * ops.tanh(content)
        hidden = ops.tanh(cell) * ops.sigmoid(read)
        return hidden, ops.concatenate([cell, hidden], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable(package="tf_defocus")
class ScaleNetwork(layers.Layer):
    """Encoder, memory and decoder of one scale.

    Args:
        base_filters: int, channels at this scale's full size; doubled at every halving.
        channels: int, of the image.
        recurrent: bool, whether there is a `ScaleMemory`.

    Call arguments:
        inputs: (batch, height, width, 2 * channels), the blurred image and an estimate;
            sizes divisible by 4.
        state: of `ScaleMemory`, at a quarter of the size, or None.

    Returns:
        (image (batch, height, width, channels) float32, next state or None).
    """

    def __init__(
        self,
        base_filters: int = 32,
        channels: int = 3,
        recurrent: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.base_filters = base_filters
        self.channels = channels
        self.recurrent = recurrent
        widths = [base_filters * 2**i for i in range(3)]
        self.encoder = [
            (
                convolution(width, strides=min(level, 1) + 1, name=f"entrance{level}"),
                _blocks(width, f"encoder{level}"),
            )
            for level, width in enumerate(widths)
        ]
        self.memory = ScaleMemory(widths[-1], name="memory") if recurrent else None
        self.decoder = [_blocks(width, f"decoder{width}") for width in widths[::-1]]
        self.rises = [
            doubling_convolution(
                width,
                activation="relu",
                name=f"rise{width}",
            )
            for width in widths[1::-1]
        ]
        # It makes an image: bfloat16 would leave it 8 bits.
        self.closing = convolution(
            channels, activation=None, dtype="float32", name="closing"
        )

    def build(self, inputs_shape: Shape, state_shape: Shape | None = None) -> None:
        before = 2 * self.channels
        for entrance, blocks in self.encoder:
            entrance.build((None, None, None, before))
            before = entrance.filters
            for block in blocks:
                block.build((None, None, None, before))
        if self.memory is not None:
            self.memory.build((None, None, None, before))
        for index, blocks in enumerate(self.decoder):
            if index > 0:
                self.rises[index - 1].build((None, None, None, before))
                before = blocks[0].filters
            for block in blocks:
                block.build((None, None, None, before))
        self.closing.build((None, None, None, before))

    def stages(self, inputs: Tensor, state: Tensor | None = None) -> dict[str, Tensor]:
        """Every named result.

        Returns:
            Dict: `enc1` to `enc3`, `mid` (after the memory) and `state`, `dec3`, `up2`,
            `dec2`, `up1` (before their skips), `dec1`, `image`.
        """
        found, features = {}, inputs
        for level, (entrance, blocks) in enumerate(self.encoder, start=1):
            features = found[f"enc{level}"] = _through(blocks, entrance(features))
        found["state"] = None
        if self.memory is not None:
            features, found["state"] = self.memory(features, state)
        found["mid"] = features
        for level, blocks in zip((3, 2, 1), self.decoder):
            if level < 3:
                found[f"up{level}"] = self.rises[2 - level](features)
                features = found[f"up{level}"] + found[f"enc{level}"]
            features = found[f"dec{level}"] = _through(blocks, features)
        found["image"] = self.closing(features)
        return found

    def call(
        self, inputs: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        found = self.stages(inputs, state)
        return found["image"], found["state"]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "channels": self.channels,
            "recurrent": self.recurrent,
        }


def convolution(filters, strides=1, activation="relu", **kwargs):
    """A 5x5 convolution; with strides its padding is one less above and on the left."""
    return layers.Conv2D(
        filters, 5, strides=strides, padding="same", activation=activation, **kwargs
    )


def _blocks(filters, name):
    return [LargeResidualBlock(filters, name=f"{name}_block{i}") for i in (1, 2, 3)]


def _through(chain, features):
    for layer in chain:
        features = layer(features)
    return features
