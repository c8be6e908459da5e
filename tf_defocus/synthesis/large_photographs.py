"""Windows of large photographs, reduced until the camera's softness is gone.

Lens, demosaicking, noise reduction and JPEG soften a photograph over two pixels or
more; its mean over blocks of 2 to 6 pixels is sharp. A photograph is also out of focus
in places, or smooth: of a few windows the one with the finest texture is taken, and
another photograph where that is too coarse.
"""

import functools
import pathlib
import zlib

import cv2
import numpy as np

from tf_defocus.synthesis import textures

_CANDIDATES = 4
_MAX_PHOTOGRAPHS = 4
_FINE = 0.025  # of `local_sharpness`
_LARGE = 2_000_000  # pixels
_VALIDATION_IN = 9  # one photograph in so many


def split_photographs(root):
    """Photographs of a folder and of all below it, by a rule on the file's name alone.

    One in nine, by the CRC-32 of its name, is for validation.

    Args:
        root: path.

    Returns:
        dict of "train" and "validation", tuples of paths, sorted.

    Raises:
        FileNotFoundError: if either is empty.
    """
    found = sorted(
        str(path)
        for path in pathlib.Path(root).rglob("*")
        if path.suffix.lower() in textures.PHOTO_EXTENSIONS
    )
    splits = {"train": [], "validation": []}
    for path in found:
        kept = zlib.crc32(pathlib.Path(path).name.encode()) % _VALIDATION_IN == 0
        splits["validation" if kept else "train"].append(path)
    for split, paths in splits.items():
        if not paths:
            raise FileNotFoundError(
                f"Expected photographs (.jpg, .png, .tif) in and below {root}, one in "
                f"{_VALIDATION_IN} by its name for validation. Received: {len(found)}, "
                f"none of them for {split}. Add photographs"
            )
    return {split: tuple(paths) for split, paths in splits.items()}


def draw_window(rng, photographs, side, ranges):
    """A square of one photograph, reduced, in one of its eight orientations.

    Larger photographs, which have more to show, are drawn more often: by the square
    root of their number of pixels.

    Args:
        rng: numpy.random.Generator.
        photographs: paths.
        side: int [px].
        ranges: SceneRanges, of which `reduction` and `small_reduction` count.

    Returns:
        (side, side, 3) float32 in [0, 1], sRGB-encoded.

    Raises:
        ValueError: if the photograph is smaller than the window.
    """
    best, finest = None, -1.0
    for _ in range(_MAX_PHOTOGRAPHS):
        shares = _shares(tuple(photographs))
        path = photographs[rng.choice(len(photographs), p=shares)]
        for _ in range(_CANDIDATES):
            window = _window(rng, path, side, ranges)
            fineness = textures.local_sharpness(window)
            if fineness > finest:
                best, finest = window, fineness
        if finest >= _FINE:
            break
    best = np.rot90(best, rng.integers(4))
    return np.ascontiguousarray(best[:, ::-1] if rng.random() < 0.5 else best)


def _window(rng, path, side, ranges):
    pixels = _pixels(path)
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        raise ValueError(
            f"Expected photographs of {side} px or more on both sides. Received: "
            f"{path} of {width}x{height}"
        )
    large = height * width > _LARGE
    low, high = ranges.reduction if large else ranges.small_reduction
    high = min(high, min(height, width) / side)
    reduction = np.exp(rng.uniform(np.log(min(low, high)), np.log(high)))
    extent = int(side * reduction)
    top, left = (int(rng.integers(length - extent + 1)) for length in (height, width))
    part = pixels[top : top + extent, left : left + extent]
    limit = np.float32(np.iinfo(pixels.dtype).max)
    part = part[..., ::-1].astype(np.float32) / limit
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)


@functools.lru_cache(maxsize=64)
def _pixels(path):
    return textures.decode(pathlib.Path(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)


@functools.lru_cache(maxsize=4)
def _shares(photographs):
    sides = np.sqrt([float(np.prod(_pixels(path).shape[:2])) for path in photographs])
    return sides / sides.sum()
