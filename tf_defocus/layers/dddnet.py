"""DDDNet's stereo network, which finds the blur; the image is of `dddnet_patches`.

The views of a dual-pixel sensor are a stereo pair of a baseline within the lens: what
matches them measures the blur (Pan et al., CVPR 2021).
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.common import (
    UnbiasedBatchNormalization,
    uniform_initializer,
)
from tf_defocus.layers.k3dn_stereo import (
    NormalisedConvolution,
    at_least,
    cost_volume,
)
from tf_defocus.ops.resizing import resize_bilinear_aligned
from tf_defocus.ops.tensor import Shape, Tensor

MAX_SHIFT = 12  # [px], the blur map is below it
NUM_SHIFTS = 4  # planes of the cost volume, a third of MAX_SHIFT
CELLS = (64, 16)  # [px], sides of the cells that context is averaged over


@keras.saving.register_keras_serializable(package="tf_defocus")
class PairFeatures(layers.Layer):
    """Features of one view for matching, at full size.

    Args:
        width_divisor: int, divides the number of all channels.

    Call arguments:
        images: (batch, height, width, 3).
        training: bool, normalises by the batch.

    Returns:
        (batch, height, width, 32 / width_divisor).
    """

    def __init__(self, width_divisor: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width_divisor = width_divisor
        unit, thin = NormalisedConvolution, width_divisor
        self.trunk = [
            unit(32 // thin, name="start0"),
            unit(64 // thin, name="start1"),
            unit(128 // thin, dilation_rate=4, name="dilated0"),
            unit(128 // thin, dilation_rate=8, name="dilated1"),
        ]
        # The pooled maps grow by the margin, as in the authors' code.
        self.pooled = [
            unit(32 // thin, kernel_size=1, margin=1, name=f"pooled{cell}")
            for cell in CELLS
        ]
        self.merge = unit(96 // thin, name="merge")
        self.closing = layers.Conv2D(
            32 // thin,
            1,
            use_bias=False,
            kernel_initializer=self.merge.convolution.kernel_initializer,
            name="closing",
        )

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for layer in self.trunk:
            layer.build((None, None, None, channels))
            channels = layer.filters
        total = channels
        for layer in self.pooled:
            layer.build((None, None, None, channels))
            total += layer.filters
        self.merge.build((None, None, None, total))
        self.closing.build((None, None, None, self.merge.filters))

    def context(self, features: Tensor, training: bool | None = None) -> list[Tensor]:
        """Means over the cells, each set of them a small map of its own."""
        maps = []
        for cell, layer in zip(CELLS, self.pooled):
            means = ops.average_pool(at_least(features, cell), cell)
            maps.append(layer(means, training=training))
        return maps

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        features = images
        for layer in self.trunk:
            features = layer(features, training=training)
        size = ops.shape(features)
        context = [
            resize_bilinear_aligned(part, size[1], size[2])
            for part in self.context(features, training)
        ]
        merged = ops.concatenate([*context, features], axis=-1)
        return self.closing(self.merge(merged, training=training))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width_divisor": self.width_divisor}


@keras.saving.register_keras_serializable(package="tf_defocus")
class BlurEstimator(layers.Layer):
    """A blur map from the left and right view, by matching them at four shifts.

        map = sum_d d * softmin_d(costs),  d = 0 .. 11 px

    Both views pass the same feature network, left first (each updates its running
    statistics). The costs of four shifts are interpolated to twelve.

    Args:
        width_divisor: int, divides the number of all channels.

    Call arguments:
        left, right: (batch, height, width, 3), sizes divisible by 4.
        training: bool, normalises by the batch.

    Returns:
        (batch, height, width, 1) float32 [px] in [0, 11].
    """

    def __init__(self, width_divisor: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width_divisor = thin = width_divisor
        self.features = PairFeatures(width_divisor, name="features")

        def unit(width, name, strides=1):
            return NormalisedConvolution(
                width // thin, strides=strides, rank=3, name=name
            )

        self.start = [
            unit(32, "start0"),
            unit(48, "start1", strides=2),
            unit(48, "start2"),
        ]
        self.coarse = [unit(64, "coarse0", strides=2), unit(64, "coarse1")]
        self.rising = unit(48, "rising")
        self.joined = unit(48, "joined")
        # The gradient of a kernel of rank 3 is NaN at times in bfloat16.
        common = {"dtype": "float32", "use_bias": False, "padding": "same"}
        self.finer = layers.Conv3DTranspose(
            24 // thin,
            4,
            strides=2,
            kernel_initializer=uniform_initializer(),
            name="finer",
            **common,
        )
        self.finer_normalisation = UnbiasedBatchNormalization(
            name="finer_normalisation"
        )
        self.costs = layers.Conv3D(
            1, 3, kernel_initializer=uniform_initializer(), name="costs", **common
        )

    def build(self, left_shape: Shape, right_shape: Shape | None = None) -> None:
        self.features.build(left_shape)
        channels = 2 * self.features.closing.filters
        for layer in (*self.start, *self.coarse, self.rising):
            layer.build((None,) * 4 + (channels,))
            channels = layer.filters
        self.joined.build((None,) * 4 + (2 * channels,))
        self.finer.build((None,) * 4 + (channels,))
        self.finer_normalisation.build((None,) * 4 + (self.finer.filters,))
        self.costs.build((None,) * 4 + (self.finer.filters,))

    def match(self, volume: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Every step from a cost volume to the costs of its planes.

        Args:
            volume: (batch, planes, height, width, channels).
            training: bool.

        Returns:
            dict: "start", "coarse", "joined", "costs".
        """
        start = volume
        for layer in self.start:
            start = layer(start, training=training)
        coarse = start
        for layer in self.coarse:
            coarse = layer(coarse, training=training)
        rising = self.rising(_double(coarse, start), training=training)
        joined = self.joined(
            ops.concatenate([rising, start], axis=-1), training=training
        )
        finer = self.finer_normalisation(self.finer(joined), training=training)
        costs = self.costs(ops.relu(finer))
        return {"start": start, "coarse": coarse, "joined": joined, "costs": costs}

    def call(self, left: Tensor, right: Tensor, training: bool | None = None) -> Tensor:
        features = [self.features(view, training=training) for view in (left, right)]
        volume = cost_volume(*features, NUM_SHIFTS)
        costs = ops.cast(self.match(volume, training)["costs"], "float32")
        return expected_shift(costs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width_divisor": self.width_divisor}


def expected_shift(costs):
    """The mean of the shifts 0 .. 11 px, weighted by the softmin of their costs.

    Args:
        costs: (batch, planes, height, width, 1) float32.

    Returns:
        (batch, height, width, 1) float32 [px].
    """
    planes = costs.shape[1]
    position = (np.arange(MAX_SHIFT) + 0.5) * planes / MAX_SHIFT - 0.5
    position = np.clip(position, 0, planes - 1)
    share = np.maximum(1 - np.abs(position[:, None] - np.arange(planes)), 0)
    share = ops.convert_to_tensor(share, dtype="float32")
    costs = ops.moveaxis(costs, 1, -1)[..., 0, :]
    likely = ops.softmax(-ops.matmul(costs, ops.transpose(share)), axis=-1)
    shifts = ops.arange(MAX_SHIFT, dtype="float32")
    return ops.sum(likely * shifts, axis=-1, keepdims=True)


def _double(volume, like):
    """Twice the size on all three axes, corner samples staying on the corners."""
    shape, size = ops.shape(volume), ops.shape(like)
    flat = ops.reshape(volume, (-1, shape[2], shape[3], volume.shape[4]))
    flat = resize_bilinear_aligned(flat, size[2], size[3])
    planes = (shape[0], shape[1], size[2] * size[3], volume.shape[4])
    planes = resize_bilinear_aligned(
        ops.reshape(flat, planes), size[1], size[2] * size[3]
    )
    return ops.reshape(planes, (*size[:4], volume.shape[4]))
