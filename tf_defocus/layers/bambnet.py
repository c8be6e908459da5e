"""BaMBNet's branches: one treats sharp pixels, three treat blur of growing extent.

A branch for sharp pixels is a chain of 1x1 convolutions at full size; the others go
down to a sixteenth and back, with the deeper groups the more blur they are for (Liang
et al., 2022).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializers
from tf_defocus.ops.tensor import Shape, Tensor

LEVELS = 4  # halvings on the way down; as many doublings on the way up


class ReducedLayer(layers.Layer):
    """What the parts of a branch take alike.

    Args:
        filters: int, channels of inputs and outputs.
        reduction: int, how many times fewer channels the channel attention is made of.

    Call arguments:
        inputs: (batch, height, width, filters).

    Returns:
        (batch, height, width, filters).
    """

    def __init__(self, filters, reduction, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.reduction = reduction

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "reduction": self.reduction,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class PooledChannelAttention(ReducedLayer):
    """Weighs every channel by a number in (0, 1) that the whole image decides.

        out = x * sigmoid(conv(relu(conv(mean of x over all pixels))))

    Args, call arguments, returns: of `ReducedLayer`.
    """

    def __init__(self, filters: int, reduction: int, **kwargs: Any) -> None:
        super().__init__(filters, reduction, **kwargs)
        narrow = filters // reduction
        self.squeeze = convolution(filters, narrow, 1, "relu", name="squeeze")
        self.excite = convolution(narrow, filters, 1, "sigmoid", name="excite")

    def build(self, input_shape: Shape) -> None:
        pooled = (input_shape[0], 1, 1)
        self.squeeze.build((*pooled, self.filters))
        self.excite.build((*pooled, self.filters // self.reduction))

    def call(self, inputs: Tensor) -> Tensor:
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return inputs * self.excite(self.squeeze(mean))


@keras.saving.register_keras_serializable(package="tf_defocus")
class ChannelAttentionBlock(ReducedLayer):
    """A residual block with channel attention: x + attention(conv(relu(conv(x)))).

    Args, call arguments, returns: of `ReducedLayer`.
    """

    def __init__(self, filters: int, reduction: int, **kwargs: Any) -> None:
        super().__init__(filters, reduction, **kwargs)
        self.first = convolution(filters, filters, 3, "relu", name="first")
        self.second = convolution(filters, filters, 3, name="second")
        self.attention = PooledChannelAttention(filters, reduction, name="attention")

    def build(self, input_shape: Shape) -> None:
        for layer in (self.first, self.second, self.attention):
            layer.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.attention(self.second(self.first(inputs)))


@keras.saving.register_keras_serializable(package="tf_defocus")
class AttentionGroup(ReducedLayer):
    """Residual blocks, a convolution, and a skip around them: x + conv(blocks(x)).

    Args:
        filters, reduction: int, of `ReducedLayer`, as are call arguments and returns.
        num_blocks: int, `ChannelAttentionBlock`s.
    """

    def __init__(
        self, filters: int, num_blocks: int, reduction: int, **kwargs: Any
    ) -> None:
        super().__init__(filters, reduction, **kwargs)
        self.num_blocks = num_blocks
        self.blocks = [
            ChannelAttentionBlock(filters, reduction, name=f"block{i}")
            for i in range(1, num_blocks + 1)
        ]
        self.closing = convolution(filters, filters, 3, name="closing")

    def build(self, input_shape: Shape) -> None:
        for layer in (*self.blocks, self.closing):
            layer.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        features = inputs
        for block in self.blocks:
            features = block(features)
        return inputs + self.closing(features)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_blocks": self.num_blocks}


@keras.saving.register_keras_serializable(package="tf_defocus")
class BlurBranch(ReducedLayer):
    """Eight layers for pixels of one range of blur.

    Every layer but the first sees the sum of the layer before, of its mirror image on
    the way down, and of the branch's input, averaged to its size.

    Args:
        filters, reduction: int, of `ReducedLayer`, as is what is returned.
        num_blocks: int, `ChannelAttentionBlock`s of every layer; 0 makes every layer
            one rectified 1x1 convolution, at full size throughout.

    Call arguments:
        inputs: (batch, height, width, filters), sizes divisible by 16.
    """

    def __init__(
        self, filters: int, num_blocks: int, reduction: int, **kwargs: Any
    ) -> None:
        super().__init__(filters, reduction, **kwargs)
        self.num_blocks = num_blocks
        names = [f"layer{i}" for i in range(1, 2 * LEVELS + 1)]
        if num_blocks == 0:
            self.chain = [
                convolution(filters, filters, 1, "relu", name=name) for name in names
            ]
        else:
            self.chain = [
                AttentionGroup(filters, num_blocks, reduction, name=name)
                for name in names
            ]

    def build(self, input_shape: Shape) -> None:
        for layer in self.chain:
            layer.build((None, None, None, self.filters))

    def call(self, inputs: Tensor) -> Tensor:
        return self.stages(inputs)[-1]

    def stages(self, inputs: Tensor) -> list[Tensor]:
        """The results of all eight layers, after their halving or doubling."""
        found, features = [], inputs
        for index, layer in enumerate(self.chain):
            if index > 0:
                features = features + self._averaged(inputs, index)
            if index > LEVELS:
                features = features + found[2 * LEVELS - 1 - index]
            features = self._resampled(layer(features), index)
            found.append(features)
        return found

    def _averaged(self, inputs, index):
        size = 2 ** min(index, 2 * LEVELS - index)
        if self.num_blocks == 0:
            return inputs
        return ops.average_pool(inputs, size, size, data_format="channels_last")

    def _resampled(self, features, index):
        if self.num_blocks == 0:
            return features
        if index < LEVELS:
            return ops.max_pool(features, 2, 2, data_format="channels_last")
        return ops.repeat(ops.repeat(features, 2, axis=1), 2, axis=2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_blocks": self.num_blocks}


def convolution(in_filters, filters, kernel_size, activation=None, name=None):
    """A convolution that starts as the authors' framework starts it."""
    return layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation=activation,
        **uniform_initializers(in_filters * kernel_size**2),
        name=name,
    )
