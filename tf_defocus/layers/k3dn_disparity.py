"""K3DN's estimators of one disparity vector per window.

Two dual-pixel views shift against each other where the lens is out of focus. The stereo
estimator compares them at four shifts; the single-image one has to guess from the blur
(Yang et al., CVPR 2023, Sec. 3.2). Both answer with 256 numbers per window of features.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializer
from tf_defocus.layers.k3dn import ACTIVATION
from tf_defocus.layers.k3dn_stereo import (
    NormalisedConvolution,
    StereoFeatures,
    cost_volume,
)
from tf_defocus.ops.resizing import resize_nearest_floor
from tf_defocus.ops.tensor import Shape, Tensor

FEATURE_STRIDE = 8  # pixels of the image per pixel of the features that windows cut
NUM_SHIFTS = 4  # planes of the cost volume


class WindowLayer(layers.Layer):
    """What the layers that answer per window take.

    Args:
        window_size: (rows, columns) of a window at 1/8 of the image.
        pool_size: (rows, columns) of a window after resizing, see `WindowVectors`.
        pad_scale: (rows, columns), px of the image per sample that resizing adds.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, window_size, pool_size, pad_scale, **kwargs):
        super().__init__(**kwargs)
        self.window_size = tuple(window_size)
        self.pool_size = tuple(pool_size)
        self.pad_scale = tuple(pad_scale)

    def get_config(self):
        return {
            **super().get_config(),
            "window_size": self.window_size,
            "pool_size": self.pool_size,
            "pad_scale": self.pad_scale,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class WindowVectors(WindowLayer):
    """Mean of the features over each window, then a fully connected layer.

    The features, at 1/32 of the image, are resized until a window holds a whole number
    of samples.

    Args:
        window_size, pool_size, pad_scale: of `WindowLayer`.
        units: int, length of a vector.

    Call arguments:
        inputs: (batch, rows, columns, channels).
        images: (batch, height, width, 3), the image that the features are of; its sizes
            [px] are multiples of 8 * `window_size`.

    Returns:
        (batch, window rows, window columns, units).
    """

    def __init__(
        self,
        window_size: tuple[int, int],
        pool_size: tuple[int, int],
        pad_scale: tuple[int, int],
        units: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(window_size, pool_size, pad_scale, **kwargs)
        self.units = units
        self.dense = layers.Dense(
            units,
            activation=ACTIVATION,
            kernel_initializer=uniform_initializer(),
            name="dense",
        )

    def build(self, inputs_shape: Shape, images_shape: Shape) -> None:
        del images_shape
        self.dense.build((None, None, None, inputs_shape[-1]))

    def call(self, inputs: Tensor, images: Tensor) -> Tensor:
        # The image, not its size: Keras refuses a size that is known in one axis only.
        image_size = ops.shape(images)[1:3]
        sizes, windows = zip(*(self._sizes(inputs, image_size, i) for i in (0, 1)))
        features = resize_nearest_floor(inputs, *sizes)
        rows, columns = (n * cell for n, cell in zip(windows, self.pool_size))
        features = ops.average_pool(features[:, :rows, :columns], self.pool_size)
        return self.dense(features)

    def _sizes(self, inputs, image_size, axis):
        """Resized samples along an axis, and windows along it."""
        pool = self.pool_size[axis]
        windows = image_size[axis] // (FEATURE_STRIDE * self.window_size[axis])
        released = (
            ops.shape(inputs)[axis + 1] + image_size[axis] // self.pad_scale[axis]
        )
        # The authors' size, where it gives one vector per window.
        fits = released // pool == windows
        if isinstance(fits, bool):  # static sizes stay numbers
            return released if fits else windows * pool, windows
        return ops.where(fits, released, windows * pool), windows

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="tf_defocus")
class StereoDisparity(WindowLayer):
    """Disparity vectors from the left and right dual-pixel views [K3DN Sec. 3.2].

    Both views pass the same feature network, left first (each updates its running
    statistics); a cost volume pairs them at four shifts; 3-D convolutions match them.

    Args: of `WindowLayer`.

    Call arguments:
        left, right: (batch, height, width, 3), sizes multiples of 8 * `window_size`.
        training: bool.

    Returns:
        (batch, window rows, window columns, 256).
    """

    def __init__(
        self,
        window_size: tuple[int, int],
        pool_size: tuple[int, int],
        pad_scale: tuple[int, int],
        **kwargs: Any,
    ) -> None:
        super().__init__(window_size, pool_size, pad_scale, **kwargs)
        self.features = StereoFeatures(name="features")
        widths_and_strides = ((32, 1), (48, 2), (48, 1), (64, 2), (64, 1))
        self.matching = [
            NormalisedConvolution(width, strides=stride, rank=3, name=f"matching{i}")
            for i, (width, stride) in enumerate(widths_and_strides)
        ]
        self.vectors = WindowVectors(window_size, pool_size, pad_scale, name="vectors")

    def build(self, left_shape: Shape, right_shape: Shape) -> None:
        del right_shape
        self.features.build((None, None, None, left_shape[-1]))
        channels = 2 * self.features.output_convolution.filters
        for layer in self.matching:
            layer.build((None, None, None, None, channels))
            channels = layer.filters
        self.vectors.build((None, None, None, channels), None)

    def match(self, volume: Tensor, training: bool | None = None) -> Tensor:
        """(batch, 1, height / 4, width / 4, 64) of a cost volume."""
        for layer in self.matching:
            volume = layer(volume, training=training)
        return volume

    def call(self, left: Tensor, right: Tensor, training: bool | None = None) -> Tensor:
        views = (_quarter(view) for view in (left, right))
        left_features, right_features = (
            self.features(view, training=training) for view in views
        )
        volume = cost_volume(left_features, right_features, NUM_SHIFTS)
        matched = ops.squeeze(self.match(volume, training), axis=1)
        return self.vectors(matched, left)


@keras.saving.register_keras_serializable(package="tf_defocus")
class SingleImageDisparity(WindowLayer):
    """Disparity vectors guessed from one photograph.

    Args: of `WindowLayer`.

    Call arguments:
        images: (batch, height, width, 3), sizes multiples of 8 * `window_size`.
        training: bool.

    Returns:
        (batch, window rows, window columns, 256).
    """

    def __init__(
        self,
        window_size: tuple[int, int],
        pool_size: tuple[int, int],
        pad_scale: tuple[int, int],
        **kwargs: Any,
    ) -> None:
        super().__init__(window_size, pool_size, pad_scale, **kwargs)
        units = (
            {"filters": 32},
            {"filters": 64},
            {"filters": 128, "dilation_rate": 4},
            {"filters": 128},
            {"filters": 128, "strides": 2, "dilation_rate": 4},
            {"filters": 256, "kernel_size": 1},
            {"filters": 128},
            {"filters": 64, "strides": 2},
            {"filters": 64},
            {"filters": 64, "strides": 2},
            {"filters": 64},
        )
        self.trunk = [
            NormalisedConvolution(**unit, name=f"unit{i}")
            for i, unit in enumerate(units)
        ]
        self.vectors = WindowVectors(window_size, pool_size, pad_scale, name="vectors")

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for layer in self.trunk:
            layer.build((None, None, None, channels))
            channels = layer.filters
        self.vectors.build((None, None, None, channels), None)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        features = _quarter(images)
        for layer in self.trunk:
            features = layer(features, training=training)
        return self.vectors(features, images)


def _quarter(images):
    return ops.average_pool(images, 4)
