"""How far restorers are off where the photograph was in focus [K3DN Fig. 8].

A network that removes blur may also alter what was sharp. Rendered examples tell which
pixels show a surface in focus; over those pixels alone, the distribution of errors says
how well sharp regions are preserved.

    e(p, c) = |deblurred(p, c) - sharp(p, c)|,    colours c, |coc(p)| <= 1 px

Photographs have no circle of confusion. Of those, the figure measures how much a result
alters the input where a hand-made mask says that it is sharp; per pixel, relative to
the range of values,

    RMSE_rel(p) = sqrt(mean over c of (deblurred(p, c) - input(p, c))^2)
"""

import cv2
import numpy as np
import tqdm

from tf_defocus.evaluation.examples import Example
from tf_defocus.evaluation.scores import INPUT
from tf_defocus.images import levels
from tf_defocus.synthesis.scenes import IN_FOCUS_COC

PERCENTILES = (50, 90, 95, 99)
LEVELS = 255  # errors are told in steps of 8 bits
NUM_BINS = 60
SMALLEST_ERROR, LARGEST_ERROR = 0.05, 128.0  # [of 255], ends of the histogram


def in_focus_mask(coc, threshold=IN_FOCUS_COC, margin=0):
    """Where a surface in focus is seen.

    Args:
        coc: (height, width, 1) or (height, width) float, signed circle diameter [px].
        threshold: float [px], the largest |coc| in focus.
        margin: int [px]; pixels so near to a defocused surface are left out, because
            that surface's blur may cover them.

    Returns:
        (height, width) bool.
    """
    blurred = np.abs(np.asarray(coc)).reshape(coc.shape[:2]) > threshold
    if margin:
        side = 2 * margin + 1
        blurred = cv2.dilate(blurred.astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(blurred) == 0


def absolute_errors(restored, sharp, mask):
    """Absolute errors of the pixels of a mask.

    Args:
        restored, sharp: (height, width, 3), in [0, 1].
        mask: (height, width) bool.

    Returns:
        (3 * pixels,) float32 [of 255], one per colour.
    """
    difference = restored[mask].astype(np.float64) - sharp[mask].astype(np.float64)
    return (LEVELS * np.abs(difference)).ravel().astype(np.float32)


def measure_errors(restorers, examples, threshold=IN_FOCUS_COC, margin=0):
    """Errors inside the regions in focus, of the input and of every restorer.

    Networks receive float32 and are not rounded. Examples without a pixel in focus add
    nothing.

    Args:
        restorers: dict, name -> object with `view_names` and `restore(**views)`.
        examples: iterable of `Example` with circles of confusion per pixel.
        threshold, margin: of `in_focus_mask`.

    Returns:
        dict, name -> (values,) float32 [of 255]; "input" is the centre view's.

    Raises:
        ValueError: if an example lacks its circles of confusion, if a view is missing,
            or if no pixel is in focus.
    """
    errors = {name: [] for name in (INPUT, *restorers)}
    for item in tqdm.tqdm(examples, desc="sharp regions", unit="image"):
        example = Example(*item)
        if example.coc is None or example.coc.shape[:2] != example.sharp.shape[:2]:
            raise ValueError(
                f"Example {example.name!r} needs a circle of confusion per pixel; "
                "render it, or read a dataset that has `coc`"
            )
        mask = in_focus_mask(example.coc, threshold, margin)
        if not mask.any():
            continue
        views = {kind: levels.to_float(view) for kind, view in example.views.items()}
        sharp = levels.to_float(example.sharp)
        pictures = {INPUT: views.get("blurred", next(iter(views.values())))}
        for name, restorer in restorers.items():
            pictures[name] = restorer.restore(**_wanted(restorer, views, example.name))
        for name, picture in pictures.items():
            errors[name].append(absolute_errors(picture, sharp, mask))
    if not errors[INPUT]:
        raise ValueError("No pixel of any example is in focus; add examples")
    return {name: np.concatenate(parts) for name, parts in errors.items()}


def _wanted(restorer, views, example):
    missing = [name for name in restorer.view_names if name not in views]
    if missing:
        raise ValueError(f"Example {example!r} lacks the views {', '.join(missing)}")
    return {name: views[name] for name in restorer.view_names}


def changes(restored, given, mask):
    """RMSE_rel of every pixel of a mask: how much it was altered.

    Args:
        restored, given: (height, width, 3), in [0, 1].
        mask: (height, width) bool.

    Returns:
        (pixels,) float32 [of 255].
    """
    difference = restored[mask].astype(np.float64) - given[mask].astype(np.float64)
    return (LEVELS * np.sqrt(np.mean(difference**2, axis=-1))).astype(np.float32)


def measure_changes(restorers, scenes):
    """How much restorers alter what hand-made masks say is sharp [K3DN Fig. 8].

    Args:
        restorers: dict, name -> object with `view_names` and `restore(**views)`.
        scenes: iterable of (name, dict of views (height, width, 3), mask (height,
            width) bool, True where sharp).

    Yields:
        (scene name, restorer name, result (height, width, 3) float32, the input as
        float32, changes [of 255]); the input is the centre view, else the left one.

    Raises:
        ValueError: if a view is missing, a mask has another size, or is empty.
    """
    for name, views, mask in tqdm.tqdm(scenes, desc="sharp regions", unit="image"):
        views = {kind: levels.to_float(view) for kind, view in views.items()}
        given = views.get("blurred", next(iter(views.values())))
        if mask.shape != given.shape[:2] or not mask.any():
            raise ValueError(
                f"Expected a mask of {given.shape[:2]} with sharp pixels for {name!r}. "
                f"Received: {mask.shape} with {int(mask.sum())}"
            )
        for method, restorer in restorers.items():
            result = restorer.restore(**_wanted(restorer, views, name))
            yield name, method, result, given, changes(result, given, mask)


def shares_within(values, thresholds):
    """Percentage of the values that are at most each threshold, list of float."""
    return [100 * float(np.mean(values <= threshold)) for threshold in thresholds]


def summarise(errors):
    """The numbers of a table row.

    Args:
        errors: (values,) float [of 255].

    Returns:
        dict: `values`, int; in float [of 255] `mean`, `rmse`, and `p50`, `p90`, `p95`,
        `p99`, the errors that so many percent of the values stay within.
    """
    errors = np.asarray(errors, np.float64)
    percentiles = np.percentile(errors, PERCENTILES)
    return {
        "values": errors.size,
        "mean": float(errors.mean()),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        **{f"p{p}": float(value) for p, value in zip(PERCENTILES, percentiles)},
    }


def distribution(errors, num_bins=NUM_BINS):
    """Shares of the values by error, over bins of equal ratio.

    Args:
        errors: (values,) float [of 255].
        num_bins: int, from 0.05 to 128; what lies outside counts in the end bins.

    Returns:
        edges (num_bins + 1,) [of 255], share per bin (num_bins,) summing to 1, and
        share of the values with an error up to the bin's upper edge (num_bins,).
    """
    edges = np.geomspace(SMALLEST_ERROR, LARGEST_ERROR, num_bins + 1)
    inside = np.clip(errors, edges[0], edges[-1])
    shares = np.histogram(inside, edges)[0] / len(inside)
    return edges, shares, np.cumsum(shares)
