"""K3DN's kernel set, its mixture per window and its SRP block as the paper prints them.

The released network filters and mixes channels instead: `k3dn.py`, `k3dn_invertible.py`
(Yang et al., CVPR 2023, Sec. 3.2 and 3.3).
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.k3dn import ResidualUnits, convolution
from tf_defocus.ops.fourier import inverse_kernels, mirror_columns
from tf_defocus.ops.local_correlation import local_correlation
from tf_defocus.ops.tensor import Shape, Tensor

START_NOISE = 0.02  # of every tap of the set beside the impulse's 1


@keras.saving.register_keras_serializable(package="tf_defocus")
class KernelWeights(layers.Layer):
    """What every kernel of the set contributes to a window [K3DN Eq. 8].

        a = softmax(W_v (Sum(W_k x K) . W_r r))

    Call arguments:
        vectors: (windows, units), r.
        half_kernels: (kernels, rows, columns), the left halves of K.

    Returns:
        (windows, kernels) float32, a, of sum 1.
    """

    def build(self, vectors_shape: Shape, half_kernels_shape: Shape) -> None:
        self.tap_weights = self.add_weight(
            name="tap_weights",  # W_k
            shape=half_kernels_shape,
            initializer=keras.initializers.RandomNormal(stddev=0.1),
            autocast=False,
        )
        kernels = half_kernels_shape[0]
        arguments = {"use_bias": False, "dtype": "float32"}
        self.project = layers.Dense(kernels, name="project", **arguments)  # W_r
        self.mix = layers.Dense(kernels, name="mix", **arguments)  # W_v
        self.project.build(vectors_shape)
        self.mix.build((None, kernels))

    def call(self, vectors: Tensor, half_kernels: Tensor) -> Tensor:
        responses = ops.sum(self.tap_weights * half_kernels, axis=(1, 2))
        projected = self.project(ops.cast(vectors, "float32"))
        return ops.softmax(self.mix(responses * projected))  # [K3DN Eq. 8]


@keras.saving.register_keras_serializable(package="tf_defocus")
class MixturePSFBlock(layers.Layer):
    """Deblurs, or reblurs, every window with its mixture of the kernel set.

        K^ = sum_j a_j K_j                                                Eq. 9
        deblur:  F^ = F * F'(1 / F(K^))                                   Eq. 10
        reblur:  F^ = F * K^                                              Eq. 17

    Sparse as in the paper, with one kernel that is not zero in each K_j: kernel j
    stands in channel j, and from the first channel on again where there are more
    kernels than channels; where there are fewer, the first kernels stand again in the
    channels left over. The kernels begin near an impulse.

    Args:
        num_kernels: int, N.
        kernel_size: int, odd.
        truncate: float, largest gain of 1 / F(K^), which else has poles.

    Call arguments:
        inputs: (windows, height, width, channels); zeros are assumed outside.
        vectors: (windows, units), disparity vectors.
        reverse: bool, reblurs instead of deblurring.

    Returns:
        The shape of `inputs`.
    """

    def __init__(
        self,
        num_kernels: int,
        kernel_size: int = 9,
        truncate: float = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_kernels = num_kernels
        self.kernel_size = kernel_size
        self.truncate = truncate
        self.query = KernelWeights(name="query")

    def build(self, inputs_shape: Shape, vectors_shape: Shape) -> None:
        self.channels = inputs_shape[-1]
        half = self.kernel_size // 2 + 1
        shape = (self.num_kernels, self.kernel_size, half)
        self.half_kernels = self.add_weight(
            name="half_kernels", shape=shape, initializer=_near_impulse, autocast=False
        )
        self.query.build(vectors_shape, shape)

    def kernel_weights(self, vectors: Tensor) -> Tensor:
        """(windows, kernels) float32: a."""
        return self.query(vectors, ops.convert_to_tensor(self.half_kernels))

    def blur_kernels(self, vectors: Tensor) -> Tensor:
        """(windows, channels, kernel_size, kernel_size) float32: K^ [K3DN Eq. 9]."""
        pairs = max(self.num_kernels, self.channels)  # of a kernel and its channel
        kernel = np.arange(pairs) % self.num_kernels
        per_channel = np.bincount(np.arange(pairs) % self.channels)
        # Of weights of sum 1 a channel's kernels get a small share: the set's kernels
        # are as much larger, so that equal weights give a channel's mean.
        scale = self.num_kernels / per_channel[np.arange(pairs) % self.channels]
        weights = ops.take(self.kernel_weights(vectors), kernel, axis=1)
        weights = weights * ops.convert_to_tensor(scale, dtype="float32")
        kernels = ops.take(mirror_columns(self.half_kernels[...]), kernel, axis=0)
        products = weights[..., None, None] * kernels
        products = ops.pad(
            products, [[0, 0], [0, -pairs % self.channels], *[[0, 0]] * 2]
        )
        size = self.kernel_size
        products = ops.reshape(products, (-1, *self._rounds(pairs), size, size))
        return ops.sum(products, axis=1)  # [K3DN Eq. 9]

    def _rounds(self, pairs):
        return -(-pairs // self.channels), self.channels

    def call(self, inputs: Tensor, vectors: Tensor, reverse: bool = False) -> Tensor:
        kernels = self.blur_kernels(vectors)
        if reverse:
            return _filter_windows(inputs, kernels)  # [K3DN Eq. 17]
        inverse = inverse_kernels(kernels, self.truncate)
        return _filter_windows(inputs, inverse)  # [K3DN Eq. 10]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_kernels": self.num_kernels,
            "kernel_size": self.kernel_size,
            "truncate": self.truncate,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class SharpRegionRefinement(layers.Layer):
    """The SRP block between the PSF blocks and the decoder [K3DN Eqs. 11-16].

        O = local attention of Q and K, convolutions of concat(F, F^)     Eqs. 11-13
        V = C_1(O) . F        V^ = C_2(O) . F^                            Eqs. 15, 16
        S = FFN(V + V^)       FFN: conv, residual units, conv             Eq. 14

    Args:
        filters: int, channels of F and of F^.
        num_units: int, residual units of the feed-forward network.

    Call arguments:
        old, new: (batch, height, width, filters), F before and F^ after deblurring.

    Returns:
        (batch, height, width, filters).
    """

    def __init__(self, filters: int, num_units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.num_units = num_units
        widths = {"query": 2 * filters, "key": 2 * filters}
        names = ("query", "key", "old_value", "new_value", "first", "last")
        (
            self.query,
            self.key,
            self.old_value,
            self.new_value,
            self.first,
            self.last,
        ) = (
            convolution(widths.get(name, filters), use_bias=True, name=name)
            for name in names
        )
        self.units = ResidualUnits(filters, num_units, name="units")

    def build(self, old_shape: Shape, new_shape: Shape) -> None:
        del new_shape
        both = (*old_shape[:-1], 2 * self.filters)
        for layer in (self.query, self.key):
            layer.build(both)
        for layer in (self.old_value, self.new_value):
            layer.build((*old_shape[:-1], 81))
        for layer in (self.first, self.units, self.last):
            layer.build(old_shape)

    def similarity(self, old: Tensor, new: Tensor) -> Tensor:
        """(batch, height, width, 81): O, row by row of the 9x9 neighbourhood."""
        features = ops.concatenate([old, new], axis=-1)
        query, key = self.query(features), self.key(features)
        return local_correlation(query, key, 4)  # [K3DN Eq. 12]

    def call(self, old: Tensor, new: Tensor) -> Tensor:
        similarity = self.similarity(old, new)
        old_part = self.old_value(similarity) * old  # [K3DN Eq. 15]
        new_part = self.new_value(similarity) * new  # [K3DN Eq. 16]
        mixed = self.first(old_part + new_part)
        return self.last(self.units(mixed))  # FFN [K3DN Eq. 14]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_units": self.num_units,
        }


def _near_impulse(shape, dtype=None):
    """Left halves of kernels that leave features nearly alone."""
    _, rows, half = shape
    impulse = np.zeros((rows, half))
    impulse[rows // 2, -1] = 1
    noise = keras.initializers.RandomNormal(stddev=START_NOISE)(shape, dtype)
    return noise + ops.convert_to_tensor(impulse, dtype=dtype)


def _filter_windows(windows, kernels):
    """Correlates every channel of every window with a kernel of its own.

    Args:
        windows: (windows, height, width, channels).
        kernels: (windows, channels, size, size), odd size.
    """
    size = kernels.shape[-1]
    kernels = ops.cast(ops.transpose(kernels, (0, 2, 3, 1)), windows.dtype)
    _, height, width, _ = ops.shape(windows)
    border = [size // 2] * 2
    padded = ops.pad(windows, [[0, 0], border, border, [0, 0]])
    shifts = [padded[:, :, i : i + width] for i in range(size)]
    shifted = ops.stack(shifts, axis=3)  # the size's columns beside each pixel
    rows = (ops.expand_dims(kernels[:, i], (1, 2)) for i in range(size))
    return sum(
        ops.sum(shifted[:, i : i + height] * row, axis=3) for i, row in enumerate(rows)
    )
