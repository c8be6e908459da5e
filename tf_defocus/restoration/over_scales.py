"""A photograph restored at full size and at reductions of it, blended place by place.

A network removes blur up to the width it was trained on. In a photograph reduced to a
half, a quarter and an eighth, blur is as much narrower, so what is too wide at full
size is restored at one of them, without the detail that such blur has taken anyway.
`scale_evidence` measures, `scale_choice` decides and `scale_blending` joins; here is
how they follow each other, and what the photographer may say about the result.

The reductions cost 1/4 + 1/16 + 1/64 of the full size's time.
"""

import dataclasses

import numpy as np

from tf_defocus.images import levels
from tf_defocus.restoration import scale_blending, scale_choice, scale_evidence

AUTO = (1, 2, 4, 8)
CHOICES = tuple(AUTO[: count + 1] for count in range(len(AUTO)))
# [px], the longer side that "auto" does not go below: networks are trained for whole
# photographs 840 px wide, so in one of that size blur is no wider than they know.
SMALLEST = 600
# Blur narrower than the first [px] is left alone, wider than the second is not spared.
PROTECTED = (1.5, 2.5)
_MULTIPLE = 8  # what both sides are padded to, so that every reduction is whole


@dataclasses.dataclass(frozen=True)
class Control:
    """How much of the change is wanted, and where.

    Attributes:
        strength: float in [0, 1], the part of the change that is applied.
        mask: (height, width) float32 in [0, 1], or None: the same, per pixel.
        protect_sharp: bool, whether places that are in focus stay as they are, and
            what the choice leaves alone is left at full size alone, too.
    """

    strength: float = 1.0
    mask: np.ndarray | None = None
    protect_sharp: bool = False

    @property
    def is_plain(self):
        """Whether all of the change is wanted everywhere."""
        return self.strength == 1 and self.mask is None and not self.protect_sharp

    def check(self, shape):
        """Raises ValueError for what does not fit a photograph (height, width, 3)."""
        if not 0 <= self.strength <= 1:
            raise ValueError(
                f"strength must lie in 0 to 1. Received: strength={self.strength}"
            )
        if self.mask is None:
            return
        if self.mask.shape != shape[:2]:
            raise ValueError(
                "The mask must be as large as the photograph, (height, width) = "
                f"{shape[:2]}. Received: {self.mask.shape}; resize the mask"
            )
        if not (self.mask.min() >= 0 and self.mask.max() <= 1):
            raise ValueError("The mask must hold values in 0 to 1")


def check_scales(scales):
    """Raises ValueError unless `scales` is "auto" or the first few of 1, 2, 4, 8."""
    if scales != "auto" and tuple(scales) not in CHOICES:
        raise ValueError(
            'scales must be "auto", (1,), (1, 2), (1, 2, 4) or (1, 2, 4, 8). Received: '
            f"scales={scales!r}"
        )


def scales_for(scales, height, width):
    """The sizes to restore a photograph at; "auto" goes by its own size."""
    if scales != "auto":
        return tuple(scales)
    return tuple(s for s in AUTO if s == 1 or max(height, width) >= SMALLEST * s)


def restore_over_scales(
    views, scales, restore, control, want_defocus=False, weights=None
):
    """Restores at every size and blends.

    Args:
        views: dict, name -> (height, width, 3) uint8, uint16 or float32, all alike.
        scales: tuple of int, one of `CHOICES`.
        restore: function of such a dict, that returns a restored array like its values.
        control: `Control`.
        want_defocus: bool, whether to return a map.
        weights: of `scale_choice.load_weights`; None for the package's.

    Returns:
        `(deblurred, defocus)`: like a view, and (height, width) float32 [px], the
        diameter of the blur, at least 1; or None.
    """
    first = next(iter(views.values()))
    height, width, _ = first.shape
    padded = pad_views(views)
    base = centre_view(padded)
    restored, coarser = restore(padded), []
    for _ in scales[1:]:
        padded = {name: _halve_strips(view) for name, view in padded.items()}
        coarser.append(restore(padded) - centre_view(padded))
    del padded
    evidence, halved = scale_evidence.gather(base, restored, coarser)
    trust, defocus = scale_choice.choose_everywhere(evidence, len(scales), weights)
    del evidence
    if len(scales) == 1 and not control.protect_sharp:
        trust = np.ones_like(trust)  # there is nothing to choose from
    coarse = scale_blending.blend_coarse([halved, *coarser], trust)
    del coarser
    result = np.empty_like(first)
    blended = scale_blending.blend_strips(base, restored, halved, coarse, trust)
    for rows, change in blended:
        amount = _amount(control, defocus, rows, (height, width))
        kept = slice(rows.start, min(rows.stop, height))
        change = amount * change[: kept.stop - kept.start, :width]
        result[kept] = _apply(base[kept, :width], change, first.dtype)
    if not want_defocus:
        return result, None
    whole = scale_blending.enlarge_map(defocus, scale_evidence.CELL)
    return result, whole[:height, :width]


def pad_views(views):
    """The views as `restore_over_scales` has them restored at full size."""
    return {name: _pad(view) for name, view in views.items()}


def centre_view(views):
    """The photograph itself; of the left and right views alone, their mean, float32."""
    if "blurred" in views:
        return views["blurred"]
    return (levels.to_float(views["left"]) + levels.to_float(views["right"])) / 2


def leave(views):
    """What no change at all gives: the centre view as it is, in the views' dtype."""
    dtype = next(iter(views.values())).dtype
    centre = centre_view(views)
    return centre.copy() if centre.dtype == dtype else levels.to_levels(centre, dtype)


def _amount(control, defocus, rows, size):
    """The part of the change that is wanted, (rows, width, 1)."""
    height, width = size
    kept = slice(rows.start, min(rows.stop, height))
    amount = np.full((kept.stop - kept.start, width, 1), control.strength, np.float32)
    if control.mask is not None:
        amount *= control.mask[kept, :, None]
    if control.protect_sharp:
        low, high = PROTECTED
        blur = scale_blending.map_rows(defocus, rows)[: len(amount), :width]
        amount *= np.clip((blur - low) / (high - low), 0, 1)[..., None]
    return amount


def _apply(base, change, dtype):
    """The changed levels; where nothing changes they are the photograph's own."""
    changed = levels.to_levels(levels.to_float(base) + change, dtype)
    return np.where(change == 0, base, changed) if base.dtype == dtype else changed


def _halve_strips(view):
    """Half the size, as float32; never is the whole of a file's levels float32."""
    parts = [
        scale_evidence.halve(levels.to_float(view[rows]))
        for rows in scale_blending.strips(view.shape[0])
    ]
    return np.concatenate(parts)


def _pad(view):
    amounts = [(0, -side % _MULTIPLE) for side in view.shape[:2]]
    if not any(after for _, after in amounts):
        return view
    return np.pad(view, (*amounts, (0, 0)), mode="reflect")
