"""BaMBNet: a branch for every range of blur, from two dual-pixel views.

Liang, Jiang, Liu, Ma, "BaMBNet: A Blur-Aware Multi-Branch Network for Dual-Pixel
Defocus Deblurring", IEEE/CAA Journal of Automatica Sinica 2022.
<https://arxiv.org/abs/2105.14766>

Idea: sharp pixels need little treatment, and a network that treats all alike spoils
them. Four branches share the work: one leaves pixels nearly alone, three go down to a
sixteenth of the size with more and more convolutions. At first each branch learns from
the pixels whose blur it is for, and the masks fade as the training goes on. The blur is
known from a network of the same shape, which learns without ground truth: a view
blurred as the other one must agree with the other one blurred as the first.

Inputs:   left, right   (batch, height, width, 3) float32 in [0, 1]
          blur_radius   the same shape [px], of the second network; optional, for
                        training with `mask_strength` above 0
Outputs:  deblurred     the same shape, in (0, 1): a sigmoid, no residual
          of `BlurRadiusNetwork`: blur_radius, the same shape [px], signed
Requires: height and width divisible by 16.

Source -> code
  a branch for a range of blur      layers.bambnet.BlurBranch
                                                       tests/layers/bambnet_test.py
  four branches and their sum       models.bambnet.BaMBNet
                                                       tests/models/bambnet_test.py
  radius without ground truth       models.bambnet.BlurRadiusNetwork  the same
                                    ops.view_reblurring
                                                 tests/ops/view_reblurring_test.py
  masks that fade while training    models.bambnet.branch_masks, mask_strength
                                                       tests/models/bambnet_test.py

Differences from the paper
  The thresholds between the branches, 1.9, 4.2 and 6.2 px, are the released ones; the
  search that found them was not released.
Differences from the released code
  None in the networks; `variant` is accepted and changes nothing. The released weights
  are for blue, green, red: `conversion.bambnet.to_rgb` undoes that.
"""

import keras
import numpy as np
from keras import layers, ops

from tf_defocus.layers.bambnet import LEVELS, BlurBranch, convolution
from tf_defocus.layers.common import uniform_initializers
from tf_defocus.models.base import RestorationNetwork, check_arguments
from tf_defocus.ops.tensor import Tensor
from tf_defocus.ops.view_reblurring import MAX_RADIUS

BRANCH_BLOCKS = (0, 1, 2, 3)  # blocks of every residual group, by branch
THRESHOLDS = (1.9, 4.2, 6.2)  # [px] of blur radius, between the branches
FADING_STEPS = 20_000  # training steps until the masks are gone


