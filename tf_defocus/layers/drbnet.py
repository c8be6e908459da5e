"""DRBNet's blocks: an image refined by filters that are predicted for every pixel.

Filters that sharpen a large blur would have to be large; on a small copy of the image
small ones do. So the image is filtered at an eighth of its size, enlarged, filtered
again, and so on (Ruan et al., CVPR 2022).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import (
    doubling_convolution,
    evenly_padded_convolution,
    uniform_initializers,
)
from tf_defocus.layers.ifan import leaky_relu
from tf_defocus.layers.residual import BaseResidualUnit
from tf_defocus.ops.adaptive_convolution import dense_adaptive_convolution
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualUnit(BaseResidualUnit):
    """out = x + conv(lrelu(conv(x))), without an activation after the sum.

    Args, call arguments, returns: of `BaseResidualUnit`.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.first = convolution(filters, filters, name="first")
        self.second = convolution(filters, filters, activation=None, name="second")


@keras.saving.register_keras_serializable(package="tf_defocus")
class DynamicResidualBlock(layers.Layer):
    """Adds to an image what predicted filters make of it, and a predicted residual.

        out = image + image * filters + residual

    One filter per pixel, the same for all colours, neither normalised nor bounded.
    Images are float32 whatever the layers compute in: the filters' sums are long.

    Args:
        image_widths: tuple of int, channels of the convolutions on the image.
        filter_widths, residual_widths: tuples of int, channels of the convolutions
            before the one that gives the filters, and the residual.
        filter_size: int, odd.

    Call arguments:
        images: (batch, height, width, 3) float32.
        features: (batch, height, width, channels), of the image at this size.

    Returns:
        (batch, height, width, 3) float32.
    """

    def __init__(
        self,
        image_widths: Sequence[int],
        filter_widths: Sequence[int],
        residual_widths: Sequence[int],
        filter_size: int = 7,
        **kwargs: Any,
    ) -> None:
        # The image keeps its float32 precision: only the convolutions cast.
        super().__init__(autocast=False, **kwargs)
        self.image_widths = tuple(image_widths)
        self.filter_widths = tuple(filter_widths)
        self.residual_widths = tuple(residual_widths)
        self.filter_size = filter_size

    def build(self, images_shape: Shape, features_shape: Shape) -> None:
        self.image_features = _chain(images_shape[-1], self.image_widths, "image")
        channels = features_shape[-1] + self.image_widths[-1]
        self.filters = _chain(channels, self.filter_widths, "filter")
        self.filters.append(
            convolution(
                self.filter_widths[-1],
                self.filter_size**2,
                kernel_size=1,
                activation=None,
                name="filters",
            )
        )
        self.residual = _chain(channels, self.residual_widths, "residual")
        self.residual.append(
            convolution(self.residual_widths[-1], 3, kernel_size=1, name="residual")
        )
        branches = (self.filters, channels), (self.residual, channels)
        for branch, width in ((self.image_features, images_shape[-1]), *branches):
            for layer in branch:
                layer.build((*features_shape[:-1], width))
                width = layer.filters

    def call(self, images: Tensor, features: Tensor) -> Tensor:
        filters, residual = self.predict(images, features)
        filtered = dense_adaptive_convolution(images, filters, self.filter_size)
        return images + filtered + residual

    def predict(
        self, images: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The filters, (batch, height, width, filter_size**2), and the residual."""
        seen = _run(self.image_features, images)
        features = ops.cast(features, seen.dtype)
        features = ops.concatenate([features, seen], axis=-1)
        branches = (self.filters, self.residual)
        return tuple(ops.cast(_run(b, features), "float32") for b in branches)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "image_widths": self.image_widths,
            "filter_widths": self.filter_widths,
            "residual_widths": self.residual_widths,
            "filter_size": self.filter_size,
        }


def convolution(
    channels, filters, kernel_size=3, strides=1, activation=leaky_relu, name=None
):
    """A convolution as the authors initialise it; with strides its caller pads."""
    return evenly_padded_convolution(
        filters,
        kernel_size,
        strides,
        activation=activation,
        name=name,
        **uniform_initializers(kernel_size**2 * channels),
    )


def doubling(filters, name=None):
    """A transposed convolution to twice the size, with activation."""
    return doubling_convolution(
        filters,
        activation=leaky_relu,
        name=name,
        **uniform_initializers(16 * filters),  # outputs: PyTorch's convention
    )


def _chain(channels, widths, name):
    """3x3 convolutions of the given widths."""
    inputs = (channels, *widths[:-1])
    return [
        convolution(before, width, name=f"{name}{index}")
        for index, (before, width) in enumerate(zip(inputs, widths), start=1)
    ]


def _run(chain, features):
    for layer in chain:
        features = layer(features)
    return features
