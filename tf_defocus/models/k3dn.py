"""K3DN: a set of blur kernels, queried by the disparity of two dual-pixel views.

Yang, Pan, Liu, Liu, "K3DN: Disparity-Aware Kernel Estimation for Dual-Pixel Defocus
Deblurring", CVPR 2023.

Idea: left and right half-aperture views agree where the photograph is in focus and are
shifted where it is not, so their disparity tells the blur kernel. Each window of the
features picks its kernels from a trained set; the same kernels, inverted, blur
the sharp image, which must give the photograph back; where features did not change, the
photograph was sharp and is preserved.

Inputs:   left, right         (batch, height, width, 3) float32 in [0, 1]
          blurred             instead of them, for `views=1`
Outputs:  deblurred           the same shape, clipped to [-0.5, 1.5] by the network
          disparity_vectors   (batch, window rows, window columns, 256)
          reblurred           the same shape; in training only, where `sharp` is given
Requires: height and width divisible by `size_multiple`, 8 windows' samples.

Paper -> code
  [K3DN Eq. 8]      layers.k3dn.KernelQuery                tests/layers/k3dn_test.py
  [K3DN Eq. 9]      layers.k3dn_invertible      tests/layers/k3dn_invertible_test.py
  [K3DN Eq. 10]     layers.k3dn.PSFBlock                   tests/layers/k3dn_test.py
  [K3DN Eq. 12]     layers.k3dn.SharpRegionPreservation    tests/layers/k3dn_test.py
  [K3DN Eq. 17]     models.k3dn.K3DN.reblur                tests/models/k3dn_test.py
  [K3DN Sec. 3.2]   layers.k3dn_disparity        tests/layers/k3dn_disparity_test.py
  [K3DN Table 4]     K3DN(num_psf_blocks=0, sharp_region_preservation, reblurring)
  [K3DN Table 5]     K3DN(base_filters): the set has 4 * base_filters kernels

Differences from the paper, as in the authors' code
  One disparity vector per window of features, not per pixel. The sum of kernels is
  realised as kernels per channel, an activation, the window's weights and a 1x1
  mixing. Sharp regions are preserved at the three joins of the decoder, which is what
  the published counts of parameters and operations ask for; no softmax over neighbours.
Differences from the released weights
  There the trained spectrum is the deblurring kernel's, not the blur kernel's: the
  same functions, other parameters; variant="released". Columns of the cost volume that
  the release leaves uninitialised are zero.
"""

import keras
from keras import ops

from tf_defocus.layers.common import doubling_convolution, uniform_initializer
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
from tf_defocus.models.base import MonoOrDualNetwork, check_arguments, check_views
from tf_defocus.ops.windows import cut_windows, join_windows


