"""A photograph through a network: pad, tile, run, blend, crop, round.

Arrays stay on the host in their own dtype; one tile at a time becomes float32. A model
says how it can be tiled (`models.base.RestorationNetwork`):

- it states `receptive_field` [px]: tiles with a halo of half of it are exact;
- it works in stages, `encode`, `transform` and `decode` (KPAC: its blocks see far and
  pool over the whole image, but at 1/8 of its size): tiles are encoded and decoded
  with the small `halo`, and `transform` sees the features of the whole photograph
  (`phases`);
- it states `exact_tiling = False` (GKMNet pools at full size): the photograph is kept
  whole while it fits, else large overlapping tiles are blended.
"""

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tf_defocus.images import levels
from tf_defocus.models import presets
from tf_defocus.models.base import RestorationNetwork, check_restores
from tf_defocus.models.precision import POLICIES, layers_in
from tf_defocus.ops.padding import pad_amounts
from tf_defocus.restoration import over_scales, tile_arrays, tiling
from tf_defocus.restoration.engines import create_engine
from tf_defocus.restoration.inputs import as_views
from tf_defocus.restoration.phases import restore_in_phases
from tf_defocus.restoration.scale_blending import strips
from tf_defocus.restoration.scale_choice import load_weights

# Restored whole by default: the papers' largest test size, to which K3DN enlarges.
WHOLE_PIXELS = 1792 * 1152
TILE = 1024  # [px] the longest side of a tile by default
BLENDED_HALO = 128  # [px] of models whose tiles are inexact
_PRECISIONS = ("float32", "bfloat16")
_ORIENTATIONS = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps down and across
_MIRRORED_VIEW = {"blurred": "blurred", "left": "right", "right": "left"}


