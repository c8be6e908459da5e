"""GKMNet: deblurring as a fixed-point iteration over mixtures of Gaussians.

Quan, Wu, Ji, "Gaussian Kernel Mixture Network for Single Image Defocus Deblurring",
NeurIPS 2021. <https://arxiv.org/abs/2111.00454>

Idea: every pixel's defocus kernel is a mixture of a few fixed Gaussians, so that only
its weights are unknown. The fixed-point iteration that inverts such a blur becomes a
recurrent network from coarse to fine: attention predicts the weights at every scale and
a ConvLSTM carries its findings to the next.

Inputs:   blurred             (batch, height, width, 3) float32 in [0, 1]
          blurred_half, blurred_quarter    the same, smaller, for `pyramid="inputs"`
Outputs:  deblurred           the shape of `blurred`; not clipped
          deblurred_half, deblurred_quarter    the coarser estimates, one per scale
Requires: height and width divisible by `size_multiple` (16 with three scales).

Paper -> code
  [GKMNet Eq. 3]  ops.gaussian.gaussian_bank                 tests/ops/gaussian_test.py
                  layers.gkmnet.GaussianConvolution          tests/layers/gkmnet_test.py
  [GKMNet Eq. 6]  deconvolution.fixed_point.deblur_fixed_point
                                                       tests/optics/fixed_point_test.py
  [GKMNet Eq. 8]  layers.gkmnet.WeightedSummation            tests/layers/gkmnet_test.py
  [GKMNet Eq. 9]  models.gkmnet.GKMNet._step                 tests/models/gkmnet_test.py
  [GKMNet Fig. 2] layers.gkmnet_attention, _gates tests/layers/gkmnet_attention_test.py
  [GKMNet Tab. 4] models.gkmnet.GKMNet: num_scales, recurrent, gaussian_mixture,
                  trainable_gaussians                        tests/models/gkmnet_test.py
  [GKMNet Tab. 5] models.gkmnet.GKMNet: num_scales, num_iterations, share_iterations
                                                             tests/models/gkmnet_test.py

Differences from the paper
  22 kernels in place of 21, three of them 3x3: the authors' code, and the only count
  that gives the paper's 1.41 million parameters; `bank="paper21"` is the text's.
  7x7 gates, a 5x5 ConvLSTM, 2x2 transposed convolutions, a bottleneck block, one
  convolution beside the ConvLSTM, weights for the blurred image too, and a summation
  that mixes colours: likewise.
  The first step takes the blurred image as the previous estimate.
Differences from the released code, of `variant="paper"`
  Every kernel filters every colour; released, each colour sees a third of them.
  The sum is added to the blurred image (Eq. 9); released, it is the output.
  The weights are tanh(.); released, 2 sigmoid(.) - 1, which is tanh(. / 2).
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.gkmnet import WeightedSummation
from tf_defocus.layers.gkmnet_attention import ScaleRecurrentAttention
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.resizing import double_bilinear, halve_antialiased
from tf_defocus.ops.tensor import Shape, Tensor

# Suffixes of the names of inputs and outputs, finest scale first.
SCALES = ("", "_half", "_quarter", "_eighth")
# How far one attention module sees [px of its scale]: a block adds its first
# convolution, two of the residual and the 7x7 gate at its stride; then the two paths of
# the prediction, 5x5 at half the size being the longer.
_ATTENTION_REACH = (1 + 5) + (1 + 10) + (2 + 20) + (4 + 20) + 10 + 2 + 5 + 1 + 4 + 1


@keras.saving.register_keras_serializable(package="tf_defocus")
class GKMNet(RestorationNetwork):
    """Scale-recurrent mixtures of Gaussian-filtered images [GKMNet Fig. 1].

    Args:
        num_gaussians: int, kernels besides the identity; None for the bank's own, 21 in
            the default one and 20 in "paper21".
        max_kernel_size: int, odd [px].
        bank: "default" or "paper21", see `tf_defocus.ops.gaussian.gaussian_bank`.
        num_scales: int, 1 to 4, each half the size of the one before (Table 5: S).
        recurrent: bool; False replaces the ConvLSTM by a convolution (Table 4).
        trainable_gaussians: False, True (learned from the Gaussians on) or "random"
            (learned from scratch; Table 4).
        pyramid: "internal" (the coarser images are made from `blurred`) or "inputs".
        variant: "paper" or "released" (the authors' checkpoints).
        num_iterations: int, steps at every scale (Table 5: R).
        gaussian_mixture: bool; False leaves the attention alone, whose maps a 1x1
            convolution with a sigmoid makes an image of (Table 4 c, SRAM*).
        share_iterations: bool; False gives every iteration at a scale weights of its
            own, which the scales share (Table 5: S = 2, R = 3 and S = 3, R = 2).

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Quan et al., 2021](https://arxiv.org/abs/2111.00454), Figs. 1 and 2.
    """

    # The attention pools over whole rows and columns: a tile only approximates.
    exact_tiling = False
    offers_batch_statistics = True

    def __init__(
        self,
        num_gaussians: int | None = None,
        max_kernel_size: int = 21,
        bank: str = "default",
        num_scales: int = 3,
        recurrent: bool = True,
        trainable_gaussians: bool = False,
        pyramid: str = "internal",
        variant: str = "paper",
        num_iterations: int = 1,
        gaussian_mixture: bool = True,
        share_iterations: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        _check(num_scales, num_iterations, trainable_gaussians, pyramid)
        self.num_gaussians = num_gaussians
        self.max_kernel_size = max_kernel_size
        self.bank = bank
        self.num_scales = num_scales
        self.recurrent = recurrent
        self.trainable_gaussians = trainable_gaussians
        self.pyramid = pyramid
        self.num_iterations = num_iterations
        self.gaussian_mixture = gaussian_mixture
        self.share_iterations = share_iterations
        self.summation, self.attention = self._create_step("")
        further = 0 if share_iterations else num_iterations - 1
        self.further_steps = [self._create_step(f"_{i + 2}") for i in range(further)]

    def _create_step(self, suffix):
        """The layers of one iteration; the names of the first have no suffix."""
        summation = WeightedSummation(
            self.num_gaussians,
            self.max_kernel_size,
            self.bank,
            self.trainable_gaussians,
            self.variant,
            dtype="float32",
            name=f"summation{suffix}",
        )
        num_maps = 2 * summation.convolution.num_kernels
        if not self.gaussian_mixture:
            summation = layers.Conv2D(
                3, 1, activation="sigmoid", dtype="float32", name=f"summation{suffix}"
            )
        attention = ScaleRecurrentAttention(
            num_maps, self.recurrent, self.variant, name=f"attention{suffix}"
        )
        return summation, attention

    @property
    def _steps(self):
        """(summation, attention) of every iteration at a scale."""
        steps = [(self.summation, self.attention), *self.further_steps]
        return steps * (self.num_iterations if self.share_iterations else 1)

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the input images, coarser scales included if they are inputs."""
        if self.pyramid == "internal":
            return ("blurred",)
        return tuple(f"blurred{suffix}" for suffix in SCALES[: self.num_scales])

    @property
    def size_multiple(self) -> tuple[int, int]:
        """What height and width must divide by."""
        multiple = 4 * 2 ** (self.num_scales - 1)
        return multiple, multiple

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on through convolutions [px].

        Beyond it reach the gates, which pool over whole rows and columns.
        """
        bank = self.max_kernel_size // 2 if self.gaussian_mixture else 0
        own = max(_ATTENTION_REACH, bank)
        # A step sees the scale below through the state (5x5 at half the size), the bank
        # and bilinear upsampling.
        carried = max(2 * 2, bank)
        reach = own + (self.num_iterations - 1) * carried
        for _ in range(self.num_scales - 1):
            reach = 2 * (reach + 2) + self.num_iterations * carried
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
            training: bool, normalise by the batch and update the running statistics.
            batch_statistics: bool, normalise by the batch at inference as well, as the
                authors' published numbers were made; nothing is updated.

        Returns:
            dict of images, finest scale first.
        """
        pyramid = self._pyramid(inputs)
        estimate, state, outputs = None, None, {}
        for scale in reversed(range(self.num_scales)):
            blurred = pyramid[scale]
            if estimate is None:
                estimate = blurred
            else:
                estimate = double_bilinear(estimate)
                state = state and tuple(double_bilinear(part) for part in state)
            for step in self._steps:
                estimate, state = self._step(
                    step, blurred, estimate, state, training, batch_statistics
                )
            outputs[f"deblurred{SCALES[scale]}"] = estimate
        return dict(reversed(outputs.items()))

    def _pyramid(self, inputs):
        """Blurred images, finest first."""
        if self.pyramid == "inputs":
            return [ops.convert_to_tensor(inputs[name]) for name in self.view_names]
        images = [ops.convert_to_tensor(inputs["blurred"])]
        for _ in range(self.num_scales - 1):
            images.append(halve_antialiased(images[-1]))
        return images

    def _step(self, step, blurred, previous, state, training, batch_statistics):
        """One unrolled iteration [GKMNet Eq. 9]; x_t = y_t + sum."""
        summation, attention = step
        weights, state = attention(
            blurred, state=state, training=training, batch_statistics=batch_statistics
        )
        weights = ops.cast(weights, "float32")
        if not self.gaussian_mixture:
            return summation(weights), state  # SRAM* [GKMNet Tab. 4]
        total = summation(blurred, previous, weights)
        return (total if self.variant == "released" else blurred + total), state

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight; sizes stay dynamic."""
        for summation, attention in [
            (self.summation, self.attention),
            *self.further_steps,
        ]:
            attention.build((None, None, None, 3))
            summation.build((None, None, None, attention.num_maps))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_gaussians": self.num_gaussians,
            "max_kernel_size": self.max_kernel_size,
            "bank": self.bank,
            "num_scales": self.num_scales,
            "recurrent": self.recurrent,
            "trainable_gaussians": self.trainable_gaussians,
            "pyramid": self.pyramid,
            "num_iterations": self.num_iterations,
            "gaussian_mixture": self.gaussian_mixture,
            "share_iterations": self.share_iterations,
        }


def _check(num_scales, num_iterations, trainable_gaussians, pyramid):
    learned = trainable_gaussians in (False, True, "random")
    check_arguments(
        ("num_scales", num_scales, 1 <= num_scales <= len(SCALES), "1 to 4"),
        ("num_iterations", num_iterations, num_iterations >= 1, "at least 1"),
        ("trainable_gaussians", trainable_gaussians, learned, "a bool or 'random'"),
        ("pyramid", pyramid, pyramid in ("internal", "inputs"), "'internal'/'inputs'"),
    )
