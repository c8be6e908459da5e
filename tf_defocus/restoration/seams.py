"""How far a photograph restored in tiles is from the one restored whole.

For networks that pool over rows, columns or the whole picture, a tile only approximates
what the whole photograph would give. What matters is the error, and whether it jumps at
the lines where tiles begin, end or stop being blended: a jump is a seam, a slow change
is not seen.
"""

import numpy as np

LEVELS = 255  # errors are told in steps of 8 bits


def seam_lines(tiles, axis, halo, length):
    """Where a restoration in tiles may jump along an axis.

    Args:
        tiles: list of (rows, columns), `tiling.Window` each.
        axis: 0 (rows) or 1 (columns).
        halo: int [px] they were planned with; neighbours are blended over two.
        length: int [px], the photograph's.

    Returns:
        (lines,) int, ascending: line i lies between samples i - 1 and i.
    """
    lines = set()
    for tile in tiles:
        window = tile[axis]
        if window.start > 0:
            lines |= {window.start, window.inner_start, window.start + 2 * halo}
        if window.stop < length:
            lines |= {window.stop, window.inner_stop, window.stop - 2 * halo}
    return np.array(sorted(line for line in lines if 0 < line < length), int)


def steps_across(difference, axis):
    """Mean jump of a picture across every line along an axis.

        step(i) = mean over the line of |difference(i) - difference(i - 1)|

    Args:
        difference: (height, width, channels) float.
        axis: 0 or 1.

    Returns:
        (length - 1,) float64; entry i - 1 is line i's.
    """
    jumps = np.abs(np.diff(np.moveaxis(difference, axis, 0), axis=0))
    return jumps.mean(axis=tuple(range(1, difference.ndim)), dtype=np.float64)


def measure_seams(whole, tiled, tiles, halo):
    """Errors of tiles, and their jumps at the seams against those anywhere else.

    Args:
        whole, tiled: (height, width, 3) float in [0, 1].
        tiles, halo: of `Restorer.plan`.

    Returns:
        dict: `tiles`, int; in float [of 255] `max_error`, `mean_error`, `seam_step`
        (largest mean jump of the error across a seam line) and `other_step` (95th
        percentile of the same over all other lines). A `seam_step` far below one level
        cannot be seen. Without a seam line both steps are 0.
    """
    difference = LEVELS * (tiled.astype(np.float64) - whole.astype(np.float64))
    at_seams, elsewhere = [0.0], []
    for axis in (0, 1):
        length = difference.shape[axis]
        lines = seam_lines(tiles, axis, halo, length)
        steps = steps_across(difference, axis)
        at_seams += list(steps[lines - 1])
        elsewhere += list(np.delete(steps, lines - 1)) if lines.size else []
    return {
        "tiles": len(tiles),
        "max_error": float(np.abs(difference).max()),
        "mean_error": float(np.abs(difference).mean()),
        "seam_step": float(max(at_seams)),
        "other_step": float(np.percentile(elsewhere, 95)) if elsewhere else 0.0,
    }
