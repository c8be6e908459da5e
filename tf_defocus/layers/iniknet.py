"""INIKNet's features across scales (Quan, Yao, Ji, ICCV 2023)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import (
    doubling_convolution,
    uniform_initializer,
    uniform_initializers,
)
from tf_defocus.layers.nrknet import ReflectedConvolution, ReflectedResidualUnits
from tf_defocus.ops.resizing import double_bilinear
from tf_defocus.ops.tensor import Shape, Tensor


class UnitsLayer(layers.Layer):
    """What the layers that are made of residual units take.

    Args:
        filters: int, channels.
        num_residual_units: int, of each chain.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, filters, num_residual_units=2, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.num_residual_units = num_residual_units

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_residual_units": self.num_residual_units,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ReflectedUNet(UnitsLayer):
    """Features of an image: down to a quarter and back, borders mirrored.

    Args:
        filters: int, channels at full size; doubled at every halving.
        num_residual_units: int, at every size, on either way.

    Call arguments:
        images: (batch, height, width, 3), sizes divisible by 4.

    Returns:
        (batch, height, width, filters).
    """

    def __init__(
        self, filters: int = 32, num_residual_units: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(filters, num_residual_units, **kwargs)
        widths = [filters, 2 * filters, 4 * filters]

        def parts(names, widths, strides):
            return [
                (
                    ReflectedConvolution(
                        width, stride, "relu", name=f"entrance_{name}"
                    ),
                    ReflectedResidualUnits(width, num_residual_units, name=name),
                )
                for name, width, stride in zip(names, widths, strides)
            ]

        self.encoder = parts(("down1", "down2", "down3"), widths, (1, 2, 2))
        self.decoder = parts(("up1", "up2"), widths[1::-1], (1, 1))
        self.rises = [
            doubling_convolution(
                width,
                activation="relu",
                use_bias=False,
                kernel_initializer=uniform_initializer(),
                name=f"rise{width}",
            )
            for width in widths[1::-1]
        ]

    def build(self, input_shape: Shape) -> None:
        before = input_shape[-1]
        for entrance, units in self.encoder:
            entrance.build((None, None, None, before))
            before = units.filters
            units.build((None, None, None, before))
        for rise, (entrance, units) in zip(self.rises, self.decoder):
            rise.build((None, None, None, before))
            entrance.build((None, None, None, before))
            before = units.filters
            units.build((None, None, None, before))

    def encode(self, images: Tensor) -> list[Tensor]:
        """Features of full, half and quarter size."""
        found = []
        for entrance, units in self.encoder:
            images = units(entrance(images))
            found.append(images)
        return found

    def call(self, images: Tensor) -> Tensor:
        *skips, features = self.encode(images)
        for rise, (entrance, units) in zip(self.rises, self.decoder):
            joined = ops.concatenate([rise(features), skips.pop()], axis=-1)
            features = units(entrance(joined))
        return features


@keras.saving.register_keras_serializable(package="tf_defocus")
class ScaleCell(UnitsLayer):
    """An LSTM cell from one scale to the next, with residual units before its gates.

        i, f, o, g = conv1(units(concat(x, h)))
        c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')

    Args:
        filters: int, channels of input, cell and hidden state.
        num_residual_units: int.

    Call arguments:
        inputs: (batch, height, width, filters).
        hidden, cell: the same shape.

    Returns:
        (h', c').
    """

    def __init__(
        self, filters: int, num_residual_units: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(filters, num_residual_units, **kwargs)
        self.units = ReflectedResidualUnits(
            2 * filters, num_residual_units, name="units"
        )
        self.gates = layers.Conv2D(
            4 * filters, 1, **uniform_initializers(2 * filters), name="gates"
        )

    def build(
        self,
        inputs_shape: Shape,
        hidden_shape: Shape | None = None,
        cell_shape: Shape | None = None,
    ) -> None:
        for layer in (self.units, self.gates):
            layer.build((None, None, None, 2 * self.filters))

    def call(
        self, inputs: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, Tensor]:
        combined = ops.concatenate([inputs, hidden], axis=-1)
        gates = ops.split(self.gates(self.units(combined)), 4, axis=-1)
        write, keep, read = (ops.sigmoid(gate) for gate in gates[:3])
        cell = keep * cell + write * ops.tanh(gates[3])
        return read * ops.tanh(cell), cell


@keras.saving.register_keras_serializable(package="tf_defocus")
class BidirectionalScales(UnitsLayer):
    """Tells the features of every scale what the other scales hold.

    The normalised features run from the finest scale to the coarsest; the hidden states
    run back; what comes out is added to the features.

    Args:
        filters, num_residual_units: int, of `ScaleCell`.

    Call arguments:
        features: list of (batch, height, width, filters), coarsest first, each twice as
            large as the one before.

    Returns:
        list of the same shapes.
    """

    def __init__(
        self, filters: int, num_residual_units: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(filters, num_residual_units, **kwargs)
        self.normalisation = layers.LayerNormalization(
            epsilon=1e-5, name="normalisation"
        )
        self.to_coarse = ScaleCell(filters, num_residual_units, name="to_coarse")
        self.to_fine = ScaleCell(filters, num_residual_units, name="to_fine")

    def build(self, features_shape: Shape) -> None:
        shape = (None, None, None, self.filters)
        for layer in (self.normalisation, self.to_coarse, self.to_fine):
            layer.build(shape)

    def hidden_states(
        self, features: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """(on the way to the coarsest scale, on the way back), both coarsest first."""
        normalised = [self.normalisation(part) for part in features]
        back = _run(self.to_coarse, normalised[::-1], _halve)[::-1]
        return back, _run(self.to_fine, back, double_bilinear)

    def call(self, features: Sequence[Tensor]) -> list[Tensor]:
        _, hidden = self.hidden_states(features)
        return [part + state for part, state in zip(features, hidden)]


def _run(cell, inputs, resize):
    """The hidden states of a cell, whose state is resized between the inputs."""
    found, state = [], None
    for part in inputs:
        if state is None:
            state = ops.zeros_like(part), ops.zeros_like(part)
        else:
            state = tuple(resize(each) for each in state)
        state = cell(part, *state)
        found.append(state[0])
    return found


def _halve(images):
    return ops.average_pool(images, 2, 2, data_format="channels_last")
