"""What a training step minimises: a recipe's losses, summed over scales and tasks."""

import keras
import numpy as np
from keras import ops

from tf_defocus import losses
from tf_defocus.ops.resizing import (
    every_second_pixel,
    halve_antialiased,
    halve_binomial,
    reduce_bilinear,
)

# Outputs of coarser scales, as `scale_weights` counts them.
SCALES = ("deblurred", "deblurred_half", "deblurred_quarter", "deblurred_eighth")
TARGET = "_target"  # beside a task's output: what it should be


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


def _psnr(recipe):
    del recipe
    return losses.PSNRLoss()


def _charbonnier(recipe):
    del recipe
    return losses.CharbonnierLoss()


def _edge(recipe):
    del recipe
    return losses.EdgeLoss()


def _fourier(recipe):
    del recipe
    return losses.FourierLoss()


def _fourier_parts(recipe):
    del recipe
    return losses.FourierPartsLoss()


def _repeated(halve):
    def reduce(sharp, level):
        for _ in range(level):
            sharp = halve(sharp)
        return sharp

    return reduce


def _bilinear(sharp, level):
    return reduce_bilinear(sharp, 2**level) if level else sharp


# How `target_pyramid` makes the sharp image of a scale, whose level is 0, 1, 2 ...
_PYRAMIDS = {
    "bilinear": _bilinear,
    "binomial": _repeated(halve_binomial),
    "every_second_pixel": _repeated(every_second_pixel),
    "triangle": _repeated(halve_antialiased),
}
_LOSSES = {
    "charbonnier": _charbonnier,
    "edge": _edge,
    "fourier": _fourier,
    "fourier_parts": _fourier_parts,
    "mae": _mean_absolute_error,
    "mse": _mean_squared_error,
    "perceptual": _perceptual,
    "psnr_loss": _psnr,
    "ssim": _ssim,
}


class RestorationObjective:
    """Weighted sum of losses over the scales of the output and the recipe's tasks.

    Every loss of the recipe applies to every scale, weighted by `scale_weights`, and to
    every task ("disparity", "reblurring", "views") that `training.tasks` adds to the
    outputs, unless the recipe gives the task losses of its own.

    Args:
        recipe: `Recipe`; its `losses`, or `loss_schedule` if it has one, name the
            terms.

    Raises:
        ValueError: if a loss is unknown, or there are more scales than names.
    """

    def __init__(self, recipe):
        schedule = recipe.loss_schedule or ((0, recipe.losses),)
        names = loss_names(recipe)
        unknown = [name for name in names if name not in _LOSSES]
        if unknown:
            raise ValueError(
                f"Unknown losses {unknown}. Expected some of {sorted(_LOSSES)}"
            )
        if not 1 <= len(recipe.scale_weights) <= len(SCALES):
            raise ValueError(
                f"scale_weights must hold 1 to {len(SCALES)} numbers. Received: "
                f"{recipe.scale_weights}"
            )
        self.losses = {name: _LOSSES[name](recipe) for name in names}
        self.first_steps = np.array([first for first, _ in schedule], "int32")
        self.weights = np.array(
            [[dict(terms).get(name, 0.0) for name in names] for _, terms in schedule],
            "float32",
        )
        self.scale_weights = recipe.scale_weights
        self.pyramid = _PYRAMIDS[recipe.target_pyramid]
        self.tasks = (
            ("disparity", recipe.disparity_weight),
            ("reblurring", recipe.reblurring_weight),
            *recipe.tasks,
        )

    def __call__(self, outputs, batch, step=0):
        """The loss and its terms.

        Args:
            outputs: dict of the outputs of `tasks.create_trainee`.
            batch: dict of images, `sharp` among them.
            step: int or integer scalar, steps taken; selects the scheduled losses.

        Returns:
            (scalar, dict of scalars: every loss of the finest scale before weighting,
            every task's loss, and `psnr` [dB]).
        """
        phase = ops.sum(ops.cast(step >= self.first_steps, "int32")) - 1
        weights = ops.take(ops.convert_to_tensor(self.weights), phase, axis=0)
        sharp, total = batch["sharp"], 0.0
        values = self._terms(sharp, outputs["deblurred"])
        for level, (name, weight) in enumerate(zip(SCALES, self.scale_weights)):
            terms = values
            if level > 0:
                terms = self._terms(self.pyramid(sharp, level), outputs[name])
            total = total + weight * _weighted(weights, terms)
        for name, weight, *own in self.tasks:
            if weight > 0:
                target = outputs[name + TARGET]
                terms = self._terms(target, outputs[name])
                values[name] = (
                    sum(share * terms[loss] for loss, share in own[0])
                    if own
                    else _weighted(weights, terms)
                )
                total = total + weight * values[name]
        deblurred = ops.clip(outputs["deblurred"], 0, 1)
        error = ops.mean(ops.square(deblurred - batch["sharp"]))
        return total, {**values, "psnr": -10 * ops.log10(ops.maximum(error, 1e-12))}

    def _terms(self, expected, image):
        # `call`, not `__call__`: under a strategy Keras divides the latter by the
        # number of devices, and the step averages over them itself.
        return {
            k: ops.mean(loss.call(expected, image)) for k, loss in self.losses.items()
        }


def loss_names(recipe):
    """Sorted names of a recipe's losses, its schedule's and its tasks' included."""
    schedule = recipe.loss_schedule or ((0, recipe.losses),)
    own = [losses for _, _, *others in recipe.tasks for losses in others]
    used = [*(terms for _, terms in schedule), *own]
    return sorted({name for terms in used for name, _ in terms})


def _weighted(weights, terms):
    return sum(weights[i] * value for i, value in enumerate(terms.values()))
