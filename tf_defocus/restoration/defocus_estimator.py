"""A photograph through a network that estimates its defocus: pad, tile, run, crop."""

import keras
import numpy as np

from tf_defocus.models import presets
from tf_defocus.ops.padding import pad_amounts
from tf_defocus.restoration import tiling
from tf_defocus.restoration.restorer import TILE, WHOLE_PIXELS


class DefocusEstimator:
    """Defocus maps of photographs of any size, by DMENet.

    Args:
        model: `models.base.RestorationNetwork` of one photograph whose `output_name` is
            "defocus".
        tile: int [px], the longest side of a tile; 0 never tiles; None tiles what has
            more pixels than 1792 x 1152. Tiles are exact.

    Raises:
        ValueError: if the network estimates something else.
    """

    def __init__(self, model, tile=None):
        if model.output_name != "defocus":
            raise ValueError(
                "A defocus map needs a network that estimates one (dmenet). Received: "
                f"{model.name}, which estimates {model.output_name}"
            )
        self.model = model
        self.tile = tile
        self._maps = _Maps(model)

    @classmethod
    def from_preset(cls, name_or_folder, tile=None):
        """An estimator with the weights of a preset; see `presets.load_preset`."""
        return cls(presets.load_preset(name_or_folder), tile=tile)

    def estimate(self, image):
        """The map of one photograph.

        Args:
            image: (height, width, 3) float32 in [0, 1].

        Returns:
            (height, width) float32 in (0, 1).
        """
        multiple = self.model.size_multiple
        amounts = pad_amounts(*image.shape[:2], multiple)
        padded = np.pad(image, (*amounts, (0, 0)), mode="edge")
        height, width = padded.shape[:2]
        side = self.tile
        if side is None:
            side = 0 if height * width <= WHOLE_PIXELS else TILE
        halo = self.model.receptive_field // 2
        result = np.empty((height, width), np.float32)
        for down, across in tiling.plan_tiles(height, width, side, halo, multiple):
            part = padded[None, down.start : down.stop, across.start : across.stop]
            defocus = self._maps.predict_on_batch({"blurred": part})[0, ..., 0]
            kept = [
                (slice(w.inner_start, w.inner_stop), w.inner_start - w.start)
                for w in (down, across)
            ]
            (into_rows, top), (into_columns, left) = kept
            result[into_rows, into_columns] = defocus[
                top : top + into_rows.stop - into_rows.start,
                left : left + into_columns.stop - into_columns.start,
            ]
        return result[: image.shape[0], : image.shape[1]]


class _Maps(keras.Model):
    """The map alone, for Keras to compile: what else the network makes is pruned."""

    def __init__(self, network):
        super().__init__(autocast=False, name="defocus_maps")
        # XLA compiles each size anew and is slower than TensorFlow's own CPU kernels.
        self.jit_compile = keras.backend.backend() == "jax"
        self.network = network
        self.built = True

    def call(self, inputs):
        return self.network(inputs, training=False)["defocus"]
