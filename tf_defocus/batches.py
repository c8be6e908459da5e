"""Training batches from stored arrays: a pure function of seed and step.

Examples are stored decoded (one memory-mapped array per image kind), so that a step
reads only its crops. Which examples, crops and augmentations a step gets depends on
nothing but the recipe's seed and the step: a run can stop anywhere, resume anywhere,
on either backend. NumPy only, so that a machine without TensorFlow can train.
"""

import functools
import json
import pathlib

import numpy as np

from tf_defocus import augmentations

IMAGE_KINDS = ("blurred", "left", "right", "sharp")
_INDEX = "arrays.json"


class StoredArrays:
    """Decoded examples on disk.

    Args:
        folder: holds `arrays.json` and, per kind, `<kind>.npy` of shape
            (examples, height, width, 3), uint8 or uint16; `coc.npy` of shape
            (examples,) holds the mean |circle of confusion| [px] where known.

    Raises:
        FileNotFoundError: if the folder holds no finished arrays.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        index = self.folder / _INDEX
        if not index.exists():
            raise FileNotFoundError(
                f"No finished arrays in {self.folder}; make them with "
                "tf_defocus.input_pipeline.store_arrays"
            )
        self.source = json.loads(index.read_text())
        self._arrays = {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
            for path in sorted(self.folder.glob("*.npy"))
        }

    def __len__(self):
        return len(self._arrays["sharp"])

    @property
    def kinds(self):
        """Names of the images that are stored."""
        return tuple(k for k in IMAGE_KINDS if k in self._arrays)

    def require(self, kinds):
        """Refuses to go on without some kinds of images.

        Raises:
            ValueError: if one of them is not stored.
        """
        missing = [kind for kind in kinds if kind not in self._arrays]
        if missing:
            raise ValueError(
                f"This training needs {missing} of every example. Received: "
                f"{self.folder} with {list(self.kinds)}"
            )

    @property
    def mean_coc(self):
        """(examples,) float32 [px], or None."""
        return self._arrays.get("coc")

    def read(self, index, kinds=None, crop=None):
        """Images of one example as float32 in [0, 1].

        Args:
            index: int.
            kinds: names of the images to read; None: all that are stored.
            crop: (top, left, size) or None for the whole images.

        Returns:
            dict of (height, width, 3).
        """
        return {
            k: image.astype("float32") / np.float32(np.iinfo(image.dtype).max)
            for k, image in self.read_stored(index, kinds, crop).items()
        }

    def read_stored(self, index, kinds=None, crop=None):
        """Images of one example as they are stored, uint8 or uint16."""
        rows, columns = slice(None), slice(None)
        if crop is not None:
            top, left, size = crop
            rows, columns = slice(top, top + size), slice(left, left + size)
        return {k: self._arrays[k][index, rows, columns] for k in kinds or self.kinds}

    @property
    def image_size(self):
        """(height, width) of the stored images."""
        return self._arrays["sharp"].shape[1:3]


def make_batch(arrays, recipe, step, kinds):
    """The batch of one step.

    Args:
        arrays: `StoredArrays`.
        recipe: `Recipe`.
        step: int, from 0.
        kinds: names of the images; `sharp` is added.

    Returns:
        dict of (batch, crop, crop, 3) float32 in [0, 1].
    """
    examples, augment = [], _augmentation(recipe)
    for slot in range(recipe.batch_size):
        position = step * recipe.batch_size + slot
        rng = np.random.default_rng((recipe.seed, position))
        index = _shuffled(recipe.seed, position, len(arrays))
        images = arrays.read_stored(index, (*kinds, "sharp"))
        examples.append(augment(rng, images))
    return {key: np.stack([e[key] for e in examples]) for key in examples[0]}


def _shuffled(seed, position, count):
    """Index of an example: every epoch is a new permutation."""
    epoch, place = divmod(position, count)
    return int(np.random.default_rng((seed, 1, epoch)).permutation(count)[place])


def _augmentation(recipe):
    """What makes a crop of a stored example, as a function of (rng, images)."""
    if recipe.augmentation not in augmentations.FUNCTIONS:
        raise ValueError(
            f"augmentation must be one of {sorted(augmentations.FUNCTIONS)}. "
            f"Received: {recipe.augmentation!r}"
        )
    options = recipe.augmentation_options
    if recipe.augmentation == "default":
        options = {name: getattr(recipe, name) for name in recipe.DEFAULT_OPTIONS}
    function = augmentations.FUNCTIONS[recipe.augmentation]
    return functools.partial(function, size=recipe.crop_size, **options)
