"""What teaches NRKNet beside its output: the series of every scale, and the blur."""

import keras
from keras import ops

from tf_defocus.models.nrknet import SCALES


class NRKNetTasks(keras.Model):
    """NRKNet, the truncated series of its scales, and the sharp image blurred again.

    Args:
        network: built `NRKNet`.

    Outputs:
        The network's; when training, with "", "_half" and "_quarter" after the name,
        "series", with the sharp image of that size as its target, and "reblurring", the
        sharp image blurred by the predicted mixture, with the photograph as its target.
        The targets are resized bilinearly, without a filter; what is blurred again is
        every second or fourth pixel: as the released code does.
    """

    view_names = ("blurred", "sharp")
    tasks = tuple(
        f"{task}{name}" for task in ("series", "reblurring") for name, *_ in SCALES
    )

    def __init__(self, network):
        super().__init__(autocast=False, name="nrknet_tasks")
        self.network = network
        self.built = True  # of a built model

    def call(self, inputs, training=None):
        """Deblurs; while training, does the tasks too."""
        blurred, sharp = (ops.convert_to_tensor(inputs[k]) for k in self.view_names)
        outputs = self.network({"blurred": blurred}, training=training)
        if not training:
            return outputs
        for name, stride, _ in SCALES:
            outputs[f"series{name}_target"] = _reduce(sharp, stride)
            outputs[f"reblurring{name}"] = self.network.reblur(
                sharp[:, ::stride, ::stride], outputs[f"mixing{name}"]
            )
            outputs[f"reblurring{name}_target"] = _reduce(blurred, stride)
        return outputs


def _reduce(images, stride):
    """Bilinear at half-pixel centres: means of the 2x2 pixels amid each cell."""
    if stride == 1:
        return images
    first = stride // 2 - 1
    return ops.average_pool(images[:, first:, first:], 2, strides=stride)