class Restorer:
    """Removes defocus blur from photographs of any size.

    Args:
        model: a `models.base.RestorationNetwork`, such as those of `create_model`.
        tile: int [px], the longest side of a tile; 0 never tiles; None tiles what has
            more pixels than 1792 x 1152.
        batch_statistics: bool; True normalises by the photograph (or tile) at hand in
            place of the running statistics, as GKMNet's authors did for their scores.
        ensemble: bool; True restores the photograph in four orientations, mirrored
            across, down and both ways, and gives their mean: four times the time.
            Mirrored across, the left view is seen as a right one.
        margin: int [px], how far the image is mirrored around itself, so that the
            network's zero padding stays outside; None for the network's own
            `border_margin`, 0 as the authors' test programs do.
        scales: (1,) restores at full size only, as scores of a network need it; the
            first few of (1, 2, 4, 8) also at 1/2, 1/4 and 1/8 of the size and blend,
            for blur wider than the network has seen, at a third more time;
            "auto" as many as leave a longer side of 600 px: four for a photograph of
            24 megapixels, one for what is as small as those of the training.
        protect_sharp: bool; True leaves places that are in focus as they are, and
            blends less of the change where it seems to harm.
        engine: "tensorflow" (Keras, on any backend and device), on the processor
            "native" (TensorFlow with faster convolutions), "onnxruntime" or
            "openvino", or "auto", the fastest of those installed.

    Raises:
        ValueError: if the model's result is no image, if `batch_statistics` is asked of
            a model without them, if `scales` are others, if the file of the model's
            choice of sizes does not fit, or if there is no such engine.

    Example:
        >>> restorer = Restorer.from_preset("kpac_3level")
        >>> deblurred = restorer.restore(blurred=photograph)  # (height, width, 3) uint8
    """

    def __init__(
        self,
        model: RestorationNetwork,
        tile: int | None = None,
        batch_statistics: bool = False,
        ensemble: bool = False,
        margin: int | None = None,
        scales: tuple[int, ...] | str = (1,),
        protect_sharp: bool = False,
        engine: str = "tensorflow",
    ) -> None:
        check_restores(model)
        over_scales.check_scales(scales)
        if batch_statistics and not model.offers_batch_statistics:
            raise ValueError(
                "batch_statistics needs a network that offers them (gkmnet). "
                f"Received: {model.name}; leave it out"
            )
        self.model = model
        self.tile = tile
        self.batch_statistics = batch_statistics
        self.ensemble = ensemble
        self.margin = model.border_margin if margin is None else margin
        self.scales = scales
        self.protect_sharp = protect_sharp
        self._choice = model.scale_choice and load_weights(model.scale_choice)
        self.engine = create_engine(engine, model, batch_statistics)

    @classmethod
    def from_preset(
        cls,
        name_or_folder: str | os.PathLike,
        precision: str = "float32",
        **options: Any,
    ) -> "Restorer":
        """A restorer with the weights of a preset; see `presets.load_preset`.

        Args:
            name_or_folder: as of `presets.load_preset`.
            precision: "float32" or "bfloat16", in which layers compute.
            **options: of the restorer: `tile`, `ensemble`, `scales` and so on.
        """
        if precision not in _PRECISIONS:
            raise ValueError(
                f"precision must be one of {_PRECISIONS}. Received: {precision!r}"
            )
        with layers_in(POLICIES[precision]):
            return cls(presets.load_preset(name_or_folder), **options)

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views `restore` wants: `("blurred",)` or with left and right."""
        return tuple(self.model.view_names)

    def restore(
        self,
        blurred: np.ndarray | None = None,
        left: np.ndarray | None = None,
        right: np.ndarray | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        strength: float = 1.0,
        mask: np.ndarray | None = None,
        return_defocus: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Deblurs one photograph.

        Args:
            blurred, left, right: (height, width, 3) uint8, uint16 or float32 in [0, 1],
                sRGB-encoded; those in `view_names`, all alike in size and dtype. Also
                tensors, RGB pictures of Pillow's and arrays in any byte order.
            on_progress: called with (steps done, steps in all), or None.
            strength: float in [0, 1], how much of the change is applied; 0 returns the
                photograph, or the mean of two views, without a network.
            mask: (height, width) float32 in [0, 1], the same per pixel; None is 1.
            return_defocus: bool, whether to return the estimated blur, too.

        Returns:
            (height, width, 3) of the same dtype, clipped to its range and rounded; with
            `return_defocus` a tuple of that and (height, width) float32 [px], the
            diameter of the blur, from 1 (in focus) to 128.

        Raises:
            ValueError: if a view is missing, not wanted, not alike the others, not
                finite or on another scale than 0 to 1; if strength or mask do not fit;
                or if the tile size is too small for the model.
            ArithmeticError: if the network returns values that are not finite.
        """
        views = {"blurred": blurred, "left": left, "right": right}
        views = as_views(views, self.view_names)
        shape = next(iter(views.values())).shape
        control = over_scales.Control(strength, mask, self.protect_sharp)
        control.check(shape)
        if not strength and not return_defocus:
            return over_scales.leave(views)
        scales = over_scales.scales_for(self.scales, *shape[:2])
        progress = _Progress(on_progress, self._count_steps(scales, *shape[:2]))
        if scales == (1,) and control.is_plain and not return_defocus:
            return self._restore_size(views, progress)
        tiled = self._is_tiled(*shape[:2])
        restored, defocus = over_scales.restore_over_scales(
            views,
            scales,
            lambda reduced: self._restore_size(reduced, progress, tiled),
            control,
            return_defocus,
            self._choice,
        )
        return (restored, defocus) if return_defocus else restored

    def restore_batch(
        self, photographs: list[dict[str, np.ndarray]], strength: float = 1.0
    ) -> list[np.ndarray]:
        """Deblurs photographs of one size, in one call of the network where that fits.

        That is where each is restored whole, at full size and once; others are restored
        one after another. Sums in batches may round otherwise: by one level at most.

        Args:
            photographs: list of dict, view name -> array as of `restore`.
            strength: as of `restore`.

        Returns:
            List of what `restore` returns.

        Raises:
            ValueError, ArithmeticError: as `restore`, for any of them.
        """
        batch = [as_views(views, self.view_names) for views in photographs]
        shapes = {view.shape for views in batch for view in views.values()}
        if len(shapes) > 1:
            raise ValueError(f"Expected one size. Received: {sorted(shapes)}")
        (shape,) = shapes
        control = over_scales.Control(strength, None, self.protect_sharp)
        control.check(shape)
        if len(batch) == 1 or not strength or not self._can_stack(*shape[:2]):
            return [self.restore(**views, strength=strength) for views in batch]
        if control.is_plain:
            return self._restore_stacked(batch)
        restored = self._restore_stacked([over_scales.pad_views(v) for v in batch])
        return [
            over_scales.restore_over_scales(
                views, (1,), lambda _, r=one: r, control, weights=self._choice
            )[0]
            for views, one in zip(batch, restored)
        ]

    def _can_stack(self, height, width):
        """Whether photographs of this size need one call each, whatever others hold."""
        scales = over_scales.scales_for(self.scales, height, width)
        once = not (self.ensemble or self.batch_statistics) and scales == (1,)
        return once and not self._is_tiled(height, width)

    def _count_steps(self, scales, height, width):
        steps, tiled = 0, self._is_tiled(height, width)
        for scale in scales:
            size = -(-height // scale), -(-width // scale)
            tiles = len(self.plan(*size, tiled)[0])
            phases = tiles > 1 and self.model.works_in_stages
            steps += 2 * tiles + 1 if phases else tiles
        return steps * (len(_ORIENTATIONS) if self.ensemble else 1)

    def _is_tiled(self, height, width):
        """Whether a photograph is not restored whole: nor are its copies then, which
        would need more memory than its tiles."""
        return len(self.plan(height, width)[0]) > 1

    def _restore_size(self, views, progress, tiled=False):
        """The views at hand restored, once or in four orientations."""
        if not self.ensemble:
            return self._restore_once(views, progress, tiled)
        return self._restore_mirrored(views, progress, tiled)

    def _restore_mirrored(self, views, progress, tiled):
        """The mean over four orientations, in float32 until it is rounded."""
        dtype = next(iter(views.values())).dtype
        views = {name: levels.to_float(view) for name, view in views.items()}
        total = 0.0
        for down, across in _ORIENTATIONS:
            mirrored = _mirror(views, down, across)
            total = (
                total + self._restore_once(mirrored, progress, tiled)[::down, ::across]
            )
        return levels.to_levels(total / len(_ORIENTATIONS), dtype)

    def _restore_once(self, views, progress, tiled):
        height, width, _ = next(iter(views.values())).shape
        views = self._prepare(views)
        tiles, halo = self.plan(height, width, tiled)
        if len(tiles) == 1 or (
            self.model.exact_tiling and not self.model.works_in_stages
        ):
            result = self._restore_tiles(views, tiles, progress)
        elif self.model.works_in_stages:
            result = restore_in_phases(self.engine, views, tiles, progress.over)
        else:
            result = self._restore_blended(views, tiles, halo, progress)
        return self._inside_margin(result, height, width)

    def _restore_stacked(self, photographs):
        """Photographs of one size, each a dict of views, whole, in one call."""
        firsts = [next(iter(views.values())) for views in photographs]
        prepared = [self._prepare(views) for views in photographs]
        stacked = {
            name: np.stack([levels.to_float(views[name]) for views in prepared])
            for name in prepared[0]
        }
        results = self.engine("call", inputs=stacked)
        return [
            self._inside_margin(levels.to_levels(result, first.dtype), *first.shape[:2])
            for first, result in zip(firsts, results)
        ]

    def _prepare(self, views):
        """The views, and maps of where in the photograph they lie, padded."""
        height, width, _ = next(iter(views.values())).shape
        maps = self.model.frame_maps(height, width)
        views = views | {k: keras.ops.convert_to_numpy(v) for k, v in maps.items()}
        return {name: self._pad(view) for name, view in views.items()}

    def _inside_margin(self, result, height, width):
        inside = slice(self.margin, self.margin + height)
        return result[inside, self.margin : self.margin + width]

    def _pad(self, view):
        amounts = pad_amounts(*view.shape[:2], self.model.size_multiple, self.margin)
        if any(map(any, amounts)):
            view = np.pad(view, (*amounts, (0, 0)), mode="reflect")
        return view

    def plan(
        self, height: int, width: int, tiled: bool = False
    ) -> tuple[list[tuple[tiling.Window, tiling.Window]], int]:
        """How a photograph of this size is tiled.

        Args:
            height, width: int [px].
            tiled: bool; True tiles also what would fit whole, where `tile` is None.

        Returns:
            List of (rows, columns), `tiling.Window` each, of the padded photograph; and
            the halo [px] they were planned with.

        Raises:
            ValueError: if the tile size is too small for the model.
        """
        multiples = self.model.size_multiple
        fits_whole = height * width <= WHOLE_PIXELS and not tiled
        rows, columns = pad_amounts(height, width, multiples, self.margin)
        height, width = height + sum(rows), width + sum(columns)
        if self.model.works_in_stages:
            halo = self.model.halo
        elif self.model.exact_tiling:
            halo = self.model.receptive_field // 2
        else:
            halo = BLENDED_HALO
        side = self.tile
        if side is None:
            side = 0 if fits_whole else max(TILE, 4 * halo)
        return tiling.plan_tiles(height, width, side, halo, multiples), halo

    def _restore_tiles(self, views, tiles, progress):
        result = tile_arrays.empty_like(views)
        for tile in progress.over(tiles):
            deblurred = self.engine("call", inputs=tile_arrays.read(views, tile))
            tile_arrays.keep(result, tile, deblurred)
        return result

    def _restore_blended(self, views, tiles, halo, progress):
        height, width, channels = next(iter(views.values())).shape
        total = np.zeros((height, width, channels), np.float32)
        weights = np.zeros((height, width, 1), np.float32)
        for tile in progress.over(tiles):
            deblurred = self.engine("call", inputs=tile_arrays.read(views, tile))
            down = tiling.feather(tile[0], height, halo)
            across = tiling.feather(tile[1], width, halo)
            weight = (down[:, None] * across)[..., None]
            rows, columns = tile_arrays.region(tile)
            total[rows, columns] += weight * deblurred[0]
            weights[rows, columns] += weight
        result = tile_arrays.empty_like(views)
        for rows in strips(height):  # as floats the whole is large
            blended = total[rows] / weights[rows]
            result[rows] = levels.to_levels(blended, result.dtype)
        return result


class _Progress:
    """Counts the steps of one photograph for whoever wants to show them."""

    def __init__(self, report, total):
        self.report = report
        self.done, self.total = 0, total

    def over(self, steps):
        for step in steps:
            yield step
            self.done += 1
            if self.report:
                self.report(self.done, self.total)


def _mirror(views, down, across):
    """Views read with these steps; mirrored across, left and right change places."""
    if across == 1:
        return {name: view[::down] for name, view in views.items()}
    return {
        _MIRRORED_VIEW[name]: view[::down, ::across] for name, view in views.items()
    }
