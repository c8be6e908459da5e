"""KPAC: one kernel, dilated to every blur size, weighted per pixel.

Son, Lee, Lee, Cho, "Single Image Defocus Deblurring Using Kernel-Sharing Parallel
Atrous Convolutions", ICCV 2021. <https://arxiv.org/abs/2108.09108>

Idea: the inverse kernel of a blur twice as large is the inverse kernel, twice as large.
So one small kernel, applied at dilation rates 1 to 5, serves all blur sizes; a scale
attention picks the rates for every pixel, a shape attention the kernels for the image.

Inputs:   blurred             (batch, height, width, 3) float32 in [0, 1]
          left, right         the same, for `views=2` (blurred: the centre view)
Outputs:  deblurred           the same shape; not clipped
          scale_attention     (batch, blocks, height/s, width/s, rates) in (0, 1)
          shape_attention     (batch, blocks, filters) in (0, 1)      s = feature_stride
Requires: height and width divisible by `size_multiple` (8, or 4 with two levels).

Paper -> code
  [KPAC Eq. 6]   layers.kpac.KernelSharingAtrousConvolution   tests/layers/kpac_test.py
  [KPAC Eq. 7]   layers.kpac.KPACBlock                        tests/layers/kpac_test.py
  [KPAC Sec. 4.1] layers.kpac.ScaleAttention, ShapeAttention  tests/layers/kpac_test.py
  [KPAC Fig. 5]  models.kpac.KPAC                             tests/models/kpac_test.py

Differences from the paper
  The atrous branches have no bias and each is followed by the activation, as in the
  released code and the paper's Table 7; Eqs. 6 and 7 write neither.
  Table 2's baseline is not described but for "residual blocks" and 2.26 M parameters:
  ten blocks of two 3x3 convolutions in one chain, fused with the encoder's features
  as the KPAC blocks are, give that count and are our reading of it.
Differences from the released weights
  The shape attention's hidden width is 12 there, 16 in the paper's table; variant=
  "released" gives the former.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_defocus.layers.common import convolution_to_image, doubling_convolution
from tf_defocus.layers.kpac import ACTIVATION, KPACBlock, convolution, kpac_initializer
from tf_defocus.layers.kpac_residual import ResidualBlock
from tf_defocus.models.base import MonoOrDualNetwork, check_arguments
from tf_defocus.ops.tensor import Tensor

FUSION_REACH = 2  # [px of the features], how far two 3x3 convolutions see


@keras.saving.register_keras_serializable(package="tf_defocus")
class KPAC(MonoOrDualNetwork):
    """Encoder, KPAC blocks at the coarsest level, decoder [KPAC Fig. 5].

    Args:
        levels: 2 or 3, how often the encoder halves the image (blocks at 1/4 or 1/8).
        num_blocks: int, KPAC blocks in sequence (Table 3).
        kernel_size: int, odd; of the shared atrous kernel.
        base_filters: int, channels at full resolution; twice as many at the coarsest.
        dilation_rates: tuple of int [px of the coarsest level].
        views: 1 (photograph) or 2 (left and right dual-pixel views).
        share_kernels, scale_attention, shape_attention: bool, the ablations of the
            paper's Tables 1 and 2.
        num_residual_blocks: int, residual blocks in place of the KPAC blocks and their
            attentions (10: the baseline of Table 2); 0 for KPAC.
        variant: "paper" or "released" (the authors' checkpoints).

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Son et al., 2021](https://arxiv.org/abs/2108.09108), Fig. 5, Tables 6 and 7.
    """

    dual_view_names = ("blurred", "left", "right")
    works_in_stages = True
    transform_pools = True

    def __init__(
        self,
        levels: int = 3,
        num_blocks: int = 2,
        kernel_size: int = 5,
        base_filters: int = 48,
        dilation_rates: Sequence[int] = (1, 2, 3, 4, 5),
        views: int = 1,
        share_kernels: bool = True,
        scale_attention: bool = True,
        shape_attention: bool = True,
        num_residual_blocks: int = 0,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(views=views, variant=variant, **kwargs)
        _check(levels, num_blocks, kernel_size, num_residual_blocks)
        self.levels = levels
        self.num_blocks = num_blocks
        self.kernel_size = kernel_size
        self.base_filters = base_filters
        self.dilation_rates = tuple(dilation_rates)
        self.share_kernels = share_kernels
        self.scale_attention = scale_attention
        self.shape_attention = shape_attention
        self.num_residual_blocks = num_residual_blocks
        self._add_encoder()
        self._add_blocks()
        self._add_decoder()

    @property
    def feature_stride(self) -> int:
        """Pixels of the image per pixel of the coarsest features."""
        return 2**self.levels

    @property
    def size_multiple(self) -> tuple[int, int]:
        """What height and width must divide by."""
        return self.feature_stride, self.feature_stride

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px].

        Beyond it only the shape attention reaches, through its mean over the image.
        """
        coarse = self.num_blocks * self._block_reach() + FUSION_REACH
        if self.num_residual_blocks:
            coarse = 2 * self.num_residual_blocks + 2
        return 2 * (coarse * self.feature_stride + 2 * self.halo) + 1

    @property
    def halo(self) -> int:
        """Margin [px] that makes `encode` and `decode` exact on a tile's inside."""
        return 4 * self.feature_stride

    @property
    def transform_halos(self) -> tuple[int, ...]:
        """Margins of `transform_step`: a block each, and the fusion with the last."""
        if self.num_residual_blocks:
            return ()
        block = self._block_reach()
        return (*[block] * (self.num_blocks - 1), block + FUSION_REACH)

    def call(
        self,
        inputs: dict[str, Tensor],
        training: bool | None = None,
        scale_weights: Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Deblurs; `scale_weights` (one per block) replaces the scale attention."""
        stages = self._encoder_stages(inputs)
        features, attention = self._transform(stages[-1], scale_weights)
        return {"deblurred": self._decode(inputs, stages, features), **attention}

    def encode(self, inputs: dict[str, Tensor]) -> Tensor:
        """The coarsest features of the image or of a tile, before the blocks."""
        return self._encoder_stages(inputs)[-1]

    def transform(self, features: Tensor) -> Tensor:
        """The blocks and their fusion; `features` are those of the whole image."""
        return self._transform(features)[0]

    def transform_step(self, index: int, features: Tensor, means: Tensor) -> Tensor:
        """One block of `transform`, on a strip of rows.

        Args:
            index: int, of the block.
            features: (batch, rows, width, (index + 1) * channels), what was encoded and
                the outputs of the blocks before.
            means: (batch, 1, 1, the same channels), those of the whole image.

        Returns:
            The same with the block's output behind, or fused after the last block.
        """
        outputs = ops.split(features, index + 1, axis=-1)
        last = ops.split(means, index + 1, axis=-1)[-1]
        outputs.append(self.blocks[index](outputs[-1], means=last)[0])
        joined = ops.concatenate(outputs, axis=-1)
        return joined if index + 1 < self.num_blocks else self._fuse(joined)

    def decode(self, inputs: dict[str, Tensor], features: Tensor) -> dict[str, Tensor]:
        """The deblurred image or tile from its transformed features."""
        stages = self._encoder_stages(inputs)
        return {"deblurred": self._decode(inputs, stages, features)}

    def _add_encoder(self):
        base = self.base_filters
        widths = (base, base, 2 * base, 2 * base)[: self.levels + 1]
        self.encoder = []
        for level, width in enumerate(widths, start=1):
            first_size, stride = (5, 1) if level == 1 else (3, 2)
            self.encoder.append(
                (
                    convolution(
                        width, first_size, strides=stride, name=f"conv{level}_1"
                    ),
                    convolution(width, 3, name=f"conv{level}_2"),
                )
            )

    def _add_blocks(self):
        width = 2 * self.base_filters
        hidden = self.base_filters // (4 if self.variant == "released" else 3)
        self.residual_blocks = [
            ResidualBlock(width, name=f"residual{i}")
            for i in range(1, self.num_residual_blocks + 1)
        ]
        self.blocks = [
            KPACBlock(
                filters=width,
                atrous_filters=self.base_filters,
                kernel_size=self.kernel_size,
                dilation_rates=self.dilation_rates,
                shape_hidden_units=hidden,
                share_kernels=self.share_kernels,
                scale_attention=self.scale_attention,
                shape_attention=self.shape_attention,
                name=f"kpac{i}",
            )
            for i in range(1, self.num_blocks + 1)
            if not self.num_residual_blocks
        ]
        self.fusion = (
            convolution(width, 3, name="conv5_1"),
            convolution(width, 3, name="conv5_2"),
        )

    def _add_decoder(self):
        base = self.base_filters
        widths = [2 * base, base, base][3 - self.levels :]
        self.upsampling = [
            _deconv(width, name=f"deconv{i}") for i, width in enumerate(widths, start=1)
        ]
        self.merging = [
            convolution(width, 3, name=f"merge{i}")
            for i, width in enumerate(widths[:-1], start=1)
        ]
        self.residual = convolution(3, 5, activation=None, name="conv8")

    def _encoder_stages(self, inputs):
        names = ("blurred",) if self.views == 1 else ("left", "right")
        images = [ops.convert_to_tensor(inputs[name]) for name in names]
        features = ops.concatenate(images, axis=-1) * 2 - 1  # the network's [-1, 1]
        stages = []
        for first, second in self.encoder:
            features = second(first(features))
            stages.append(features)
        return stages

    def _transform(self, features, scale_weights=None):
        if scale_weights is None:
            scale_weights = [None] * self.num_blocks
        outputs, alphas, betas = [features], [], []
        for block in self.residual_blocks:
            features = block(features)
        if self.residual_blocks:
            outputs.append(features)
        for block, weights in zip(self.blocks, scale_weights):
            features, alpha, beta = block(features, scale_weights=weights)
            outputs.append(features)
            alphas.append(alpha)
            betas.append(beta)
        attention = {}
        if alphas and alphas[0] is not None:
            attention["scale_attention"] = ops.stack(alphas, axis=1)
        if betas and betas[0] is not None:
            attention["shape_attention"] = ops.stack(betas, axis=1)[:, :, 0, 0]
        return self._fuse(ops.concatenate(outputs, axis=-1)), attention

    def _fuse(self, features):
        for layer in self.fusion:
            features = layer(features)
        return features

    def _block_reach(self):
        """How far a block sees [px of the features], without the shape attention."""
        atrous = self.kernel_size // 2 * max(self.dilation_rates)
        attention = 4 * 4 + 2 if self.scale_attention else 0
        return max(atrous, attention) + 1

    def _decode(self, inputs, stages, features):
        skips = stages[-2::-1]
        to_image = functools.partial(convolution_to_image, self.residual)
        for upsample, merge, skip in zip(
            self.upsampling, [*self.merging, to_image], skips
        ):
            features = merge(ops.concatenate([upsample(features), skip], axis=-1))
        # Half: the residual lives in [-1, 1].
        return (
            ops.convert_to_tensor(inputs["blurred"])
            + ops.cast(features, "float32") * 0.5
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": self.levels,
            "num_blocks": self.num_blocks,
            "kernel_size": self.kernel_size,
            "base_filters": self.base_filters,
            "dilation_rates": self.dilation_rates,
            "share_kernels": self.share_kernels,
            "scale_attention": self.scale_attention,
            "shape_attention": self.shape_attention,
            "num_residual_blocks": self.num_residual_blocks,
        }


def _check(levels, num_blocks, kernel_size, num_residual_blocks):
    check_arguments(
        ("levels", levels, levels in (2, 3), "2 or 3"),
        ("num_blocks", num_blocks, num_blocks >= 1, "at least 1"),
        ("kernel_size", kernel_size, kernel_size % 2 == 1, "odd"),
        (
            "num_residual_blocks",
            num_residual_blocks,
            num_residual_blocks >= 0,
            "at least 0",
        ),
    )


def _deconv(filters, **kwargs):
    return doubling_convolution(
        filters,
        activation=ACTIVATION,
        kernel_initializer=kpac_initializer(),
        **kwargs,
    )
