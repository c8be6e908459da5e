"""DeepRFT's blocks: residual blocks with a path through the Fourier domain.

A rectifier on the spectrum selects frequencies, and a frequency belongs to the whole
image: one such block sees all of it (Mao et al., AAAI 2023).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializer
from tf_defocus.ops.image_spectrum import inverse_real_transform, real_transform
from tf_defocus.ops.tensor import Shape, Tensor

TAPS = 9  # of a 3x3 kernel


@keras.saving.register_keras_serializable(package="tf_defocus")
class OverparameterizedConvolution(layers.Layer):
    """A convolution without bias whose 3x3 kernels are a product of two arrays.

        kernel[m, i, o] = W[m, i, o] + sum_s D[i, m, s] W[s, i, o]

    m and s count the nine taps, row after row. D starts at zero. What is learned is an
    ordinary kernel: `folded_kernel`. Zeros lie outside, one pixel on every side, for
    strides of 2 too.

    Args:
        filters: int.
        kernel_size: 1 or 3; 1 has no D.
        strides: int.
        activation: of `keras.layers.Conv2D`.
        overparameterized: bool; False leaves out D.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, height / strides, width / strides, filters).

    Reference:
        [Cao et al., 2022](https://arxiv.org/abs/2006.12030).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        activation: str | None = None,
        overparameterized: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = keras.activations.get(activation)
        self.overparameterized = overparameterized
        self.depthwise = None

    def build(self, input_shape: Shape) -> None:
        size, channels = self.kernel_size, input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(size, size, channels, self.filters),
            initializer=uniform_initializer(),
        )
        if self.overparameterized and size > 1:
            self.depthwise = self.add_weight(
                name="depthwise", shape=(channels, TAPS, TAPS), initializer="zeros"
            )

    def folded_kernel(self) -> Tensor:
        """(kernel_size, kernel_size, channels, filters), the kernel that acts."""
        if self.depthwise is None:
            return self.kernel
        shape = tuple(self.kernel.shape)
        by_channel = ops.transpose(
            ops.reshape(self.kernel, (TAPS, *shape[2:])), (1, 0, 2)
        )
        change = ops.transpose(ops.matmul(self.depthwise, by_channel), (1, 0, 2))
        return self.kernel + ops.reshape(change, shape)

    def call(self, inputs: Tensor) -> Tensor:
        edge = self.kernel_size // 2
        if edge:
            inputs = ops.pad(inputs, [[0, 0], [edge, edge], [edge, edge], [0, 0]])
        outputs = ops.conv(
            inputs,
            self.folded_kernel(),
            strides=self.strides,
            padding="valid",
            data_format="channels_last",
        )
        return self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
            "strides": self.strides,
            "overparameterized": self.overparameterized,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualFourierBlock(layers.Layer):
    """A residual block beside two 1x1 convolutions of the spectrum.

        out = x + conv3(relu(conv3(x))) + F^-1[conv1(relu(conv1(F[x])))]

    Real and imaginary parts are channels, real ones first. The spectrum is computed in
    float32 whatever the layer's own precision is.

    Args:
        filters: int, channels of inputs and outputs.
        overparameterized: bool, of `OverparameterizedConvolution`.

    Call arguments:
        inputs: (batch, height, width, filters).

    Returns:
        The shape of `inputs`.
    """

    def __init__(
        self, filters: int, overparameterized: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.overparameterized = overparameterized
        self.spatial = [
            OverparameterizedConvolution(
                filters, 3, 1, activation, overparameterized, name=f"spatial{i}"
            )
            for i, activation in enumerate(("relu", None), start=1)
        ]
        self.spectral = [
            OverparameterizedConvolution(
                2 * filters, 1, 1, activation, dtype="float32", name=f"spectral{i}"
            )
            for i, activation in enumerate(("relu", None), start=1)
        ]

    def build(self, input_shape: Shape) -> None:
        for layer in self.spatial:
            layer.build((None, None, None, self.filters))
        for layer in self.spectral:
            layer.build((None, None, None, 2 * self.filters))

    def filtered_spectrum(self, inputs: Tensor) -> Tensor:
        """The spectrum after its convolutions; real parts first."""
        first, second = self.spectral
        return second(first(ops.concatenate(real_transform(inputs), axis=-1)))

    def call(self, inputs: Tensor) -> Tensor:
        first, second = self.spatial
        real, imaginary = ops.split(self.filtered_spectrum(inputs), 2, axis=-1)
        frequencies = inverse_real_transform(real, imaginary, ops.shape(inputs)[2])
        frequencies = ops.cast(frequencies, inputs.dtype)
        return second(first(inputs)) + inputs + frequencies

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "overparameterized": self.overparameterized,
        }
