"""SRN: one network for three scales, each starting from the estimate of the coarser.

Tao, Gao, Shen, Wang, Jia, "Scale-recurrent Network for Deep Image Deblurring", CVPR
2018. <https://arxiv.org/abs/1802.01770>

Idea: what restores an image at a quarter of its size restores it at half and at full
size too. So the weights are shared by the scales; the estimate, doubled, is an input of
the next scale, and a convolutional LSTM carries features from one to the next.

Inputs:   blurred          (batch, height, width, 3) float32 in [0, 1]
Outputs:  deblurred        the same shape; no residual, not clipped
          deblurred_half, deblurred_quarter    the coarser estimates
Requires: height and width divisible by 16.

Source -> code
  encoder, memory, decoder   layers.srn.ScaleNetwork, ScaleMemory
                                                       tests/layers/srn_test.py
  from scale to scale        models.srn.SRN            tests/models/srn_test.py
  the resizing               ops.resizing.double_from_corner
                                                       tests/ops/resizing_test.py

Differences from the released code
  None in what is computed; `variant` is accepted and changes nothing. The code has the
  memory for one grey channel and leaves it out for colours; here the two are arguments.
  Which of them GKMNet's authors trained is not known: they print 10.25 million
  parameters, which none has.
"""

from typing import Any

import keras
from keras import ops

from tf_defocus.layers.srn import ScaleNetwork
from tf_defocus.models.base import RestorationNetwork, check_arguments, check_choice
from tf_defocus.ops.resizing import double_from_corner
from tf_defocus.ops.tensor import Shape, Tensor

SCALES = {4: "deblurred_quarter", 2: "deblurred_half", 1: "deblurred"}


@keras.saving.register_keras_serializable(package="tf_defocus")
class SRN(RestorationNetwork):
    """Three scales of one `ScaleNetwork`.

    Args:
        base_filters: int, channels at each scale's full size.
        recurrent: bool, whether a convolutional LSTM connects the scales.
        channels: 3, or 1: colours are then restored one by one as grey images.
        variant: "paper" or "released"; the same network.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Tao et al., 2018](https://arxiv.org/abs/1802.01770), Fig. 3.
    """

    view_names = ("blurred",)
    size_multiple = (16, 16)

    def __init__(
        self,
        base_filters: int = 32,
        recurrent: bool = True,
        channels: int = 3,
        variant: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(variant=variant, **kwargs)
        check_choice("channels", channels, (1, 3))
        check_arguments(
            ("base_filters", base_filters, base_filters >= 1, "at least 1"),
        )
        self.base_filters = base_filters
        self.recurrent = recurrent
        self.channels = channels
        self.network = ScaleNetwork(base_filters, channels, recurrent, name="network")

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        # 5x5 convolutions reach 2 px of their size; strides and transposed ones 7 each
        # way in all; the memory 4.
        own = 2 * (7 + 7) + 2 * 2 * (7 + 6) + 4 * 2 * (6 + 6) + 14 + 4
        reach = 0
        for _ in SCALES:
            reach = 2 * (reach + 1) + own
        return 2 * reach + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; see the module's docstring for inputs and outputs."""
        del training
        image = ops.convert_to_tensor(inputs["blurred"])
        colours = image.shape[-1]
        if self.channels < colours:
            image = _as_grey(image)
        outputs, estimate, state = {}, None, None
        for step, name in SCALES.items():
            blurred = image[:, ::step, ::step]
            network_input = self.network_input(blurred, estimate)
            if state is not None:
                state = double_from_corner(state)
            estimate, state = self.network(network_input, state)
            outputs[name] = estimate
        if self.channels < colours:
            outputs = {name: _as_colour(x, colours) for name, x in outputs.items()}
        return dict(reversed(outputs.items()))

    def network_input(self, blurred: Tensor, estimate: Tensor) -> Tensor:
        """The blurred image of a scale beside the estimate of the coarser one.

        Args:
            blurred: (batch, height, width, channels).
            estimate: (batch, height / 2, width / 2, channels), or None at the first
                scale, which starts from the blurred image. No gradient passes.

        Returns:
            (batch, height, width, 2 * channels).
        """
        start = blurred if estimate is None else double_from_corner(estimate)
        return ops.concatenate([blurred, ops.stop_gradient(start)], axis=-1)

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight; sizes stay dynamic."""
        self.network.build((None, None, None, 2 * self.channels))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "recurrent": self.recurrent,
            "channels": self.channels,
        }


def _as_grey(image):
    """(batch, height, width, colours) -> (batch * colours, height, width, 1)."""
    shape = ops.shape(image)
    planes = ops.transpose(image, (0, 3, 1, 2))
    return ops.reshape(planes, (-1, shape[1], shape[2], 1))


def _as_colour(planes, colours):
    """The inverse of `_as_grey`."""
    shape = ops.shape(planes)
    planes = ops.reshape(planes, (-1, colours, shape[1], shape[2]))
    return ops.transpose(planes, (0, 2, 3, 1))
