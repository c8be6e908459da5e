"""NRKNet: blur inverted by a Neumann series of recursive kernels.

Quan, Wu, Ji, "Neumann Network with Recursive Kernels for Single Image Defocus
Deblurring", CVPR 2023.

Idea: if F blurs, then 1 / F is the series of (1 - F)^k, so deblurring needs no other
filter than the blur itself. The blur of every pixel is a mixture of kernels, each the
one before convolved with three more taps, and only the mixture must be predicted. The
same network works at a quarter, a half and the whole of the size; a convolutional LSTM
hands on what it found.

Inputs:   blurred         (batch, height, width, 3) float32 in [0, 1]
Outputs:  deblurred       the same shape; not clipped
          when training also, at the whole, a half and a quarter of the size:
          series, series_half, series_quarter     the truncated series of each scale
          mixing, mixing_half, mixing_quarter     the maps (..., kernels + 1) that
                                                  describe the blur, for `reblur`
Requires: height and width divisible by `size_multiple` (16).

Paper -> code
  recursive kernels             layers.nrknet.RecursiveKernels
                                                      tests/layers/nrknet_test.py
  mixture, reblurring           layers.nrknet.MixedBlur, models.nrknet.NRKNet.reblur
                                                      tests/layers/nrknet_test.py
  prediction of the mixture     layers.nrknet.MixingPrediction     the same
  Neumann series                models.nrknet.NRKNet  tests/models/nrknet_test.py
  reblurring loss               training_tasks.NRKNetTasks
                                                      tests/training_tasks_test.py

Differences from the paper
  The output adds the last term of every scale's series, enlarged, to the photograph, as
  the released code does; the sums of the series are trained beside it.
  The recursion stops after 3, 2 and 1 terms from coarse to fine: likewise.
Differences from the released weights
  None in the network; `variant` is accepted and changes nothing. The authors score with
  the statistics of the image at hand (`batch_statistics=True`), and their files hold
  the colours as blue, green, red: `conversion.nrknet.to_rgb` undoes that.
"""

from typing import Any

import keras
from keras import ops

from tf_defocus.layers.common import doubling_convolution, uniform_initializer
from tf_defocus.layers.nrknet import (
    MixedBlur,
    MixingPrediction,
    ReflectedConvolution,
    ReflectedResidualUnits,
)
from tf_defocus.models.base import (
    RestorationNetwork,
    check_arguments,
)
from tf_defocus.ops.resizing import double_bilinear, enlarge_bilinear
from tf_defocus.ops.tensor import Tensor

# Of every scale, coarse to fine: its name, pixels of the image per pixel, and how many
# terms its series has beside the image.
SCALES = (("_quarter", 4, 3), ("_half", 2, 2), ("", 1, 1))


