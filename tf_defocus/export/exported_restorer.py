"""An exported SavedModel that restores arrays as the `Restorer` does."""

import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from tf_defocus.export.saved_model import CARD
from tf_defocus.images import levels


class ExportedRestorer:
    """The SavedModel of a network, loaded without its Python classes.

    Args:
        folder: of `export_saved_model`.

    Attributes:
        view_names: tuple of str, the views it wants.
        max_pixels: int, of one call.

    Raises:
        ValueError: if the folder holds no such SavedModel.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        folder = pathlib.Path(folder)
        try:
            self.max_pixels = int(json.loads((folder / CARD).read_text())["max_pixels"])
            self._signatures = tf.saved_model.load(str(folder)).signatures
            signature = self._signatures["serving_default"]
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(
                f"{folder}: expected a SavedModel with its {CARD}; export one with "
                f"tools/export.py ({type(error).__name__})"
            ) from error
        self.view_names = tuple(sorted(signature.structured_input_signature[1]))

    def restore_batch(self, photographs: list[dict[str, np.ndarray]]) -> np.ndarray:
        """Deblurs photographs of one size and dtype in one call.

        Args:
            photographs: list of dicts, view name -> (height, width, 3) uint8, uint16 or
                float32 in [0, 1].

        Returns:
            (batch, height, width, 3) of the same dtype.

        Raises:
            tf.errors.OpError: if the graph refuses them.
        """
        views = {k: np.stack([p[k] for p in photographs]) for k in self.view_names}
        dtype = next(iter(views.values())).dtype
        if dtype == np.uint8:
            return self._call("uint8", views)
        floats = {k: levels.to_float(view) for k, view in views.items()}
        return levels.to_levels(self._call("serving_default", floats), dtype)

    def _call(self, signature, views):
        tensors = {k: tf.constant(view) for k, view in views.items()}
        return self._signatures[signature](**tensors)["deblurred"].numpy()