@keras.saving.register_keras_serializable(package="tf_defocus")
class K3DN(MonoOrDualNetwork):
    """Encoder, PSF blocks per window at 1/8, decoder with preservation [K3DN Fig. 2].

    Args:
        base_filters: int; the kernel set has four times as many kernels (Table 5).
        encoder_residual_units: int, residual units of each encoder and decoder stage.
        num_psf_blocks: int, 0 for none (Table 4).
        srp_residual_units: int, residual units of each preservation block.
        truncate: float, largest reciprocal of a kernel's weight when reblurring.
        window_size: (rows, columns) of a window, samples at 1/8 of the image.
        pool_size: (rows, columns) of a window in the disparity estimator.
        pad_scale: (rows, columns) [px], see `layers.k3dn_disparity.WindowVectors`.
        views: 2 (left and right) or 1 (photograph).
        sharp_region_preservation: bool; False is the first stage of training (and a
            line of Table 4).
        reblurring: bool; True blurs the sharp image in training (Table 4).
        frozen_kernels: bool; True is the inference form, see `to_inference`.
        variant: "paper" or "released" (the authors' checkpoints).

    Raises:
        ValueError: if an argument is none of the values above, or at a call without the
            views, with views of different sizes or with sizes that do not divide.

    Reference:
        [Yang et al., 2023](https://openaccess.thecvf.com/CVPR2023), Fig. 2.
    """

    exact_tiling = False  # the disparity estimator pools over large cells

    def __init__(
        self,
        base_filters=48,
        encoder_residual_units=4,
        num_psf_blocks=8,
        srp_residual_units=4,
        truncate=100,
        window_size=(18, 14),
        pool_size=(5, 4),
        pad_scale=(288, 224),
        views=2,
        sharp_region_preservation=True,
        reblurring=True,
        frozen_kernels=False,
        variant="paper",
        **kwargs,
    ):
        super().__init__(views=views, variant=variant, **kwargs)
        _check(base_filters, num_psf_blocks)
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
        self._add_encoder()
        self._add_windows()
        self._add_decoder()

    @property
    def size_multiple(self):
        """What height and width must divide by: a window, in pixels."""
        return tuple(FEATURE_STRIDE * size for size in self.window_size)

    @property
    def receptive_field(self):
        """Extent of the pixels an output pixel depends on [px], estimated.

        The image branch reaches a whole window; the disparity estimator's largest
        pooling cells are 256 px, and interpolation mixes two of them.
        """
        units = 2 * self.encoder_residual_units
        encoder = 7 + (2 + 4 + 8) * units
        gates = (4 + 3 + 2 * self.srp_residual_units) * self.sharp_region_preservation
        decoder = 15 + (4 + 2 + 1) * (units + gates)
        reach = encoder + decoder
        if self.num_psf_blocks:
            reach += max(self.size_multiple) + 2 * 256
        return 2 * reach + 1

    def call(self, inputs, training=None):
        """Deblurs; in training also blurs the sharp image, if it is among the inputs.

        Args:
            inputs: dict of the views and, to train the kernels both ways, of "sharp",
                the in-focus image [K3DN Sec. 3.3, Fig. 5].
            training: bool.

        Returns:
            dict, see the module.
        """
        check_views(self, inputs)
        outputs = {}
        vectors = None
        if self.num_psf_blocks:
            vectors = self.disparity_vectors(inputs, training)
            outputs["disparity_vectors"] = vectors
        views = [_shift(inputs[name]) for name in self.view_names]
        deblurred = self._restore(views, vectors)
        outputs = {"deblurred": deblurred, **outputs}
        if training and self.reblurring and "sharp" in inputs:
            outputs["reblurred"] = self.reblur(
                inputs["sharp"], vectors
            )  # [K3DN Eq. 17]
        return outputs

    def disparity_vectors(self, inputs, training=None):
        """(batch, window rows, window columns, 256): what the views say of the blur."""
        views = [_shift(inputs[name]) for name in self.view_names]
        return ops.cast(self.disparity(*views, training=training), "float32")

    def reblur(self, sharp, disparity_vectors):
        """Blurs a sharp image as the views were that gave the vectors [K3DN Eq. 17].

        Args:
            sharp: (batch, height, width, 3) float32 in [0, 1].
            disparity_vectors: an output of the model; None without PSF blocks.

        Returns:
            (batch, height, width, 3), to be compared with the mean of the views.
        """
        views = [_shift(sharp)] * self.views
        return self._restore(views, disparity_vectors, reverse=True)

    def similarity_maps(self, inputs):
        """What the preservation blocks see when they deblur [K3DN Eq. 12, Fig. 4].

        Args:
            inputs: dict of images, see the module.

        Returns:
            list, coarsest join of the decoder first: (batch, height, width, 81) float,
            at 1/4, 1/2 and the full size; empty without preservation blocks.
        """
        vectors = self.disparity_vectors(inputs) if self.num_psf_blocks else None
        views = [_shift(inputs[name]) for name in self.view_names]
        maps = []
        self._restore(views, vectors, maps=maps)
        return maps

    def second_stage(self):
        """The model of the second stage: this one frozen, preservation to be trained.

        Returns:
            K3DN with `sharp_region_preservation`, this model's weights, frozen but for
            the preservation blocks.
        """
        model = self._copy(sharp_region_preservation=True)
        for mine, other in zip(self.psf_blocks, model.psf_blocks):
            other.set_weights(mine.get_weights())
        model.freeze_first_stage()
        return model

    def freeze_first_stage(self):
        """Trains the preservation blocks only; running statistics stay as well.

        Raises:
            ValueError: if there are none.
        """
        if not self.sharp_region_preservation:
            raise ValueError(
                "freeze_first_stage expects preservation blocks; second_stage() adds "
                "them. Received: sharp_region_preservation=False"
            )
        for layer in [*self._convolutional_layers(), *self.psf_blocks]:
            layer.trainable = False

    def to_inference(self):
        """A model with finished kernels in place of their spectra; it cannot reblur.

        Returns:
            K3DN that computes the same `deblurred` with fewer parameters.
        """
        model = self._copy(frozen_kernels=True, reblurring=False)
        for mine, other in zip(self.psf_blocks, model.psf_blocks):
            other.query.set_weights(mine.query.get_weights())
            other.pointwise.set_weights(mine.pointwise.get_weights())
            half = other.depthwise.half_kernels.shape[-1]
            other.depthwise.half_kernels.assign(mine.depthwise.kernels()[..., :half])
        return model

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
        spectrum = "deblur" if self.variant == "released" else "blur"
        self.psf_blocks = [
            PSFBlock(self.truncate, spectrum, self.frozen_kernels, name=f"psf{i}")
            for i in range(self.num_psf_blocks)
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
        self.preservation = [
            SharpRegionPreservation(width, self.srp_residual_units, name=f"srp{i}")
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

    def _decode(self, skips, features, maps=None):
        for i, skip in enumerate(skips):
            enlarged = self.enlargements[i](features)
            if self.preservation:
                if maps is not None:
                    maps.append(self.preservation[i].similarity(skip, enlarged))
                joined = self.preservation[i](skip, enlarged)
            else:
                joined = ops.concatenate([skip, enlarged], axis=-1)
            features = self.decoder[i](joined)
        return self.output_convolution(features)

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

    def _copy(self, **changes):
        """A built model with some arguments changed; PSF blocks are left to fill."""
        model = type(self).from_config({**self.get_config(), **changes})
        model.build()
        mine = [*self._convolutional_layers(), *self.preservation]
        others = [*model._convolutional_layers(), *model.preservation]
        for layer, other in zip(mine, others):
            other.set_weights(layer.get_weights())
        return model

    def get_config(self):
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
        }


def _check(base_filters, num_psf_blocks):
    check_arguments(
        ("base_filters", base_filters, base_filters >= 1, "at least 1"),
        ("num_psf_blocks", num_psf_blocks, num_psf_blocks >= 0, "at least 0"),
    )


def _shift(image):
    """[0, 1] to the network's [-0.5, 0.5]."""
    return ops.convert_to_tensor(image) - 0.5
