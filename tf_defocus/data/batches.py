"""Training batches from stored arrays: a pure function of seed and step.

Which examples, crops and augmentations a step gets depends on
nothing but the recipe's seed and the step: a run can stop anywhere, resume anywhere,
on either backend. NumPy only, so that a machine without TensorFlow can train.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_defocus.data import augmentations
from tf_defocus.data.arrays import StoredArrays


def make_batch(
    arrays: StoredArrays,
    recipe: Any,
    step: int,
    kinds: Sequence[str],
    share: tuple[int, int, int] = (0, 1, 1),
) -> dict[str, np.ndarray]:
    """The batch of one step.

    Args:
        arrays: `StoredArrays`.
        recipe: `Recipe`.
        step: int, from 0.
        kinds: names of the images; `sharp` is added.
        share: (first, last, devices), to make only the rows r with
            first <= r % devices < last.

    Returns:
        dict of (batch, crop, crop, 3) float32 in [0, 1].
    """
    size, batch_size, first = scheduled_crop(recipe, step)
    examples, augment = [], _augmentation(recipe, size)
    for row in range(batch_size):
        if not share[0] <= row % share[2] < share[1]:
            continue
        position = first + row
        rng = np.random.default_rng((recipe.seed, position))
        index = shuffled(recipe.seed, position, len(arrays))
        images = arrays.read_stored(index, (*kinds, "sharp"))
        examples.append(augment(rng, images))
    return {key: np.stack([e[key] for e in examples]) for key in examples[0]}


def scheduled_crop(recipe, step):
    """What the recipe's crop schedule says of a step.

    Args:
        recipe: `Recipe`.
        step: int, from 0.

    Returns:
        (crop size, batch size, how many examples the steps before have had).
    """
    seen, followers = 0, (*(first for first, _, _ in recipe.crops[1:]), None)
    for (first, size, batch_size), following in zip(recipe.crops, followers):
        if following is None or step < following:
            return size, batch_size, seen + (step - first) * batch_size
        seen += (following - first) * batch_size


def shuffled(seed, position, count):
    """Index of an example: every epoch is a new permutation.

    Args:
        seed: int, or a tuple of them.
        position: int, how many examples were drawn before.
        count: int, how many there are.
    """
    epoch, place = divmod(position, count)
    seeds = seed if isinstance(seed, tuple) else (seed,)
    permutation = np.random.default_rng((*seeds, 1, epoch)).permutation(count)
    return int(permutation[place])


def _augmentation(recipe, size):
    """What makes a crop of a stored example, as a function of (rng, images)."""
    if recipe.augmentation not in augmentations.FUNCTIONS:
        raise ValueError(
            f"augmentation must be one of {sorted(augmentations.FUNCTIONS)}. "
            f"Received: {recipe.augmentation!r}"
        )
    options, noise_range = recipe.augmentation_options, tuple(recipe.noise_range)
    if recipe.augmentation == "default":
        options = {name: getattr(recipe, name) for name in recipe.DEFAULT_OPTIONS}
        options["noise_range"] = noise_range
    function = functools.partial(
        augmentations.FUNCTIONS[recipe.augmentation], size=size, **options
    )
    if recipe.augmentation == "default" or noise_range == (0.0, 0.0):
        return function
    return lambda rng, images: augmentations.add_noise(
        rng, function(rng, images), noise_range
    )
