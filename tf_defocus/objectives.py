"""What a training step minimises: a recipe's losses, summed."""

import keras
from keras import ops

from tf_defocus import losses


def _mean_absolute_error(recipe):
    del recipe
    return keras.losses.MeanAbsoluteError()


def _mean_squared_error(recipe):
    del recipe
    return keras.losses.MeanSquaredError()


def _perceptual(recipe):
    return losses.PerceptualLoss(recipe.vgg19_weights)


def _ssim(recipe):
    del recipe
    return losses.SSIMLoss()


_LOSSES = {
    "mae": _mean_absolute_error,
    "mse": _mean_squared_error,
    "perceptual": _perceptual,
    "ssim": _ssim,
}


class RestorationObjective:
    """Weighted sum of losses between the deblurred and the sharp image.

    Args:
        recipe: `Recipe`; its `losses` name the terms.

    Raises:
        ValueError: if a loss is unknown.
    """

    def __init__(self, recipe):
        unknown = [name for name, _ in recipe.losses if name not in _LOSSES]
        if unknown:
            raise ValueError(
                f"Unknown losses {unknown}. Expected some of {sorted(_LOSSES)}"
            )
        self.terms = [
            (name, weight, _LOSSES[name](recipe)) for name, weight in recipe.losses
        ]

    def __call__(self, outputs, batch):
        """The loss and its terms.

        Args:
            outputs: dict of the model's outputs.
            batch: dict of images, `sharp` among them.

        Returns:
            (scalar, dict of scalars: every term before weighting, and `psnr` [dB]).
        """
        sharp, deblurred = batch["sharp"], outputs["deblurred"]
        # `call`, not `__call__`: under a strategy Keras divides the latter by the
        # number of devices, and the step averages over them itself.
        values = {
            name: ops.mean(loss.call(sharp, deblurred)) for name, _, loss in self.terms
        }
        total = sum(weight * values[name] for name, weight, _ in self.terms)
        error = ops.mean(ops.square(ops.clip(deblurred, 0, 1) - sharp))
        values["psnr"] = -10 * ops.log10(ops.maximum(error, 1e-12))
        return total, values
