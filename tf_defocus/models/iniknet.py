"""INIKNet: inverse kernels that small networks draw at any size.

Quan, Yao, Ji, "Single Image Defocus Deblurring via Implicit Neural Inverse Kernels",
ICCV 2023.

Idea: the kernels that undo defocus are alike but for their size. So a kernel is stored
as a function of position and drawn at every size that is needed; per pixel the network
only chooses sizes and bases. Three scales of the photograph are treated alike, and what
chooses at one scale knows the others.

Inputs:   blurred          (batch, height, width, 3) float32 in [0, 1]
Outputs:  deblurred        the same shape; not clipped
          deblurred_half, deblurred_quarter    the results at smaller scales
Requires: height and width divisible by 16.

Source -> code
  kernels as functions           layers.iniknet_kernels.ImplicitKernel
                                                       tests/layers/iniknet_test.py
  filtered, weighed, summed      layers.iniknet_kernels.ImplicitKernelSum  the same
  features across scales         layers.iniknet.BidirectionalScales  the same
  the network                    models.iniknet.INIKNet
                                                       tests/models/iniknet_test.py

Differences from the released code
  None in what is computed; `variant` is accepted and changes nothing. The released
  weights are for blue, green, red: `conversion.iniknet.to_rgb` undoes that.
"""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.common import uniform_initializers
from tf_defocus.layers.iniknet import BidirectionalScales, ReflectedUNet
from tf_defocus.layers.iniknet_kernels import ImplicitKernelSum
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.resizing import reduce_bilinear
from tf_defocus.ops.tensor import Shape, Tensor

SCALES = {4: "deblurred_quarter", 2: "deblurred_half", 1: "deblurred"}


@keras.saving.register_keras_serializable(package="tf_defocus")
class INIKNet(RestorationNetwork):
    """Three scales filtered by implicit kernels.

    Args:
        base_filters: int, channels of the features at each scale's full size.
        num_bases: int, kernels of every size.
        max_kernel_size: int, odd, at least 3; the sizes are 3, 5, ... up to it.
        hidden_units: int, of the networks that draw the kernels.
        num_residual_units: int, at every size of the features, and before the gates.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        Quan et al., 2023, Fig. 2.
    """

    view_names = ("blurred",)
    size_multiple = (16, 16)

    def __init__(
        self,
        base_filters: int = 32,
        num_bases: int = 10,
        max_kernel_size: int = 15,
        hidden_units: int = 64,
        num_residual_units: int = 2,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        odd = max_kernel_size % 2 == 1 and max_kernel_size >= 3
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
            ("num_bases", num_bases, num_bases >= 1, "at least 1"),
            ("max_kernel_size", max_kernel_size, odd, "odd and at least 3"),
            ("hidden_units", hidden_units, hidden_units >= 1, "at least 1"),
            ("num_residual_units", num_residual_units, num_residual_units >= 1, "> 0"),
        )
        self.base_filters = base_filters
        self.num_bases = num_bases
        self.max_kernel_size = max_kernel_size
        self.hidden_units = hidden_units
        self.num_residual_units = num_residual_units
        units = num_residual_units
        self.features = ReflectedUNet(base_filters, units, name="features")
        self.basis_scales = BidirectionalScales(
            base_filters, units, name="basis_scales"
        )
        self.size_scales = BidirectionalScales(base_filters, units, name="size_scales")
        # Weights, sums and the image are exact: only the features are computed in less.
        self.summation = ImplicitKernelSum(
            num_bases, max_kernel_size, hidden_units, dtype="float32", name="summation"
        )
        self.basis_selection = self._selection(num_bases, "basis_selection")
        self.size_selection = self._selection(
            len(self.summation.sizes) + 1, "size_selection"
        )

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        units = self.num_residual_units
        features = 20 * units + 20
        # To the coarsest scale and back: the units before the gates, and resizing.
        scales = 2 * units * 2 * (1 + 2 + 4) + 16
        reach = 4 * features + scales + 4 * (self.max_kernel_size // 2)
        return 2 * reach + 1

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight; to trace all these layers would take much longer."""
        self.features.build((None, None, None, 3))
        features = (None, None, None, self.base_filters)
        for layer in (self.basis_selection, self.size_selection):
            layer.build(features)
        for layer in (self.basis_scales, self.size_scales):
            layer.build([features] * len(SCALES))
        self.summation.build((None, None, None, 3))

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; see the module's docstring for inputs and outputs."""
        del training
        image = ops.convert_to_tensor(inputs["blurred"])
        images = [image if s == 1 else reduce_bilinear(image, s) for s in SCALES]
        features = [self.features(each) for each in images]
        outputs = {
            name: self.summation(each, sizes, bases) + each
            for name, each, sizes, bases in zip(
                SCALES.values(), images, *self.weights_of(features)
            )
        }
        return dict(reversed(outputs.items()))

    def weights_of(self, features: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What every pixel of every scale takes of the kernels.

        Args:
            features: list of (batch, height, width, base_filters), coarsest first.

        Returns:
            (weights of the sizes, which sum to 1, and of the bases), each a list.
        """
        sizes = [
            ops.softmax(self.size_selection(part), axis=-1)
            for part in self.size_scales(features)
        ]
        bases = [self.basis_selection(part) for part in self.basis_scales(features)]
        return sizes, bases

    def _selection(self, filters, name):
        return layers.Conv2D(
            filters,
            1,
            dtype="float32",
            **uniform_initializers(self.base_filters),
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_bases": self.num_bases,
            "max_kernel_size": self.max_kernel_size,
            "hidden_units": self.hidden_units,
            "num_residual_units": self.num_residual_units,
        }
