"""INIKNet's inverse kernels as functions of position.

A small network per basis maps a position within a kernel to its value there, so one set
of weights gives kernels of every size (Quan, Yao, Ji, ICCV 2023).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.common import (
    uniform_initializer,
    uniform_initializers,
)
from tf_defocus.ops.tensor import Shape, Tensor

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

    def __init__(
        self, hidden_units: int = 64, frequency: float = 1.0, **kwargs: Any
    ) -> None:
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

    def build(self, input_shape: Shape) -> None:
        self.first.build((None, 3))
        for layer in (self.second, self.last):
            layer.build((None, self.hidden_units))
        self.scale = self.add_weight(
            name="scale",
            shape=(),
            initializer=keras.initializers.Constant(self.frequency),
        )

    def call(self, coordinates: Tensor) -> Tensor:
        hidden = ops.sin(self.scale * self.first(coordinates))
        hidden = ops.sin(self.scale * self.second(hidden))
        return self.last(hidden) * (9 / coordinates.shape[0] ** 2)

    def get_config(self) -> dict[str, Any]:
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

    def __init__(
        self,
        num_bases: int = 10,
        max_kernel_size: int = 15,
        hidden_units: int = 64,
        **kwargs: Any,
    ) -> None:
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

    def build(
        self,
        images_shape: Shape,
        scale_weights_shape: Shape | None = None,
        basis_weights_shape: Shape | None = None,
    ) -> None:
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

    def kernels(self, size: int) -> Tensor:
        """(size, size, num_bases)."""
        coordinates = ops.convert_to_tensor(kernel_coordinates(size))
        return ops.concatenate([basis(coordinates) for basis in self.bases], axis=-1)

    def filtered(self, images: Tensor, size: int) -> Iterator[Tensor]:
        """Yields the images of every colour, (batch, height, width, num_bases)."""
        kernels = ops.cast(self.kernels(size), images.dtype)[:, :, None]
        for colour in range(COLOURS):
            plane = images[..., colour : colour + 1]
            yield ops.conv(plane, kernels, padding="same", data_format="channels_last")

    def call(
        self,
        images: Tensor,
        scale_weights: Sequence[Tensor],
        basis_weights: Sequence[Tensor],
    ) -> Tensor:
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

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bases": self.num_bases,
            "max_kernel_size": self.max_kernel_size,
            "hidden_units": self.hidden_units,
        }