@keras.saving.register_keras_serializable(package="tf_defocus")
class NRKNet(RestorationNetwork):
    """Neumann series at three scales, of blurs that are predicted.

    Args:
        base_filters: int, channels at full resolution; four times as many at a quarter.
        num_kernels: int, recursive kernels besides the identity.
        num_residual_units: int, in each of the seven chains of residual units.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        Quan, Wu, Ji, CVPR 2023, pp. 5754-5763.
    """

    view_names = ("blurred",)
    size_multiple = (16, 16)
    offers_batch_statistics = True

    def __init__(
        self,
        base_filters: int = 64,
        num_kernels: int = 21,
        num_residual_units: int = 1,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
            ("num_kernels", num_kernels, num_kernels >= 1, "at least 1"),
            (
                "num_residual_units",
                num_residual_units,
                num_residual_units >= 1,
                "at least 1",
            ),
        )
        self.base_filters = base_filters
        self.num_kernels = num_kernels
        self.num_residual_units = num_residual_units
        self._add_backbone()
        self.prediction = MixingPrediction(num_kernels + 1, name="prediction")
        self.blur = MixedBlur(num_kernels, dtype="float32", name="blur")

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        units = 2 * self.num_residual_units
        encoder = 1 + units + 1 + 2 * units + 2 + 4 * units
        features = encoder + 4 + 4 * units + 4 * units + 4 + 2 * units + 2 + units
        reach, memory = 0, features - 1  # [px of the scale]
        for _, stride, terms in SCALES:
            # 5x5 at half the size, of pairs of pixels, and the coarser state, enlarged.
            memory = max(features + 1, memory) + 4
            mixing = max(features, memory) + 1
            blurs = terms * self.num_kernels
            scale = max(blurs, blurs - self.num_kernels + mixing)
            reach = max(reach, stride * (scale + 1))
            memory = 2 * (memory + 2)
        return 2 * reach + 1

    def call(
        self,
        inputs: dict[str, Tensor],
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> dict[str, Tensor]:
        """Deblurs.

        Args:
            inputs: dict of images, see the module.
            training: bool, normalise by the batch, update the running statistics and
                answer for the training losses too.
            batch_statistics: bool, normalise by the batch at inference as well, as the
                authors' published numbers were made; nothing is updated.

        Returns:
            dict of images, see the module.
        """
        image = ops.convert_to_tensor(inputs["blurred"])
        mode = {"training": training, "batch_statistics": batch_statistics}
        deblurred, state, outputs = image, None, {}
        for name, stride, num_terms in SCALES:
            blurred = image[:, ::stride, ::stride]
            mixing, state = self._mixing(blurred, state, mode)
            terms = self._terms(blurred, mixing, num_terms)
            last = terms[-1]
            deblurred = deblurred + (
                last if stride == 1 else enlarge_bilinear(last, stride)
            )
            state = tuple(double_bilinear(part) for part in state)
            outputs |= {f"series{name}": sum(terms), f"mixing{name}": mixing}
        return {"deblurred": deblurred, **(outputs if training else {})}

    def reblur(self, images: Tensor, mixing: Tensor) -> Tensor:
        """Blurs images as the photographs that `mixing` was predicted from are.

        Args:
            images: (batch, height, width, 3) float32, sharp.
            mixing: (batch, height, width, kernels + 1), of `call` when training.

        Returns:
            (batch, height, width, 3) float32.
        """
        return self.blur(images, mixing)

    def stages(self, image: Tensor) -> dict[str, Tensor]:
        """Features of one scale.

        Args:
            image: (batch, height, width, 3).

        Returns:
            dict of `encoder1` to `encoder3`, `bottleneck`, `up2`, `up1` (after the
            transposed convolutions) and `features` (the shape of `image`).
        """
        stages, features = {}, image
        for level, (convolution, units) in enumerate(self.encoder, start=1):
            features = stages[f"encoder{level}"] = units(convolution(features))
        convolution, units = self.bottleneck
        features = stages["bottleneck"] = units(convolution(features))
        features = self.decoder[2](features + stages["encoder3"])
        for level in (2, 1):
            features = stages[f"up{level}"] = self.upsampling[level - 1](features)
            features = self.decoder[level - 1](features + stages[f"encoder{level}"])
        return {**stages, "features": features}

    def _mixing(self, image, state, mode):
        """Maps of one scale in float32, and the state after it."""
        features = self.stages(image)["features"]
        mixing, state = self.prediction(features, state=state, **mode)
        return ops.cast(mixing, "float32"), state

    def _terms(self, blurred, mixing, count):
        """(1 - F)^k of the blurred image for k from 0 to `count`."""
        terms = [blurred]
        for _ in range(count):
            terms.append(terms[-1] - self.blur(terms[-1], mixing))
        return terms

    def _add_backbone(self):
        widths = [self.base_filters * scale for scale in (1, 2, 4)]
        self.encoder = [
            (
                ReflectedConvolution(
                    width,
                    strides=1 if level == 1 else 2,
                    activation="relu",
                    name=f"encoder{level}_convolution",
                ),
                self._units(width, f"encoder{level}_units"),
            )
            for level, width in enumerate(widths, start=1)
        ]
        self.bottleneck = (
            ReflectedConvolution(
                widths[-1], activation="relu", name="bottleneck_convolution"
            ),
            self._units(widths[-1], "bottleneck_units"),
        )
        self.decoder = [
            self._units(width, f"decoder{level}_units")
            for level, width in enumerate(widths, start=1)
        ]
        self.upsampling = [
            doubling_convolution(
                width,
                activation="relu",
                use_bias=False,
                kernel_initializer=uniform_initializer(),
                name=f"upsample{level}",
            )
            for level, width in enumerate(widths[:-1], start=1)
        ]

    def _units(self, width, name):
        return ReflectedResidualUnits(width, self.num_residual_units, name=name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_kernels": self.num_kernels,
            "num_residual_units": self.num_residual_units,
        }
