"""K3DN: a set of blur kernels, queried by the disparity of two dual-pixel views.

Yang, Pan, Liu, Liu, "K3DN: Disparity-Aware Kernel Estimation for Dual-Pixel Defocus
Deblurring", CVPR 2023.

Idea: left and right half-aperture views agree where the photograph is in focus and are
shifted where it is not, so their disparity tells the blur kernel. Each window of the
features mixes its kernels from a trained set and is deconvolved by them; in training
the same kernels blur the sharp image, which must give the photograph back; where
features did not change, the photograph was sharp and is preserved.

Inputs:   left, right         (batch, height, width, 3) float32 in [0, 1]
          blurred             instead of them, for `views=1`
Outputs:  deblurred           the same shape, clipped to [-0.5, 1.5] by the network
          disparity_vectors   (batch, window rows, window columns, 256)
          reblurred           the same shape; in training only, where `sharp` is given
Requires: height and width divisible by `size_multiple`, 8 windows' samples.

Paper -> code
  [K3DN Eq. 8]      layers.k3dn_mixture.KernelWeights
  [K3DN Eq. 9]      layers.k3dn_mixture.MixturePSFBlock.blur_kernels
  [K3DN Eq. 10]     layers.k3dn_mixture.MixturePSFBlock
  [K3DN Eq. 12]     layers.k3dn_mixture.SharpRegionRefinement
  [K3DN Eq. 14]     the same
  [K3DN Eq. 15]     the same
  [K3DN Eq. 16]     the same                      tests/layers/k3dn_mixture_test.py
  [K3DN Eq. 17]     models.k3dn.K3DN.reblur                tests/models/k3dn_test.py
  [K3DN Sec. 3.2]   layers.k3dn_disparity        tests/layers/k3dn_disparity_test.py
  [K3DN Table 4]     K3DN(num_psf_blocks=0, sharp_region_preservation, reblurring)
  [K3DN Table 5]     K3DN(num_kernels)

Left open by the paper, and taken from the authors' code in both variants
  One disparity vector per window of features, not per pixel; several PSF blocks one
  after the other; skips from encoder to decoder; no softmax over neighbours; the
  widths. With them the equations have 3.16, 5.17 and 15.61 million parameters (tiny,
  lightweight, large) where the paper prints 3.00, 5.00 and 15.90.
Differences of variant="released", the authors' code, whose counts are the printed ones
  Kernels per channel, an activation, the window's weights and a 1x1 mixing realise the
  sum of kernels, with residual connections (`layers.k3dn`, `layers.k3dn_invertible`);
  sharp regions are preserved at the three joins of the decoder. Trained is the spectrum
  of the deblurring kernels; `spectrum="blur"` trains that of the blur kernels: the same
  functions of other parameters. Columns of the cost volume that the release leaves
  uninitialised are zero.
"""

from typing import Any

import keras
from keras import ops

from tf_defocus.layers.common import (
    convolution_to_image,
    doubling_convolution,
    uniform_initializer,
)
from tf_defocus.layers.k3dn import (
    ACTIVATION,
    PSFBlock,
    ResidualUnits,
    SharpRegionPreservation,
    convolution,
)
from tf_defocus.layers.k3dn_disparity import (
    FEATURE_STRIDE,
    SingleImageDisparity,
    StereoDisparity,
)
from tf_defocus.layers.k3dn_mixture import MixturePSFBlock, SharpRegionRefinement
from tf_defocus.models.base import check_arguments, check_views
from tf_defocus.models.k3dn_stages import StagedNetwork
from tf_defocus.ops.tensor import Tensor
from tf_defocus.ops.windows import cut_windows, join_windows


