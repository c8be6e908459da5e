"""Writes batches.npz beside this file: what `make_batch` gave before recipes could
name a paper's augmentation. Every run that was begun then must go on as it would have.

    python -m tests.goldens.record_batches
"""

import pathlib
import tempfile

import numpy as np

from tests.data.batches_test import GOLDEN_RECIPES, KINDS, store
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch


def record():
    """dict, `<name>/<step>/<kind>` -> (batch, crop, crop, 3) float32."""
    with tempfile.TemporaryDirectory() as folder:
        store(pathlib.Path(folder) / "a")
        arrays = StoredArrays(pathlib.Path(folder) / "a")
        return {
            f"{name}/{step}/{kind}": values
            for name, recipe in GOLDEN_RECIPES.items()
            for step in (0, 3)
            for kind, values in make_batch(arrays, recipe, step, KINDS).items()
        }


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("batches.npz")
    np.savez_compressed(path, **record())
