"""GKMNet's mixture of Gaussian-filtered images.

A defocus kernel is close to a mixture of Gaussians, so one step of deblurring is a sum
of Gaussian-filtered images, weighted per pixel (Quan et al., NeurIPS 2021).
The weights come from `gkmnet_attention.py`.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.ops import gaussian
from tf_defocus.ops.adaptive_convolution import computed_after
from tf_defocus.ops.tensor import Shape, Tensor

COLOURS = 3


class BankLayer(layers.Layer):
    """What the layers with a bank of Gaussians take.

    Args:
        num_gaussians: int, kernels besides the identity; None as in `gaussian_bank`.
        max_kernel_size: int, odd [px].
        bank: "default" or "paper21", see `tf_defocus.ops.gaussian.gaussian_bank`.
        trainable_gaussians: False, True (start from the Gaussians) or "random".
        variant: "paper" (every kernel on every colour) or "released" (the code's order,
            where each colour sees a third of the kernels, three times).
    """

    def __init__(
        self,
        num_gaussians=None,
        max_kernel_size=21,
        bank="default",
        trainable_gaussians=False,
        variant="paper",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_gaussians = num_gaussians
        self.max_kernel_size = max_kernel_size
        self.bank = bank
        self.trainable_gaussians = trainable_gaussians
        self.variant = variant

    def bank_arguments(self):
        """The arguments above, by name."""
        return {
            "num_gaussians": self.num_gaussians,
            "max_kernel_size": self.max_kernel_size,
            "bank": self.bank,
            "trainable_gaussians": self.trainable_gaussians,
            "variant": self.variant,
        }

    def get_config(self):
        return {**super().get_config(), **self.bank_arguments()}


@keras.saving.register_keras_serializable(package="tf_defocus")
class GaussianConvolution(BankLayer):
    """Filters every colour with every Gaussian of a bank [GKMNet Eq. 3].

    The fixed bank has no weights and is evaluated by two one-dimensional passes. A
    learned bank has a free kernel for every output map and starts from the Gaussians or
    at random (Table 4 d, e).

    Args: of `BankLayer`.

    Call arguments:
        images: (batch, height, width, 3).

    Returns:
        (batch, height, width, 3 * kernels), the maps of red first; zero padding.
    """

    def __init__(self, *arguments: Any, **kwargs: Any) -> None:
        super().__init__(*arguments, **kwargs)
        bank = self.num_gaussians, self.max_kernel_size, self.bank
        taps = gaussian.gaussian_bank(*bank)
        self.num_kernels = len(taps)
        released = self.variant == "released"
        order = gaussian.repeated_order if released else gaussian.tiled_order
        self.taps = taps[order(self.num_kernels, COLOURS)]
        self.kernels = None

    def build(self, input_shape: Shape) -> None:
        if not self.trainable_gaussians:
            return
        size = self.max_kernel_size
        self.kernels = self.add_weight(
            name="kernels",
            shape=(size, size, COLOURS, self.num_kernels),
            initializer="glorot_uniform"
            if self.trainable_gaussians == "random"
            else self._gaussian_initializer,
        )

    def _gaussian_initializer(self, shape, dtype=None):
        del shape
        kernels = gaussian.outer_products(self.taps)  # (colours, kernels, size, size)
        return ops.convert_to_tensor(kernels.transpose(2, 3, 0, 1), dtype=dtype)

    def colour_maps(self, image: Tensor, colour: int) -> list[tuple[slice, Tensor]]:
        """The maps of one colour's plane, in parts.

        Returns:
            list of (slice of kernels, maps (batch, height, width, kernels of it)).
        """
        if self.kernels is None:
            taps = self.taps[colour]
            groups = gaussian.support_groups(taps)
            return [(g, gaussian.convolve_bank(image, taps[g])) for g in groups]
        kernels = self.kernels[:, :, colour, None, :]
        maps = ops.conv(image, kernels, padding="same", data_format="channels_last")
        return [(slice(0, self.num_kernels), maps)]

    def call(self, images: Tensor) -> Tensor:
        parts = []
        for colour in range(COLOURS):
            plane = images[..., colour : colour + 1]
            parts += [maps for _, maps in self.colour_maps(plane, colour)]
        return ops.concatenate(parts, axis=-1)


@keras.saving.register_keras_serializable(package="tf_defocus")
class WeightedSummation(BankLayer):
    """Weighs Gaussian-filtered images per pixel and sums them [GKMNet Eq. 8].

        sum_m omega_m (gamma_m . (g_m * image))      over both images and all colours

    The filtered images never exist all at once: one colour of one image at a time is
    filtered, weighted and added up. Computes in its own dtype; give it "float32".

    Args: of `BankLayer`.

    Call arguments:
        blurred, previous: (batch, height, width, 3), the image to deblur and the
            previous estimate.
        weights: (batch, height, width, 2 * kernels), gamma; first half for `blurred`.

    Returns:
        (batch, height, width, 3).
    """

    def __init__(self, *arguments: Any, **kwargs: Any) -> None:
        super().__init__(*arguments, **kwargs)
        self.convolution = GaussianConvolution(
            **self.bank_arguments(),
            dtype=self.dtype_policy,
            name="gaussian_convolution",
        )

    def build(
        self,
        blurred_shape: Shape,
        previous_shape: Shape | None = None,
        weights_shape: Shape | None = None,
    ) -> None:
        self.convolution.build((None, None, None, COLOURS))
        self.kernel = self.add_weight(
            name="kernel",
            shape=(1, 1, 2 * COLOURS * self.convolution.num_kernels, COLOURS),
            initializer="glorot_uniform",
        )
        self.bias = self.add_weight(name="bias", shape=(COLOURS,), initializer="zeros")

    def call(self, blurred: Tensor, previous: Tensor, weights: Tensor) -> Tensor:
        count = self.convolution.num_kernels
        total = 0 * weights[..., :COLOURS] + self.bias
        for source, images in enumerate((blurred, previous)):
            gamma = weights[..., source * count : (source + 1) * count]
            for colour in range(COLOURS):
                # At 1680x1120 all the maps at once take a gigabyte.
                plane = computed_after(images[..., colour : colour + 1], total)
                first = (source * COLOURS + colour) * count
                omega = self.kernel[:, :, first : first + count]
                for part, maps in self.convolution.colour_maps(plane, colour):
                    total = total + ops.conv(
                        gamma[..., part] * maps,
                        omega[:, :, part],
                        data_format="channels_last",
                    )
        return total
