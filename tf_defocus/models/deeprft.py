"""DeepRFT: residual blocks that also select frequencies, at three scales.

Mao, Liu, Liu, Li, Shen, Wang, "Intriguing Findings of Frequency Selection for Image
Deblurring", AAAI 2023. <https://arxiv.org/abs/2111.11745>

Idea: a rectifier on the spectrum of a blurred image tells what blurred it. So every
residual block has a second path, from the Fourier transform of its features through
two 1x1 convolutions and back. The frame is MIMO-UNet's: smaller copies of the
photograph enter on the way down, a result leaves at every scale on the way up.

Inputs:   blurred          (batch, height, width, 3) float32 in [0, 1]
Outputs:  deblurred        the same shape; not clipped
          deblurred_half, deblurred_quarter    the results at smaller scales
Requires: height and width divisible by 4.

Source -> code
  kernels of two arrays         layers.deeprft.OverparameterizedConvolution
                                                       tests/layers/deeprft_test.py
  residual Fourier block        layers.deeprft.ResidualFourierBlock   the same
  the network                   models.deeprft.DeepRFT
                                                       tests/models/deeprft_test.py
  the authors' test in windows  models.deeprft.restore_in_windows     the same

Differences from the released code
  None in the network; `variant` is accepted and changes nothing. The published scores
  are of windows of 512x512, each with a spectrum of its own: `restore_in_windows`. The
  whole photograph at once gives another result.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.common import doubling_convolution, uniform_initializer
from tf_defocus.layers.deeprft import (
    OverparameterizedConvolution,
    ResidualFourierBlock,
)
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.tensor import Tensor

WINDOW = 512  # [px], of the authors' test


@keras.saving.register_keras_serializable(package="tf_defocus")
class DeepRFT(RestorationNetwork):
    """Encoder and decoder of three scales, of residual Fourier blocks.

    Args:
        base_filters: int, channels at full resolution; doubled at every scale.
        num_residual_units: int, blocks of every scale, on either way: 8, in the small
            network 4, in the large one 20.
        overparameterized: bool, 3x3 kernels are a product of two arrays; False for the
            same network with plain kernels, see `folded`.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Mao et al., 2023](https://arxiv.org/abs/2111.11745).
    """

    view_names = ("blurred",)
    size_multiple = (4, 4)
    exact_tiling = False  # a spectrum is that of the whole image

    def __init__(
        self,
        base_filters: int = 32,
        num_residual_units: int = 8,
        overparameterized: bool = True,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        check_arguments(
            ("base_filters", base_filters, base_filters >= 2, "at least 2"),
            ("num_residual_units", num_residual_units, num_residual_units >= 1, "> 0"),
        )
        self.base_filters = base_filters
        self.num_residual_units = num_residual_units
        self.overparameterized = overparameterized
        self._add_encoder()
        self._add_decoder()

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on through convolutions [px].

        Or a little more. Beyond it reach the spectra, which are of the whole image.
        """
        units = 4 * self.num_residual_units
        return 2 * ((units + 3) + 2 * (units + 2) + 4 * (units + 1) + 12) + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; see the module's docstring for inputs and outputs."""
        del training
        full = ops.convert_to_tensor(inputs["blurred"])
        half = full[:, ::2, ::2]
        quarter = half[:, ::2, ::2]
        skips, features = self._encode(full, half, quarter)
        outputs = {}
        for scale, (blocks, image) in enumerate(
            zip(self.decoders, (quarter, half, full))
        ):
            if scale > 0:
                features = self.upsamplings[scale - 1](features)
                features = ops.concatenate([features, skips[-scale]], axis=-1)
                features = self.mergings[scale - 1](features)
            features = _through(blocks, features)
            name = ("deblurred_quarter", "deblurred_half", "deblurred")[scale]
            outputs[name] = image + ops.cast(self.residuals[scale](features), "float32")
        return dict(reversed(outputs.items()))

    def _encode(self, full, half, quarter):
        """(fused features of full and half size, features of a quarter)."""
        fine = _through(self.encoders[0], self.entrances[0](full))
        middle = self._attend(0, self.entrances[1](fine), half)
        middle = _through(self.encoders[1], middle)
        coarse = self._attend(1, self.entrances[2](middle), quarter)
        coarse = _through(self.encoders[2], coarse)
        up, down = self.upsample, fine[:, ::2, ::2]
        fused = (
            [fine, up(middle), up(up(coarse))],
            [down, middle, up(coarse)],
        )
        skips = [
            _through(self.fusions[i], ops.concatenate(parts, axis=-1))
            for i, parts in enumerate(fused)
        ]
        return skips, coarse

    def _attend(self, index, features, image):
        """Adds what features and the image of their size have in common."""
        shallow, mixing = self.image_features[index]
        own = mixing(ops.concatenate([image, _through(shallow, image)], axis=-1))
        return features + self.attentions[index](features * own)

    def _add_encoder(self):
        base, conv = self.base_filters, self._convolution
        self.entrances = [
            conv(base, 3, name="entrance1"),
            conv(2 * base, 3, strides=2, name="entrance2"),
            conv(4 * base, 3, strides=2, name="entrance3"),
        ]
        self.encoders = [self._blocks(base * 2**i, f"encoder{i + 1}") for i in range(3)]
        self.image_features, self.attentions = [], []
        for width, name in ((2 * base, "half"), (4 * base, "quarter")):
            widths = ((width // 4, 3), (width // 2, 1), (width // 2, 3), (width - 3, 1))
            shallow = [
                conv(filters, size, name=f"{name}_image{i}")
                for i, (filters, size) in enumerate(widths, start=1)
            ]
            mixing = conv(width, 1, activation=None, name=f"{name}_mixing")
            self.image_features.append((shallow, mixing))
            self.attentions.append(
                conv(width, 3, activation=None, name=f"{name}_attention")
            )
        self.fusions = [
            [
                conv(base * 2**i, 1, name=f"fusion{i + 1}_1"),
                conv(base * 2**i, 3, activation=None, name=f"fusion{i + 1}_2"),
            ]
            for i in range(2)
        ]
        self.upsample = layers.UpSampling2D(2, interpolation="nearest", name="upsample")

    def _add_decoder(self):
        base, conv = self.base_filters, self._convolution
        self.decoders = [
            self._blocks(base * 2**i, f"decoder{3 - i}") for i in (2, 1, 0)
        ]
        self.upsamplings = [
            doubling_convolution(
                width,
                activation="relu",
                use_bias=False,
                kernel_initializer=uniform_initializer(),
                name=f"upsampling{i}",
            )
            for i, width in enumerate((2 * base, base), start=1)
        ]
        self.mergings = [
            conv(width, 1, name=f"merging{i}")
            for i, width in enumerate((2 * base, base), start=1)
        ]
        self.residuals = [
            conv(3, 3, activation=None, name=f"residual{i}") for i in (1, 2, 3)
        ]

    def _convolution(
        self, filters, kernel_size, strides=1, activation="relu", **kwargs
    ):
        return OverparameterizedConvolution(
            filters, kernel_size, strides, activation, self.overparameterized, **kwargs
        )

    def _blocks(self, filters, name):
        return [
            ResidualFourierBlock(
                filters, self.overparameterized, name=f"{name}_block{i}"
            )
            for i in range(1, self.num_residual_units + 1)
        ]

    def folded(self) -> "DeepRFT":
        """The same function with plain kernels, for inference.

        Returns:
            A built `DeepRFT` with `overparameterized=False`.
        """
        config = {**self.get_config(), "overparameterized": False}
        plain = type(self).from_config(config)
        plain.build()
        ours, theirs = (m._flatten_layers(include_self=False) for m in (self, plain))
        for layer, other in zip(ours, theirs):
            if isinstance(layer, OverparameterizedConvolution):
                other.set_weights([ops.convert_to_numpy(layer.folded_kernel())])
            elif isinstance(layer, layers.Conv2DTranspose):
                other.set_weights(layer.get_weights())
        return plain

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_residual_units": self.num_residual_units,
            "overparameterized": self.overparameterized,
        }


def window_corners(height, width, size=WINDOW):
    """Where the authors' test cuts its windows.

    First the grid of whole windows, row after row; then a column of windows at the
    right edge, a row at the lower one and the corner, for what the grid leaves.

    Args:
        height, width, size: int [px]; at least one window fits.

    Returns:
        list of (top, left) [px].

    Raises:
        ValueError: if the image is smaller than a window.
    """
    if min(height, width) < size:
        raise ValueError(
            f"The image must be at least {size}x{size}. Received: {height}x{width}; "
            "give a smaller window"
        )
    rows, columns = (range(0, side - size + 1, size) for side in (height, width))
    ragged = [side % size > 0 for side in (height, width)]
    corners = [(top, left) for top in rows for left in columns]
    if ragged[1]:
        corners += [(top, width - size) for top in rows]
    if ragged[0]:
        corners += [(height - size, left) for left in columns]
    if all(ragged):
        corners.append((height - size, width - size))
    return corners


def restore_in_windows(model, image, size=WINDOW):
    """Deblurs an image window by window, without blending, as the authors score it.

    Args:
        model: a network of one view.
        image: (height, width, 3) float32 in [0, 1].
        size: int [px], of the windows.

    Returns:
        (height, width, 3) float32, not clipped.

    Raises:
        ValueError: if the image is smaller than a window.
    """
    height, width, _ = image.shape
    grid = height // size * size, width // size * size
    result = np.empty_like(image)
    for top, left in window_corners(height, width, size):
        window = image[None, top : top + size, left : left + size]
        output = ops.convert_to_numpy(model({"blurred": window})["deblurred"])[0]
        # A window beside the grid fills only what the grid leaves.
        down, across = (
            edge - first if first % size else 0
            for edge, first in zip(grid, (top, left))
        )
        rows, columns = slice(top + down, top + size), slice(left + across, left + size)
        result[rows, columns] = output[down:, across:]
    return result


def _through(chain, features):
    for layer in chain:
        features = layer(features)
    return features
