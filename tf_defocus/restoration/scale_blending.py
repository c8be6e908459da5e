"""The changes that a network made at several sizes, blended octave by octave.

The change at size 1/s holds frequencies up to 1 / 2s only. So octave 0, the finest, is
the full size's alone; octave k has what the sizes 1, 1/2, ..., 1/2^k say of it, each by
its trust at that octave's resolution:

    P_k(D_s) = D_s halved until it is 2^k times smaller than the photograph
    C_k = up(C_k+1) + sum over s <= 2^k of t_s,k (P_k(D_s) - up(P_k+1(D_s)))

from the coarsest, where the last term is t_s P(D_s) alone, to C_0. (Burt and Adelson,
"A Multiresolution Spline", ACM TOG 1983.) Full size is made in strips of rows, which
equal the whole.
"""

import cv2
import numpy as np

from tf_defocus.images import levels
from tf_defocus.restoration.scale_evidence import CELL, STRIP, halve

_HALO = 2  # rows that cubic interpolation reads on either side


def enlarge(image, factor=2):
    """Cubic interpolation of an image (height, width, ...) float32."""
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


def enlarge_map(values, factor):
    """Linear interpolation of a map (height, width, ...): no value is overshot."""
    size = (values.shape[1] * factor, values.shape[0] * factor)
    return cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)


def blend_coarse(changes, trust):
    """Every octave but the finest.

    Args:
        changes: list of (height / 2, ...), (height / 2, ...), (height / 4, ...), ...:
            the change at full size, halved, then those at s = 2, 4, ...
        trust: (height / 4, width / 4, scales) float32.

    Returns:
        (height / 2, width / 2, 3) float32, C_1; None if there is one size only.
    """
    octaves = [[changes[0]]]  # octaves[k - 1] = [P_k(D_1), P_k(D_2), ...]
    for change in changes[1:]:
        octaves[-1].append(change)
        octaves.append([halve(image) for image in octaves[-1]])
    octaves[-1] = []  # the coarsest keeps all that it has
    blended = None
    for octave in reversed(range(1, len(changes))):
        images, coarser = octaves[octave - 1], octaves[octave]
        seen = trust
        for _ in range(octave - 2):
            seen = halve(seen)
        coarse, blended = blended, np.empty_like(images[0])
        for rows in strips(len(blended)):
            parts = [image[rows] for image in images]
            blended[rows] = _blend_rows(
                parts, coarser, coarse, seen, max(CELL >> octave, 1), rows
            )
    return blended


def blend_strips(base, restored, halved_change, coarse, trust):
    """The finest octave, strip by strip.

    Args:
        base, restored: (height, width, 3) of one dtype, the photograph and its
            restoration at full size.
        halved_change: (height / 2, width / 2, 3), P_1(D_1).
        coarse: C_1, of `blend_coarse`, or None.
        trust: as `blend_coarse`.

    Yields:
        `(rows, change)`: a slice, and (rows, width, 3) float32, C_0 there.
    """
    coarser = [] if coarse is None else [halved_change]
    first = np.ascontiguousarray(trust[..., :1])
    for rows in strips(base.shape[0]):
        change = levels.to_float(restored[rows]) - levels.to_float(base[rows])
        yield rows, _blend_rows([change], coarser, coarse, first, CELL, rows)


def _blend_rows(parts, coarser, coarse, trust, factor, rows):
    """Rows of C_k.

    Args:
        parts: list of P_k(D_s) there.
        coarser: list of P_k+1(D_s), whole; [] at the coarsest octave.
        coarse: C_k+1, whole; None there.
        trust: (height / factor, width / factor, scales), of which `parts` takes the
            first.
        factor: int.
        rows: slice.
    """
    weights = map_rows(trust, rows, factor).reshape(*parts[0].shape[:2], -1)
    total = 0.0 if coarse is None else _enlarged_rows(coarse, rows)
    for index, part in enumerate(parts):
        if coarser:
            part = part - _enlarged_rows(coarser[index], rows)
        total = total + weights[..., index, None] * part
    return total


def strips(height):
    """Slices of at most `STRIP` rows."""
    return [slice(top, min(top + STRIP, height)) for top in range(0, height, STRIP)]


def map_rows(values, rows, factor=CELL):
    """Rows of a map that is enlarged so many times, interpolated linearly."""
    return _rows_of(values, rows, factor, enlarge_map)


def _enlarged_rows(image, rows):
    return _rows_of(image, rows, 2, enlarge)


def _rows_of(image, rows, factor, interpolate):
    """What `interpolate` makes of the whole, for some rows only."""
    start, stop = rows.start // factor, rows.stop // factor
    first, last = max(start - _HALO, 0), min(stop + _HALO, image.shape[0])
    part = interpolate(np.ascontiguousarray(image[first:last]), factor)
    skipped = (start - first) * factor
    return part[skipped : skipped + rows.stop - rows.start]
