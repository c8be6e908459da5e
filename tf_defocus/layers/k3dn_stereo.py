"""K3DN's features for matching two dual-pixel views, and the volume that pairs them.

The pyramid stereo networks' recipe, small: dilated convolutions at a quarter of the
image, means over large cells for context, a volume of paired features at a few shifts.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import UnbiasedBatchNormalization, uniform_initializer
from tf_defocus.ops.resizing import resize_bilinear_aligned
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class NormalisedConvolution(layers.Layer):
    """Convolution without bias, batch normalisation, ReLU; padded alike on all sides.

    Args:
        filters: int.
        kernel_size: int, odd.
        strides: 1 or 2.
        dilation_rate: int; a multiple of `strides` where it exceeds 1.
        margin: int or None, zeros added on every side; None keeps the size.
        rank: 2 or 3, spatial dimensions.

    Call arguments:
        inputs: (batch, ..., channels).
        training: bool, normalises by the batch.

    Returns:
        (batch, ..., filters), sizes divided by `strides`, rounded up.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        dilation_rate: int = 1,
        margin: int | None = None,
        rank: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.margin = margin
        self.rank = rank
        # A dilated convolution with a stride reads every other sample only: they are
        # picked first, which leaves a convolution without stride.
        self._picks = strides if dilation_rate > 1 else 1
        same = margin is None and strides == self._picks
        initializer = (
            keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
            if rank == 2
            else uniform_initializer()
        )
        self.convolution = (layers.Conv2D if rank == 2 else layers.Conv3D)(
            filters,
            kernel_size,
            strides=strides // self._picks,
            dilation_rate=dilation_rate // self._picks,
            padding="same" if same else "valid",
            use_bias=False,
            kernel_initializer=initializer,
            # In bfloat16 TensorFlow 2.21's gradient for a kernel of rank 3 is NaN on
            # CPUs every few steps; these are small.
            dtype="float32" if rank == 3 else None,
            name="convolution",
        )
        half = kernel_size // 2 if margin is None else margin
        self._padding = [[0, 0], *[[half, half]] * rank, [0, 0]]
        self.normalisation = UnbiasedBatchNormalization(name="normalisation")

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        self.normalisation.build((*[None] * (self.rank + 1), self.filters))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if self._picks > 1:
            inputs = inputs[:, :: self._picks, :: self._picks]
        if self.convolution.padding == "valid":
            inputs = ops.pad(inputs, self._padding)
        normalised = self.normalisation(self.convolution(inputs), training=training)
        return ops.relu(normalised)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "margin": self.margin,
            "rank": self.rank,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class StereoFeatures(layers.Layer):
    """Features of one view for matching: dilated convolutions and two pooled scales.

    Call arguments:
        images: (batch, height, width, 3), a view at a quarter of its size.
        training: bool.

    Returns:
        (batch, height / 2, width / 2, 32), rounded up.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        unit = NormalisedConvolution
        self.trunk = [
            unit(32, name="start0"),
            unit(64, name="start1"),
            unit(128, dilation_rate=4, name="dilated0"),
            unit(128, strides=2, dilation_rate=8, name="dilated1"),
        ]
        # The pooled maps grow by the margin, as in the authors' code.
        self.branches = {
            "32": unit(32, kernel_size=1, margin=1, name="pooled32"),
            "16": unit(32, kernel_size=1, margin=1, name="pooled16"),
        }
        self.merge = unit(96, name="merge")
        self.output_convolution = layers.Conv2D(
            32,
            1,
            use_bias=False,
            kernel_initializer=self.merge.convolution.kernel_initializer,
            name="output",
        )

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for layer in self.trunk:
            layer.build((None, None, None, channels))
            channels = layer.filters
        for branch in self.branches.values():
            branch.build((None, None, None, self.trunk[-1].filters))
            channels += branch.filters
        self.merge.build((None, None, None, channels))
        self.output_convolution.build((None, None, None, self.merge.filters))

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        features = images
        for layer in self.trunk:
            features = layer(features, training=training)
        size = ops.shape(features)
        pooled = []
        for cell, branch in self.branches.items():
            means = ops.average_pool(at_least(features, int(cell)), int(cell))
            means = branch(means, training=training)
            pooled.append(resize_bilinear_aligned(means, size[1], size[2]))
        merged = ops.concatenate([*pooled, features], axis=-1)
        return self.output_convolution(self.merge(merged, training=training))


def cost_volume(left, right, num_shifts):
    """Pairs the left features with the right ones, moved by 0, 1, ... columns.

    Args:
        left, right: (batch, height, width, channels).
        num_shifts: int.

    Returns:
        (batch, num_shifts, height, width, 2 * channels): left, then right features;
        both zero where a shift leaves no right sample.
    """
    planes = []
    for shift in range(num_shifts):
        width = ops.shape(left)[2]
        pair = (left[:, :, shift:], right[:, :, : width - shift])
        plane = ops.concatenate(pair, axis=-1)
        planes.append(ops.pad(plane, [[0, 0], [0, 0], [shift, 0], [0, 0]]))
    return ops.stack(planes, axis=1)


def at_least(features, size):
    """Repeats features smaller than a pooling cell until one fits."""
    for axis in (1, 2):
        given = ops.shape(features)[axis]
        index = ops.arange(0, ops.maximum(given, size), dtype="int32") % given
        features = ops.take(features, index, axis=axis)
    return features
