"""Training batches from stored arrays: a pure function of seed and step.

Which examples, crops and augmentations a step gets depends on
nothing but the recipe's seed and the step: a run can stop anywhere, resume anywhere,
on either backend. NumPy only, so that a machine without TensorFlow can train.
"""

import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tf_defocus.data import augmentations
from tf_defocus.data.arrays import StoredArrays


def make_batch(
    arrays: StoredArrays,
    recipe: Any,
    step: int,
    kinds: Sequence[str],
    rows: Sequence[int] | None = None,
) -> dict[str, np.ndarray]:
    """The batch of one step.

    Args:
        arrays: `StoredArrays`.
        recipe: `Recipe`.
        step: int, from 0.
        kinds: names of the images; `sharp` is added.
        rows: places in the batch, to make only those; None: all of them.

    Returns:
        dict of (batch, crop, crop, 3) float32 in [0, 1].
    """
    size, batch_size, first = scheduled_crop(recipe, step)
    examples, augment = [], augmentation(recipe, size)
    for row in range(batch_size) if rows is None else rows:
        position = first + row
        rng = np.random.default_rng((recipe.seed, position))
        index = shuffled(recipe.seed, position, len(arrays))
        images = arrays.read_stored(index, (*kinds, "sharp"))
        examples.append(augment(rng, images))
    return {key: np.stack([e[key] for e in examples]) for key in examples[0]}


def batches_in_thread(
    arrays: StoredArrays,
    recipe: Any,
    kinds: Sequence[str],
    rows: Callable[[int], Sequence[int]],
    first_step: int,
) -> Iterator[dict[str, np.ndarray]]:
    """The batches of one step after another, the next one made while one is used.

    Args:
        arrays, recipe, kinds: of `make_batch`.
        rows: function of the batch size to the rows that are wanted.
        first_step: int.

    Yields:
        What `make_batch` returns.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def prepare(step):
            wanted = rows(scheduled_crop(recipe, step)[1])
            return pool.submit(make_batch, arrays, recipe, step, kinds, wanted)

        upcoming = prepare(first_step)
        for step in itertools.count(first_step + 1):
            batch, upcoming = upcoming.result(), prepare(step)
            yield batch


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


def scheduled_place(recipe, position):
    """Where an example is used: the reverse of `scheduled_crop`.

    Args:
        recipe: `Recipe`.
        position: int, how many examples were used before.

    Returns:
        (step, row of its batch, crop size).
    """
    seen, followers = 0, (*(first for first, _, _ in recipe.crops[1:]), None)
    for (first, size, batch_size), following in zip(recipe.crops, followers):
        if following is None or position < seen + (following - first) * batch_size:
            step, row = divmod(position - seen, batch_size)
            return first + step, row, size
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


def augmentation(recipe, size):
    """What makes a crop of a stored example, as a function of (rng, images).

    Args:
        recipe: `Recipe`.
        size: int, or (height, width) [px].

    Raises:
        ValueError: if there is no such chain.
    """
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
