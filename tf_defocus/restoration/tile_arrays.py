"""Tiles as parts of arrays: read from views, kept in a result."""

import numpy as np

from tf_defocus.images import levels


def region(tile, stride=1, inner=False):
    """Slices of a tile, or of its inside, in maps `stride` times smaller."""
    if inner:
        ends = [(window.inner_start, window.inner_stop) for window in tile]
    else:
        ends = [(window.start, window.stop) for window in tile]
    return tuple(slice(start // stride, stop // stride) for start, stop in ends)


def inside(part, outer, inner):
    """The inside of what was computed for a tile, (1, height, width, channels)."""
    rows, columns = (
        slice(kept.start - read.start, kept.stop - read.start)
        for read, kept in zip(outer, inner)
    )
    return part[:, rows, columns]


def read(views, tile):
    """The tile of every view as (1, height, width, 3) float32 in [0, 1]."""
    rows, columns = region(tile)
    return {
        name: levels.to_float(view[None, rows, columns]) for name, view in views.items()
    }


def empty_like(views):
    """An array for a result, like a view."""
    return np.empty_like(next(iter(views.values())))


def keep(result, tile, deblurred):
    """Writes the inside of a restored tile to its place in the result."""
    outer, inner = region(tile), region(tile, inner=True)
    result[inner] = levels.to_levels(inside(deblurred, outer, inner)[0], result.dtype)
