"""Pictures that an export is calibrated and judged by."""

import os
from collections.abc import Iterator

import numpy as np

from tf_defocus.evaluation.rendered import render_examples
from tf_defocus.images.levels import to_float
from tf_defocus.restoration import photo_jobs

CALIBRATION_COUNT, CALIBRATION_SIZE = 16, 128  # pictures, px


def rendered_views(
    view_names: tuple[str, ...], count: int, size: int, split: str = "validation"
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Views of scenes as `synthetic_dp` has them, rendered on the spot.

    Args:
        view_names: tuple of str.
        count: int.
        size: int [px], side of the squares.
        split: "train" or "validation".

    Yields:
        (dict, view -> (size, size, 3) float32 in [0, 1]; the sharp image, the same).
    """
    for example in render_examples(count, size, split=split, exact=0):
        views = {name: to_float(example.views[name]) for name in view_names}
        yield views, to_float(example.sharp)


def calibration_views(
    view_names: tuple[str, ...], folder: str | os.PathLike | None = None
) -> list[dict[str, np.ndarray]]:
    """What ranges of values are read from before a network is made of integers.

    Args:
        view_names: tuple of str.
        folder: photographs, found as `tf-defocus deblur` finds them; None for rendered
            scenes of the training split, which need no file.

    Returns:
        list of dict, view -> (1, height, width, 3) float32; of photographs the middle.

    Raises:
        ValueError: if the folder holds no photograph with these views.
    """
    if folder is None:
        rendered = rendered_views(
            view_names, CALIBRATION_COUNT, CALIBRATION_SIZE, "train"
        )
        return [_batch_of_one(views) for views, _ in rendered]
    naming = photo_jobs.Naming(os.fspath(folder), ".unused", None)
    jobs, _ = photo_jobs.find_jobs([folder], view_names, naming)
    found = []
    for job in jobs[:CALIBRATION_COUNT]:
        images = photo_jobs.read_views(job)
        found.append(_batch_of_one({k: _middle(v.pixels) for k, v in images.items()}))
    return found


def _batch_of_one(views):
    return {name: view[None] for name, view in views.items()}


def _middle(pixels):
    """The middle of a photograph, as float32."""
    sides = (min(CALIBRATION_SIZE, side) for side in pixels.shape[:2])
    rows, columns = (
        slice((whole - side) // 2, (whole + side) // 2)
        for whole, side in zip(pixels.shape, sides)
    )
    return to_float(pixels[rows, columns])
