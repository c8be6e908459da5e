"""Where the tiles of a large photograph lie: geometry only, no pixels and no network.

A tile is *read* with a margin, the halo, so that its *inside* comes out as if the whole
photograph had been restored at once. At the border of the photograph a tile ends where
the photograph ends, because there the networks pad with zeros in either case. All tiles
of one photograph have one size, so that one compiled graph serves them all.
"""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Window:
    """One tile along one axis [px of the padded photograph].

    Attributes:
        start, stop: int, what is read.
        inner_start, inner_stop: int, what is kept; the insides of all windows partition
            the axis.
    """

    start: int
    stop: int
    inner_start: int
    inner_stop: int


def plan_windows(length, tile, halo, multiple):
    """The windows along one axis, of one size and with the fewest pixels read twice.

    Args:
        length: int [px], a multiple of `multiple`.
        tile: int [px], the longest window allowed; 0 allows any.
        halo: int [px], the margin that a window needs on inner sides.
        multiple: int [px], what starts and stops must divide by.

    Returns:
        A tuple of `Window`.

    Raises:
        ValueError: if `tile` leaves no inside between two halos.
    """
    halo = math.ceil(halo / multiple) * multiple
    tile = tile // multiple * multiple if tile else length
    if length <= tile:
        return (Window(0, length, 0, length),)
    if tile <= 2 * halo:
        raise ValueError(
            f"Tiles must be larger than {2 * halo} px for this model: it needs {halo} "
            f"px of margin on each side. Received: tile={tile}; use at least "
            f"{2 * halo + multiple}"
        )
    count = math.ceil((length - 2 * halo) / (tile - 2 * halo))
    step = math.ceil((length - 2 * halo) / (count * multiple)) * multiple
    starts = [min(i * step, length - step - 2 * halo) for i in range(count)]
    edges = [0, *(start + halo for start in starts[1:]), length]
    return tuple(
        Window(start, start + step + 2 * halo, inner_start, inner_stop)
        for start, inner_start, inner_stop in zip(starts, edges[:-1], edges[1:])
    )


def plan_tiles(height, width, tile, halo, multiples):
    """The tiles of one photograph: a list of `(rows, columns)`, each a `Window`.

    Args:
        height, width: int [px], multiples of `multiples`.
        tile, halo: int [px], see `plan_windows`.
        multiples: (int, int), the model's `size_multiple`.
    """
    rows = plan_windows(height, tile, halo, multiples[0])
    columns = plan_windows(width, tile, halo, multiples[1])
    return [(row, column) for row in rows for column in columns]


def feather(window, length, halo):
    """Weights that blend a window into its neighbours where they overlap.

    Args:
        window: a `Window`.
        length: int [px] of the whole axis.
        halo: int [px]; neighbours overlap by two halos at least.

    Returns:
        (stop - start,) float32 in (0, 1]: a linear ramp on each inner side.
    """
    size = window.stop - window.start
    ramp = np.minimum((np.arange(size) + 0.5) / (2 * halo), 1)
    rising = ramp if window.start > 0 else np.ones(size)
    falling = ramp[::-1] if window.stop < length else np.ones(size)
    return (rising * falling).astype(np.float32)