@keras.saving.register_keras_serializable(package="tf_defocus")
class K3DN(StagedNetwork):
    """Encoder, PSF blocks per window at 1/8, preservation, decoder [K3DN Fig. 3].

    Args:
        base_filters: int, channels at half the size; four times as many at 1/8.
        encoder_residual_units: int, residual units of each encoder and decoder stage.
        num_psf_blocks: int, 0 for none (Table 4).
        srp_residual_units: int, residual units of each preservation block.
        truncate: float, largest gain of an inverse kernel; "released": largest
            reciprocal of a kernel's weight when reblurring.
        window_size: (rows, columns) of a window, samples at 1/8 of the image.
        pool_size: (rows, columns) of a window in the disparity estimator.
        pad_scale: (rows, columns) [px], see `layers.k3dn_disparity.WindowVectors`.
        views: 2 (left and right) or 1 (photograph).
        sharp_region_preservation: bool; False is the first stage of training (and a
            line of Table 4).
        reblurring: bool; True blurs the sharp image in training (Table 4).
        frozen_kernels: bool; True is the inference form, see `to_inference`.
        variant: "paper" or "released" (the authors' checkpoints).
        num_kernels: int, N of the kernel set (Table 5); None for as many as channels at
            1/8, the only number of "released".
        spectrum: what "released" trains, of its kernels: "deblur" (the authors'
            checkpoints) or "blur".

    Raises:
        ValueError: if an argument is none of the values above, or at a call without the
            views, with views of different sizes or with sizes that do not divide.

    Reference:
        [Yang et al., 2023](https://openaccess.thecvf.com/CVPR2023), Fig. 3.
    """

    exact_tiling = False  # the disparity estimator pools over large cells

    def __init__(
        self,
        base_filters: int = 48,
        encoder_residual_units: int = 4,
        num_psf_blocks: int = 8,
        srp_residual_units: int = 4,
        truncate: float = 100,
        window_size: tuple[int, int] = (18, 14),
        pool_size: tuple[int, int] = (5, 4),
        pad_scale: tuple[int, int] = (288, 224),
        views: int = 2,
        sharp_region_preservation: bool = True,
        reblurring: bool = True,
        frozen_kernels: bool = False,
        variant: str = "paper",
        num_kernels: int | None = None,
        spectrum: str = "deblur",
        **kwargs: Any,
    ) -> None:
        super().__init__(views=views, variant=variant, **kwargs)
        _check(base_filters, num_psf_blocks)
        _check_kernels(variant, frozen_kernels, num_kernels, 4 * base_filters)
        self.base_filters = base_filters
        self.encoder_residual_units = encoder_residual_units
        self.num_psf_blocks = num_psf_blocks
        self.srp_residual_units = srp_residual_units
        self.truncate = truncate
        self.window_size = tuple(window_size)
        self.pool_size = tuple(pool_size)
        self.pad_scale = tuple(pad_scale)
        self.sharp_region_preservation = sharp_region_preservation
        self.reblurring = reblurring
        self.frozen_kernels = frozen_kernels
        self.num_kernels = num_kernels
        self.spectrum = spectrum
        self._add_encoder()
        self._add_windows()
        self._add_decoder()

    @property
    def size_multiple(self) -> tuple[int, int]:
        """What height and width must divide by: a window, in pixels."""
        return tuple(FEATURE_STRIDE * size for size in self.window_size)

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], estimated.

        The image branch reaches a whole window; the disparity estimator's largest
        pooling cells are 256 px, and interpolation mixes two of them.
        """
        units = 2 * self.encoder_residual_units
        encoder = 7 + (2 + 4 + 8) * units
        gates = (4 + 3 + 2 * self.srp_residual_units) * self.sharp_region_preservation
        strides = 8 if self.variant == "paper" else 4 + 2 + 1
        decoder = 15 + (4 + 2 + 1) * units
        reach = encoder + strides * gates + decoder
        if self.num_psf_blocks:
            reach += max(self.size_multiple) + 2 * 256
        return 2 * reach + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; in training also blurs the sharp image, if it is among the inputs.

        Args:
            inputs: dict of the views and, to train the kernels both ways, of "sharp",
                the in-focus image [K3DN Sec. 3.3, Fig. 5].
            training: bool.

        Returns:
            dict, see the module.
        """
        check_views(self, inputs)
        vectors = None
        if self.num_psf_blocks:
            vectors = self.disparity_vectors(inputs, training)
        views = [_shift(inputs[name]) for name in self.view_names]
        outputs = {"deblurred": self._restore(views, vectors)}
        if self.num_psf_blocks:
            outputs["disparity_vectors"] = vectors
        if training and self.reblurring and "sharp" in inputs:
            outputs["reblurred"] = self.reblur(inputs["sharp"], vectors)
        return outputs

    def disparity_vectors(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> Tensor:
        """(batch, window rows, window columns, 256): what the views say of the blur."""
        views = [_shift(inputs[name]) for name in self.view_names]
        return ops.cast(self.disparity(*views, training=training), "float32")

    def reblur(self, sharp: Tensor, disparity_vectors: Tensor) -> Tensor:
        """Blurs a sharp image as the views were that gave the vectors [K3DN Eq. 17].

        Args:
            sharp: (batch, height, width, 3) float32 in [0, 1].
            disparity_vectors: an output of the model; None without PSF blocks.

        Returns:
            (batch, height, width, 3), to be compared with the mean of the views.
        """
        views = [_shift(sharp)] * self.views
        return self._restore(views, disparity_vectors, reverse=True)  # [K3DN Eq. 17]

    def similarity_maps(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """What the preservation blocks see when they deblur [K3DN Eq. 12, Fig. 4].

        Args:
            inputs: dict of images, see the module.

        Returns:
            list of (batch, height, width, 81) float, at 1/8; of "released" at 1/4, 1/2
            and the full size; empty without preservation blocks.
        """
        vectors = self.disparity_vectors(inputs) if self.num_psf_blocks else None
        views = [_shift(inputs[name]) for name in self.view_names]
        maps = []
        self._restore(views, vectors, maps=maps)
        return maps

    def _add_encoder(self):
        widths = [self.base_filters * scale for scale in (1, 2, 4)]
        self.reductions = [
            convolution(
                width, ACTIVATION, strides=2, padding="valid", name=f"reduction{i}"
            )
            for i, width in enumerate(widths)
        ]
        self.encoder = [
            ResidualUnits(width, self.encoder_residual_units, name=f"encoder{i}")
            for i, width in enumerate(widths)
        ]

    def _add_windows(self):
        estimator = StereoDisparity if self.views == 2 else SingleImageDisparity
        self.disparity = (
            estimator(
                self.window_size, self.pool_size, self.pad_scale, name="disparity"
            )
            if self.num_psf_blocks
            else None
        )
        names = [f"psf{i}" for i in range(self.num_psf_blocks)]
        if self.variant == "paper":
            count = self.num_kernels or 4 * self.base_filters
            self.psf_blocks = [
                MixturePSFBlock(count, truncate=self.truncate, name=name)
                for name in names
            ]
            return
        self.psf_blocks = [
            PSFBlock(self.truncate, self.spectrum, self.frozen_kernels, name=name)
            for name in names
        ]

    def _add_decoder(self):
        base = self.base_filters
        widths = (4 * base, 2 * base, base + 3 * self.views)
        self.enlargements = [
            doubling_convolution(
                width,
                activation=ACTIVATION,
                use_bias=False,
                kernel_initializer=uniform_initializer(),
                name=f"enlargement{i}",
            )
            for i, width in enumerate((2 * base, base, base))
        ]
        units = self.srp_residual_units
        if self.variant == "paper":
            one = SharpRegionRefinement(4 * base, units, name="srp0")
            self.preservation = [one] * self.sharp_region_preservation
        else:
            self.preservation = [
                SharpRegionPreservation(width, units, name=f"srp{i}")
                for i, width in enumerate(widths * self.sharp_region_preservation)
            ]
        self.decoder = [
            ResidualUnits(width, self.encoder_residual_units, name=f"decoder{i}")
            for i, width in enumerate(widths)
        ]
        self.output_convolution = convolution(3, name="output")

    def _restore(self, views, vectors, reverse=False, maps=None):
        image = ops.cast(ops.concatenate(views, axis=-1), self.compute_dtype)
        stages = self._encode(image)
        features = self._transform(stages[-1], vectors, reverse)
        if self.variant == "paper" and self.preservation:
            features = self._preserve(0, stages[-1], features, maps)
        restored = self._decode([*stages[1::-1], image], features, maps)
        # Clipped in training too, as in the authors' code; [-1, 1] is theirs.
        return ops.clip(ops.cast(restored, "float32"), -1, 1) + 0.5

    def _encode(self, features):
        stages = []
        for reduction, units in zip(self.reductions, self.encoder):
            # The same padding on all sides; "same" would put it right and below.
            padded = ops.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]])
            features = units(reduction(padded))
            stages.append(features)
        return stages

    def _transform(self, features, vectors, reverse):
        if not self.psf_blocks:
            return features
        windows = cut_windows(features, self.window_size)
        vectors = ops.reshape(vectors, (-1, vectors.shape[-1]))
        for block in self.psf_blocks:
            windows = block(windows, vectors, reverse=reverse)
        return join_windows(windows, features, self.window_size)

    def _preserve(self, index, old, new, maps):
        if maps is not None:
            maps.append(self.preservation[index].similarity(old, new))
        return self.preservation[index](old, new)

    def _decode(self, skips, features, maps=None):
        for i, skip in enumerate(skips):
            enlarged = self.enlargements[i](features)
            if self.variant == "released" and self.preservation:
                joined = self._preserve(i, skip, enlarged, maps)
            else:
                joined = ops.concatenate([skip, enlarged], axis=-1)
            features = self.decoder[i](joined)
        return convolution_to_image(self.output_convolution, features)

    def _convolutional_layers(self):
        """Every layer but the PSF and the preservation blocks."""
        return [
            *self.reductions,
            *self.encoder,
            *([self.disparity] if self.disparity is not None else []),
            *self.enlargements,
            *self.decoder,
            self.output_convolution,
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "encoder_residual_units": self.encoder_residual_units,
            "num_psf_blocks": self.num_psf_blocks,
            "srp_residual_units": self.srp_residual_units,
            "truncate": self.truncate,
            "window_size": self.window_size,
            "pool_size": self.pool_size,
            "pad_scale": self.pad_scale,
            "sharp_region_preservation": self.sharp_region_preservation,
            "reblurring": self.reblurring,
            "frozen_kernels": self.frozen_kernels,
            "num_kernels": self.num_kernels,
            "spectrum": self.spectrum,
        }


def _check(base_filters, num_psf_blocks):
    check_arguments(
        ("base_filters", base_filters, base_filters >= 1, "at least 1"),
        ("num_psf_blocks", num_psf_blocks, num_psf_blocks >= 0, "at least 0"),
    )


def _check_kernels(variant, frozen, count, channels):
    paper = variant == "paper"
    fits = count is None or (count >= 1 and (paper or count == channels))
    check_arguments(
        ("num_kernels", count, fits, "at least 1; of variant 'released' None"),
        ("frozen_kernels", frozen, not (paper and frozen), "False of variant 'paper'"),
    )


def _shift(image):
    """[0, 1] to the network's [-0.5, 0.5]."""
    return ops.convert_to_tensor(image) - 0.5
