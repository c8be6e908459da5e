"""The network that teaches IFAN's filters the shape of the blur, in training only."""

from typing import Any

import keras
from keras import ops

from tf_defocus.layers.ifan import ResidualTrunk
from tf_defocus.layers.ifan_filters import (
    FilterAdaptiveConvolution,
    IterativeAdaptiveConvolution,
)
from tf_defocus.models.base import check_choice
from tf_defocus.models.ifan import check_sizes, check_start
from tf_defocus.ops.adaptive_convolution import portable
from tf_defocus.ops.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class ReblurringNetwork(keras.Model):
    """Turns deblurring filters into blurring ones, for training only [IFAN Sec. 3].

    If the sharp image, filtered by them, looks like the photograph, the deblurring
    filters hold the blur's shape.

    Args:
        num_iterations: int, of the blurring filters.
        filter_size: int, odd, of the blurring filters.
        base_filters: int; four times as many channels.
        kernel_size: int, odd; the last convolution stays 3x3.
        num_residual_units: int, in each of the two residual groups.
        filter_channels: int, channels of the deblurring filters: of an IFAN with N
            iterations, N * (2 * its filter_size + 1) * 4 * its base_filters.
        adaptive_filters: "iac" or "fac", as of `IFAN` (Table 5).
        variant: "paper" or "released", as of `IFAN`.
        start: "random" or "identity", as of `IFAN`; the latter returns the sharp image
            at first.
        filter_scale: float, factor of the deblurring filters on their way in. They are
            thousands: at high learning rates a small factor keeps the training stable.

    Call arguments:
        inputs: dict of "filters" (batch, height/8, width/8, filter_channels), the
            extra output of a training `IFAN`, and "sharp" (batch, height/8, width/8, 3)
            float32 in [0, 1], the sharp image reduced to the filters' size.

    Returns:
        dict of "reblurred", (batch, height/8, width/8, 3) float32, not clipped.

    Raises:
        ValueError: if an argument is none of the values above.
    """

    def __init__(
        self,
        num_iterations: int = 17,
        filter_size: int = 3,
        base_filters: int = 32,
        kernel_size: int = 3,
        num_residual_units: int = 2,
        filter_channels: int = 15_232,
        variant: str = "paper",
        start: str = "random",
        filter_scale: float = 1.0,
        adaptive_filters: str = "iac",
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        check_sizes(num_iterations, filter_size, kernel_size)
        check_choice("adaptive_filters", adaptive_filters, ("iac", "fac"))
        check_choice("variant", variant, ("paper", "released"))
        check_start(start, variant)
        self.num_iterations = num_iterations
        self.filter_size = filter_size
        self.base_filters = base_filters
        self.kernel_size = kernel_size
        self.num_residual_units = num_residual_units
        self.filter_channels = filter_channels
        self.variant = variant
        self.start = start
        self.filter_scale = filter_scale
        self.adaptive_filters = adaptive_filters
        self.trunk = ResidualTrunk(
            4 * base_filters, (num_residual_units,) * 2, kernel_size, name="trunk"
        )
        if adaptive_filters == "fac":
            self.adaptive_convolution = FilterAdaptiveConvolution(
                filter_size, gain=1.0, predictor_size=3, name="adaptive_convolution"
            )
            return
        self.adaptive_convolution = IterativeAdaptiveConvolution(
            num_iterations,
            filter_size,
            predictor_size=3,
            last_activation=False,
            reuse_vertical=variant == "released",
            gain=1.0,
            identity_start=start == "identity",
            name="adaptive_convolution",
        )

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Blurs the sharp image."""
        sharp = ops.convert_to_tensor(inputs["sharp"])
        filters = ops.convert_to_tensor(inputs["filters"])
        context = self.trunk(filters * self.filter_scale)
        blurred = self.adaptive_convolution(sharp, context)
        return {"reblurred": sharp + ops.cast(blurred, "float32")}

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight; sizes stay dynamic."""
        channels = {"filters": self.filter_channels, "sharp": 3}
        with portable():
            self.compute_output_spec(
                {
                    name: keras.KerasTensor((None, None, None, count))
                    for name, count in channels.items()
                }
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_iterations": self.num_iterations,
            "filter_size": self.filter_size,
            "base_filters": self.base_filters,
            "kernel_size": self.kernel_size,
            "num_residual_units": self.num_residual_units,
            "filter_channels": self.filter_channels,
            "variant": self.variant,
            "start": self.start,
            "filter_scale": self.filter_scale,
            "adaptive_filters": self.adaptive_filters,
        }
