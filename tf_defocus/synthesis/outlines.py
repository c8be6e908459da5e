"""Outlines of objects without a label map: smooth bodies and thin structures.

Every function draws from the generator it is given and from nothing else.
"""

import cv2
import numpy as np

from tf_defocus.synthesis import textures

_SUPERSAMPLING = 2
_HARMONICS = np.arange(2, 10)


def draw_outline(rng, height, width, ranges):
    """The matte of one object, of a kind that `ranges` makes probable.

    Args:
        rng: numpy.random.Generator.
        height, width: int [px].
        ranges: SceneRanges.

    Returns:
        (height, width) float32 in [0, 1]; 1 inside the object.
    """
    if ranges.smooth_outline or ranges.thin_structure:
        kind = rng.random()
        if kind < ranges.smooth_outline:
            blob = rng.random() < 0.6
            return (smooth_blob if blob else smooth_patches)(rng, height, width)
        if kind < ranges.smooth_outline + ranges.thin_structure:
            mesh = rng.random() < 0.3
            return (mesh_of_wires if mesh else branches)(rng, height, width)
    return textures.outline(rng, height, width)


def smooth_blob(rng, height, width):
    """One body whose radius is a random series of waves around it; as `outline`."""
    angle = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    waves = rng.normal(0, 0.35, _HARMONICS.size) / _HARMONICS ** rng.uniform(0.7, 1.5)
    phase = rng.uniform(0, 2 * np.pi, _HARMONICS.size)
    series = waves * np.cos(_HARMONICS * angle[:, None] + phase)
    radius = np.maximum(1 + series.sum(axis=1), 0.15)
    radius = radius * rng.uniform(0.12, 0.4) * min(height, width)
    stretch = rng.uniform(0.6, 1.6)
    centre = rng.uniform(0.15, 0.85, 2) * (width, height)
    along = np.stack([np.cos(angle) * stretch, np.sin(angle) / stretch], axis=1)
    canvas = _canvas(height, width)
    points = (centre + radius[:, None] * along) * _SUPERSAMPLING
    cv2.fillPoly(canvas, [np.round(points).astype(int)], 255)
    return _matte(canvas, height, width)


def smooth_patches(rng, height, width):
    """Where a smooth random field is high: several bodies, with holes; as `outline`."""
    sigma = rng.uniform(0.03, 0.12) * min(height, width)
    field = textures.smooth_field(rng, height, width, sigma)
    level = np.quantile(field, rng.uniform(0.6, 0.9))
    slope = np.hypot(*np.gradient(field)) + 1e-6  # per pixel: an edge one pixel wide
    return np.clip(0.5 + (field - level) / slope, 0, 1).astype(np.float32)


def branches(rng, height, width):
    """A few crooked lines of 0.5 to 5 px across the frame; as `outline`."""
    canvas = _canvas(height, width)
    size = np.array([width, height]) * _SUPERSAMPLING
    steps = 24
    for _ in range(rng.integers(2, 12)):
        start = rng.uniform(-0.1, 1.1, 2) * size
        turns = np.cumsum(rng.normal(0, rng.uniform(0.02, 0.35), steps))
        heading = rng.uniform(0, 2 * np.pi) + turns
        stride = rng.uniform(0.03, 0.08) * size.min()
        path = np.stack([np.cos(heading), np.sin(heading)], axis=1) * stride
        points = np.round(start + np.cumsum(path, axis=0)).astype(int)
        thickness = max(1, round(rng.uniform(0.5, 5) * _SUPERSAMPLING))
        cv2.polylines(canvas, [points], False, 255, thickness)
    return _matte(canvas, height, width)


def mesh_of_wires(rng, height, width):
    """Parallel wires, in half of the draws crossed by others; as `outline`."""
    canvas = _canvas(height, width)
    size = np.array([width, height]) * _SUPERSAMPLING
    reach = float(size.sum())
    turn, spacing = rng.uniform(0, np.pi), rng.uniform(8, 48) * _SUPERSAMPLING
    thickness = max(1, round(rng.uniform(0.5, 3.5) * _SUPERSAMPLING))
    for angle in (turn, turn + np.pi / 2)[: rng.integers(1, 3)]:
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        for offset in np.arange(-reach / 2, reach / 2, spacing):
            ends = [
                size / 2 + offset * across + sign * reach * along for sign in (1, -1)
            ]
            first, last = (tuple(int(v) for v in np.round(end)) for end in ends)
            cv2.line(canvas, first, last, 255, thickness)
    return _matte(canvas, height, width)


def _canvas(height, width):
    return np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)


def _matte(canvas, height, width):
    matte = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return matte.astype(np.float32) / 255
