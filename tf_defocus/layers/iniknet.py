"""INIKNet's parts: inverse kernels as functions of position, features across scales.

A small network per basis maps a position within a kernel to its value there, so one set
of weights gives kernels of every size (Quan, Yao, Ji, ICCV 2023).
"""

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.common import (
    doubling_convolution,
    uniform_initializer,
    uniform_initializers,
)
from tf_defocus.layers.nrknet import ReflectedConvolution, ReflectedResidualUnits
from tf_defocus.ops.resizing import double_bilinear

COLOURS = 3
FREQUENCIES = (2.0, 12.0)  # of the first and of the last basis at the start


def kernel_coordinates(size):
    """Where the samples of a kernel lie, in polar coordinates.

    Args:
        size: int, odd.

    Returns:
        (size, size, 3) float32: radius, 1 in the corners, and cosine and sine of the
        angle to the column axis's normal, moved to [0, 1].
    """
    row, column = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    radius = np.hypot(row, column) / np.sqrt(2)
    angle = np.arctan2(column, row)
    return np.stack(
        [radius, (np.cos(angle) + 1) / 2, (np.sin(angle) + 1) / 2], axis=-1
    ).astype("float32")


@keras.saving.register_keras_serializable(package="tf_defocus")
class ImplicitKernel(layers.Layer):
    """One kernel of any size: sines of position.

        kernel(p) = 9 / size^2 * dense(sin(w dense(sin(w dense(p)))))

    Args:
        hidden_units: int, of both hidden layers.
        frequency: float, of w at the start.

    Call arguments:
        coordinates: (size, size, 3), of `kernel_coordinates`.

    Returns:
        (size, size, 1).
    """

    def __init__(self, hidden_units=64, frequency=1.0, **kwargs):
        super().__init__(**kwargs)
        self.hidden_units = hidden_units
        self.frequency = frequency
        self.first = layers.Dense(
            hidden_units, **uniform_initializers(COLOURS), name="first"
        )
        self.second = layers.Dense(
            hidden_units, **uniform_initializers(hidden_units), name="second"
        )
        self.last = layers.Dense(
            1, use_bias=False, kernel_initializer=uniform_initializer(), name="last"
        )

    def build(self, input_shape):
        self.first.build((None, 3))
        for layer in (self.second, self.last):
            layer.build((None, self.hidden_units))
        self.scale = self.add_weight(
            name="scale",
            shape=(),
            initializer=keras.initializers.Constant(self.frequency),
        )

    def call(self, coordinates):
        hidden = ops.sin(self.scale * self.first(coordinates))
        hidden = ops.sin(self.scale * self.second(hidden))
        return self.last(hidden) * (9 / coordinates.shape[0] ** 2)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "frequency": self.frequency,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ImplicitKernelSum(layers.Layer):
    """Filters an image with all kernels at all sizes, weighs per pixel, and sums.

        sum_g S_g sum_i W_gi beta_i (k_i,g * image) + bias

    k_i,g is basis i at the g-th size, 3, 5, ...; size 0 stands for no kernel, whose
    share S_0 goes nowhere. W_gi mixes colours. The filtered images never exist all at
    once. Computes in its own dtype; give it "float32".

    Args:
        num_bases: int.
        max_kernel_size: int, odd, at least 3.
        hidden_units: int, of `ImplicitKernel`.

    Call arguments:
        images: (batch, height, width, 3).
        scale_weights: (batch, height, width, sizes + 1), S.
        basis_weights: (batch, height, width, num_bases), beta.

    Returns:
        The shape of `images`.
    """

    def __init__(self, num_bases=10, max_kernel_size=15, hidden_units=64, **kwargs):
        super().__init__(**kwargs)
        self.num_bases = num_bases
        self.max_kernel_size = max_kernel_size
        self.hidden_units = hidden_units
        self.sizes = tuple(range(3, max_kernel_size + 1, 2))
        self.bases = [
            ImplicitKernel(
                hidden_units, frequency, dtype=self.dtype_policy, name=f"basis{i}"
            )
            for i, frequency in enumerate(np.linspace(*FREQUENCIES, num_bases).tolist())
        ]

    def build(self, images_shape, scale_weights_shape=None, basis_weights_shape=None):
        for basis in self.bases:
            basis.build((None, None, 3))
        channels = (len(self.sizes) + 1) * COLOURS * self.num_bases
        initializers = uniform_initializers(channels)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(1, 1, channels, COLOURS),
            initializer=initializers["kernel_initializer"],
        )
        self.bias = self.add_weight(
            name="bias", shape=(COLOURS,), initializer=initializers["bias_initializer"]
        )

    def kernels(self, size):
        """(size, size, num_bases)."""
        coordinates = ops.convert_to_tensor(kernel_coordinates(size))
        return ops.concatenate([basis(coordinates) for basis in self.bases], axis=-1)

    def filtered(self, images, size):
        """Yields the images of every colour, (batch, height, width, num_bases)."""
        kernels = ops.cast(self.kernels(size), images.dtype)[:, :, None]
        for colour in range(COLOURS):
            plane = images[..., colour : colour + 1]
            yield ops.conv(plane, kernels, padding="same", data_format="channels_last")

    def call(self, images, scale_weights, basis_weights):
        total, count = 0.0, self.num_bases
        kernel = ops.cast(self.kernel, images.dtype)
        for group, size in enumerate(self.sizes, start=1):
            part = 0.0
            for colour, maps in enumerate(self.filtered(images, size)):
                first = (group * COLOURS + colour) * count
                part = part + ops.conv(
                    maps * basis_weights,
                    kernel[:, :, first : first + count],
                    data_format="channels_last",
                )
            total = total + scale_weights[..., group : group + 1] * part
        return total + self.bias

    def get_config(self):
        return {
            **super().get_config(),
            "num_bases": self.num_bases,
            "max_kernel_size": self.max_kernel_size,
            "hidden_units": self.hidden_units,
        }


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

    def __init__(self, filters=32, num_residual_units=2, **kwargs):
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

    def build(self, input_shape):
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

    def encode(self, images):
        """Features of full, half and quarter size."""
        found = []
        for entrance, units in self.encoder:
            images = units(entrance(images))
            found.append(images)
        return found

    def call(self, images):
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

    def __init__(self, filters, num_residual_units=2, **kwargs):
        super().__init__(filters, num_residual_units, **kwargs)
        self.units = ReflectedResidualUnits(
            2 * filters, num_residual_units, name="units"
        )
        self.gates = layers.Conv2D(
            4 * filters, 1, **uniform_initializers(2 * filters), name="gates"
        )

    def build(self, inputs_shape, hidden_shape=None, cell_shape=None):
        for layer in (self.units, self.gates):
            layer.build((None, None, None, 2 * self.filters))

    def call(self, inputs, hidden, cell):
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

    def __init__(self, filters, num_residual_units=2, **kwargs):
        super().__init__(filters, num_residual_units, **kwargs)
        self.normalisation = layers.LayerNormalization(
            epsilon=1e-5, name="normalisation"
        )
        self.to_coarse = ScaleCell(filters, num_residual_units, name="to_coarse")
        self.to_fine = ScaleCell(filters, num_residual_units, name="to_fine")

    def build(self, features_shape):
        shape = (None, None, None, self.filters)
        for layer in (self.normalisation, self.to_coarse, self.to_fine):
            layer.build(shape)

    def hidden_states(self, features):
        """(on the way to the coarsest scale, on the way back), both coarsest first."""
        normalised = [self.normalisation(part) for part in features]
        back = _run(self.to_coarse, normalised[::-1], _halve)[::-1]
        return back, _run(self.to_fine, back, double_bilinear)

    def call(self, features):
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