class BranchedNetwork(RestorationNetwork):
    """What both networks are: a convolution, four branches, their sum, a convolution.

    Args:
        base_filters: int, channels at all sizes.
        reduction: int, of the channel attention.
        variant: "paper" or "released"; the same network.
        **kwargs: of `keras.Model`.

    Raises:
        ValueError: if an argument is none of the values above.
    """

    view_names = ("left", "right")
    size_multiple = (2**LEVELS, 2**LEVELS)
    exact_tiling = False  # the channel attention pools over the whole image

    def __init__(self, base_filters=64, reduction=16, variant="paper", **kwargs):
        super().__init__(variant=variant, **kwargs)
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
            (
                "reduction",
                reduction,
                reduction >= 1 and base_filters % reduction == 0,
                f"a divisor of base_filters={base_filters}",
            ),
        )
        self.base_filters = base_filters
        self.reduction = reduction
        self.head = convolution(6, base_filters, 3, "relu", name="head")
        self.branches = [
            BlurBranch(base_filters, count, reduction, name=f"branch{index}")
            for index, count in enumerate(BRANCH_BLOCKS)
        ]
        # The tail alone makes the output: bfloat16 would leave an image 8 bits.
        self.tail = layers.Conv2D(
            3,
            3,
            padding="same",
            dtype="float32",
            **uniform_initializers(9 * base_filters),
            name="tail",
        )

    @property
    def receptive_field(self):
        """Extent of the pixels an output pixel depends on through convolutions [px].

        Beyond it reaches the channel attention, which pools over the whole image.
        """
        strides = [2 ** min(i, 2 * LEVELS - i) for i in range(2 * LEVELS)]
        convolutions = (2 * max(BRANCH_BLOCKS) + 1) * sum(strides)
        pooling = 2**LEVELS - 1  # the rest of the coarse pixel that is reached
        return 2 * (convolutions + pooling + 2) + 1  # and head and tail

    def build(self, input_shape=None):
        """Creates every weight; to trace all these layers would take much longer."""
        self.head.build((None, None, None, 6))
        for layer in (*self.branches, self.tail):
            layer.build((None, None, None, self.base_filters))

    def summed(self, inputs, mask_of_branch=None):
        """What the tail sees: the head's features and all branches' results."""
        views = [ops.convert_to_tensor(inputs[name]) for name in self.view_names]
        features = total = self.head(ops.concatenate(views, axis=-1))
        for index, branch in enumerate(self.branches):
            result = branch(features)
            if mask_of_branch is not None:
                mask = mask_of_branch[..., index : index + 1]
                result = result * ops.cast(mask, result.dtype)
            total = total + result
        return total

    def get_config(self):
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "reduction": self.reduction,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class BaMBNet(BranchedNetwork):
    """Deblurs by four branches.

    Args, raises: of `BranchedNetwork`.

    Reference:
        [Liang et al., 2022](https://arxiv.org/abs/2105.14766).
    """

    def call(
        self,
        inputs: dict[str, Tensor],
        training: bool | None = None,
        mask_strength: float = 0.0,
    ) -> dict[str, Tensor]:
        """Deblurs.

        Args:
            inputs: dict of images; "blur_radius" among them if masks are wanted.
            training: bool, not used: nothing differs but the masks.
            mask_strength: float or scalar in [0, 1], 0 leaves every branch every pixel
                and 1 only those whose blur it is for; see the function of that name.

        Returns:
            dict: "deblurred".
        """
        del training
        masks = None
        if "blur_radius" in inputs:
            masks = branch_masks(inputs["blur_radius"])
            masks = masks * mask_strength + (1 - mask_strength)
        return {"deblurred": ops.sigmoid(self.tail(self.summed(inputs, masks)))}


@keras.saving.register_keras_serializable(package="tf_defocus")
class BlurRadiusNetwork(BranchedNetwork):
    """Estimates how blurred every pixel is, from both views.

    It learns by `ops.view_reblurring.view_disagreement` and needs no ground truth. A
    radius is positive where the left view has to be blurred towards -x to agree with
    the right one: in front of focus, where the left view was blurred towards +x.

    Args:
        base_filters, reduction, variant, raises: of `BranchedNetwork`.

    Reference:
        [Liang et al., 2022](https://arxiv.org/abs/2105.14766).
    """

    output_name = "blur_radius"

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Estimates; (batch, height, width, 3) [px], one radius for every colour."""
        del training
        radius = self.tail(self.summed(inputs))
        return {"blur_radius": ops.clip(radius, -MAX_RADIUS, MAX_RADIUS)}


def branch_masks(blur_radius):
    """Which branch each pixel is for.

    Args:
        blur_radius: (batch, height, width, 3) [px], of either sign.

    Returns:
        (batch, height, width, 4) float32 of 0 and 1, the largest of the three radii
        deciding.
    """
    size = ops.max(ops.abs(ops.cast(blur_radius, "float32")), axis=-1, keepdims=True)
    lower = ops.convert_to_tensor((0.0, *THRESHOLDS), dtype="float32")
    upper = ops.convert_to_tensor((*THRESHOLDS, np.inf), dtype="float32")
    return ops.cast(ops.logical_and(size >= lower, size < upper), "float32")


def mask_strength(step):
    """How far the branches are still kept to their own pixels, in [0, 1].

        exp(-(2 n / 20000)^2) for the n-th step, and 0 from step 20000 on

    Args:
        step: int or scalar, training steps taken before this one.

    Returns:
        float32 scalar.
    """
    number = ops.cast(step, "float32") + 1
    fading = ops.exp(-ops.square(2 * number / FADING_STEPS))
    return ops.where(number < FADING_STEPS, fading, 0.0)
