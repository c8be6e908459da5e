"""Scenes of random depth, and the dual-pixel photographs that a camera takes of them.

A scene is a list of surfaces from back to front. Its depth is given as what the camera
makes of it, the signed diameter of the circle of confusion (positive behind focus),
which is affine in inverse depth, as the disparity of the two views is. The ranges
follow real dual-pixel photographs 840 px wide: mostly a sharp subject before a
background whose circles reach 21 px.

An example is a pure function of (seed, split, index), so any process can make any one.
"""

import dataclasses

import cv2
import numpy as np

from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.synthesis import (
    exposure,
    large_photographs,
    outlines,
    scene_ranges,
    textures,
)
from tf_defocus.synthesis.exposure import IN_FOCUS_COC

SPLITS = ("train", "validation")
_MATTE_SIGMA = 0.6  # px; antialiasing of human outlines
_MAX_DRAWS = 8
_CANDIDATES = 3


def example_generator(seed, split, index):
    """The random numbers of one example, independent of all others.

    Args:
        seed: int, of the whole data set.
        split: "train" or "validation".
        index: int, position in the split.
    """
    if split not in SPLITS:
        raise ValueError(f"Expected a split of {SPLITS}. Received: split={split!r}")
    key = np.random.SeedSequence([seed, SPLITS.index(split), index])
    return np.random.Generator(np.random.Philox(key))


def make_example(
    seed,
    split,
    index,
    size=256,
    photographs=(),
    ranges=scene_ranges.DEFAULT,
    aperture_samples=0,
):
    """One synthetic dual-pixel photograph with everything known about it.

    Args:
        seed, split, index: see `example_generator`.
        size: int [px], side of the square.
        photographs: paths of sharp photographs; none: procedural textures.
        ranges: SceneRanges.
        aperture_samples: int; 0 renders by layers of kernels, any other number by the
            exact average over so many points of the aperture (slower).

    Returns:
        dict: `left`, `right`, `blurred`, `sharp` (size, size, 3) uint16,
        sRGB-encoded; `coc` and `disparity` (size, size, 1) float32 [px]; `mask`
        (size, size, 1) uint8, 255 where blurred by more than a pixel; `camera`, dict
        of floats `max_coc` [px], `shift_ratio`, `shot_noise`, `read_noise`.
    """
    rng = example_generator(seed, split, index)
    max_coc = _draw_max_coc(rng, ranges)
    shift_ratio = rng.uniform(*ranges.shift_ratio)
    margin = int(np.ceil(ranges.max_coc[1] / 2)) + 3
    surfaces = compose_scene(rng, size, margin, max_coc, ranges, photographs)
    split_function = psf.ApertureSplit(
        family="logistic", softness=psf.softness_for_shift_ratio(shift_ratio)
    )
    if aperture_samples:
        image = dual_pixel.render_aperture(surfaces, split_function, aperture_samples)
    else:
        image = dual_pixel.render(surfaces, split_function)
    example = exposure.expose(rng, _crop(image, margin), ranges)
    example["camera"].update(max_coc=max_coc, shift_ratio=shift_ratio)
    return example


def _draw_max_coc(rng, ranges):
    if ranges.small_blur and rng.random() < ranges.small_blur:
        return rng.uniform(*ranges.small_coc)
    if ranges.max_coc_law == "log_uniform":
        return float(np.exp(rng.uniform(*np.log(ranges.max_coc))))
    return rng.uniform(*ranges.max_coc)


def _crop(image, margin):
    """Every plane of a rendered image without its margin."""
    inner = slice(margin, -margin)
    return {
        field.name: getattr(image, field.name)[inner, inner]
        for field in dataclasses.fields(image)
    }


@dataclasses.dataclass(frozen=True)
class _Piece:
    """A texture (height, width, 3), sRGB, behind a matte (height, width), and its role.

    Roles: "background", "object" (anywhere before it), "subject", "front" (nearer than
    the focal plane).
    """

    role: str
    texture: np.ndarray
    matte: np.ndarray


def compose_scene(rng, size, margin, max_coc, ranges, photographs=()):
    """Surfaces of one random scene, from back to front.

    A background with a depth of its own (wall, ground, slanted plane or smooth field),
    objects before it, in most scenes a subject, and in some scenes objects before the
    focal plane. The hole that an object leaves in its own photograph is filled from
    another one, so that no ghost of it stays behind.

    Args:
        rng: numpy.random.Generator.
        size, margin: int [px]; surfaces have the side `size + 2 * margin`.
        max_coc: float [px], the largest circle diameter.
        ranges: SceneRanges.
        photographs: paths of photographs; none: procedural textures.

    Returns:
        list of dual_pixel.Surface.
    """
    blurred = ranges.fully_blurred
    kind = rng.choice(
        ["sharp", "blurred", "subject"],
        p=[ranges.all_in_focus, blurred, 1 - ranges.all_in_focus - blurred],
    )
    pieces = _draw_pieces(rng, ranges, photographs, size, margin)
    inner = slice(margin, -margin)
    for _ in range(_MAX_DRAWS):
        cocs = _draw_depths(rng, kind, max_coc, pieces, ranges)
        visible = cocs[0][inner, inner].copy()
        for piece, coc in zip(pieces[1:], cocs[1:]):
            seen = piece.matte[inner, inner] > 0.5
            visible[seen] = coc[inner, inner][seen]
        in_focus = float(np.mean(np.abs(visible) < IN_FOCUS_COC))
        if kind == "sharp" or (in_focus >= ranges.min_in_focus) == (kind == "subject"):
            break
    if ranges.pristine and rng.random() < ranges.pristine:
        cocs = [np.sign(coc) * np.maximum(np.abs(coc) - 1, 0) for coc in cocs]
    gain = rng.uniform(*ranges.exposure)
    shine = rng.random() < ranges.highlights
    surfaces = []
    for piece, coc in zip(pieces, cocs):
        radiance = gain * sensor.srgb_to_linear(piece.texture)
        if shine:
            radiance = _add_highlights(rng, radiance, ranges)
        surfaces.append(
            dual_pixel.Surface(radiance.astype(np.float32), piece.matte, coc)
        )
    return surfaces


def _add_highlights(rng, radiance, ranges):
    """Makes the brightest 0.3 % of the pixels shine."""
    luminance = radiance.mean(axis=-1)
    bright = luminance > np.quantile(luminance, 0.997)
    return np.where(
        bright[..., None], radiance * rng.uniform(*ranges.highlight_gain), radiance
    )


def _draw_pieces(rng, ranges, photographs, size, margin):
    """Background, objects, subject and front objects, from back to front."""

    def canvas():
        return _draw_canvas(rng, photographs, size, margin, ranges)

    own = canvas()
    background = own.image
    subject = []
    if rng.random() < 0.85:
        if own.segments is not None and rng.random() < 0.7:
            matte = _segments_matte(rng, own.segments, rng.uniform(0.15, 0.5))
            subject = [_Piece("subject", own.image, matte)]
            background = _fill_hole(rng, own.image, matte, canvas().image)
        else:
            matte = outlines.draw_outline(rng, *own.image.shape[:2], ranges)
            subject = [_Piece("subject", canvas().image, matte)]

    def extra(role):
        other = canvas()
        if other.segments is not None and rng.random() < 0.7:
            matte = _segments_matte(rng, other.segments, rng.uniform(0.01, 0.15))
        else:
            matte = outlines.draw_outline(rng, *other.image.shape[:2], ranges)
        return _Piece(role, other.image, matte)

    low, high = ranges.num_objects
    objects = [extra("object") for _ in range(rng.integers(low, high + 1))]
    front = []
    if rng.random() < ranges.in_front:
        front = [extra("front") for _ in range(rng.integers(1, 3))]
    everywhere = np.ones(background.shape[:2], np.float32)
    return [_Piece("background", background, everywhere), *objects, *subject, *front]


def _draw_canvas(rng, photographs, size, margin, ranges):
    """A texture with its outlines: a window of a photograph, or a procedural one.

    Photographs have a depth of field of their own, which would teach a network to leave
    blur alone: of a few windows the one that is sharp over the largest part is taken.
    """
    side = size + 2 * margin
    if not photographs or (ranges.procedural and rng.random() < ranges.procedural):
        return textures.Photograph(textures.procedural_texture(rng, side, side), None)
    if ranges.reduction:
        window = large_photographs.draw_window(rng, photographs, side, ranges)
        return textures.Photograph(window, None)
    windows = []
    for _ in range(_CANDIDATES):
        path = photographs[rng.integers(len(photographs))]
        photograph = textures.load_photograph(path)
        windows.append(textures.crop_photograph(rng, photograph, size, margin))
    return max(windows, key=lambda window: textures.local_sharpness(window.image))


def _segments_matte(rng, segments, wanted):
    """Antialiased union of segments that grows to about the fraction `wanted`."""
    labels, counts = np.unique(segments, return_counts=True)
    if labels.size < 2:
        return textures.outline(rng, *segments.shape)
    order = rng.permutation(labels.size)
    # start with the segment whose area is nearest, then add those that still fit
    order = sorted(order, key=lambda k: abs(counts[k] / segments.size - wanted))
    chosen, area = [], 0.0
    for k in order:
        fraction = counts[k] / segments.size
        if not chosen or area + fraction <= wanted:
            chosen.append(labels[k])
            area += fraction
    matte = np.isin(segments, chosen).astype(np.float32)
    return cv2.GaussianBlur(matte, (0, 0), _MATTE_SIGMA)


def _fill_hole(rng, image, matte, other):
    """`image` without the object under `matte`, or `other` all over.

    The hole continues the background mirrored at its rim, and deeper inside fades into
    `other`: full texture everywhere, and no seam where the rim can be seen.
    """
    if rng.random() < 0.35:
        return other
    hole = cv2.dilate((matte > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    depth, nearest = cv2.distanceTransformWithLabels(
        hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(hole == 0)
    if rows.size == 0:
        return other
    # labels number the pixels outside the hole
    order = np.zeros(rows.size + 1, np.int64)
    order[nearest[rows, columns]] = np.arange(rows.size)
    rim_y, rim_x = rows[order[nearest]], columns[order[nearest]]
    y, x = np.indices(hole.shape)
    y = np.clip(2 * rim_y - y, 0, hole.shape[0] - 1)
    x = np.clip(2 * rim_x - x, 0, hole.shape[1] - 1)
    outside = hole[y, x] == 0
    y, x = np.where(outside, y, rim_y), np.where(outside, x, rim_x)
    fade = np.clip((depth - 4.0) / 12.0, 0, 1)[..., None]
    return image[y, x] + fade * (other - image[y, x])


def _draw_depths(rng, kind, max_coc, pieces, ranges):
    """Signed circle diameter [px] of every piece, defined everywhere."""
    shape = pieces[0].matte.shape
    if kind == "sharp":
        return [_plane(rng, shape, rng.uniform(-0.4, 0.4), 0.1) for _ in pieces]
    has_subject = any(piece.role == "subject" for piece in pieces)
    has_front = any(piece.role == "front" for piece in pieces)
    near, far, subject_at = _depth_range(rng, kind, max_coc, has_subject, has_front)
    background = _background_depth(rng, shape, near, far)
    cocs = [background]
    for piece in pieces[1:]:
        inside = background[piece.matte > 0.5]
        behind = float(np.quantile(inside, 0.1)) if inside.size else near
        if piece.role == "subject":
            coc = _plane(rng, shape, subject_at, rng.uniform(0, ranges.subject_slope))
        elif piece.role == "object":
            centre = subject_at + rng.uniform(0.0, 1.0) * max(behind - subject_at, 0)
            coc = _plane(
                rng, shape, centre, rng.uniform(0, ranges.object_slope) * max_coc
            )
        else:
            centre = -rng.uniform(0.15, 1.0) * max_coc
            coc = _plane(rng, shape, centre, rng.uniform(0, 0.1) * max_coc)
        cocs.append(coc)
    if kind == "blurred" and has_front and rng.random() < 0.5:
        cocs = [coc - 1.3 * max_coc for coc in cocs]  # all nearer than the focal plane
    return [np.clip(coc, -max_coc, max_coc) for coc in cocs]


def _depth_range(rng, kind, max_coc, has_subject, has_front):
    """Nearest and farthest circle of the background, and the subject's [px]."""
    if kind == "blurred":
        near = rng.uniform(0.35, 0.7) * max_coc
        return near, rng.uniform(0.7, 1.0) * max_coc, rng.uniform(0.3, 1.0) * near
    if has_front and rng.random() < 0.4:  # focused on what lies behind
        return rng.uniform(-0.5, 0), rng.uniform(0, 0.08) * max_coc, -0.1
    near = rng.uniform(-0.05, 0.5) if has_subject else rng.uniform(-0.1, 0.0)
    far = rng.uniform(0.6, 1.0)
    return near * max_coc, far * max_coc, rng.uniform(-0.5, 0.5)


def _background_depth(rng, shape, near, far):
    """A wall, a ground rising to a wall, a slanted plane or a smooth field [px]."""
    height, width = shape
    kind = rng.choice(["wall", "ground", "slant", "field"], p=[0.3, 0.4, 0.15, 0.15])
    wander = textures.smooth_field(rng, height, width, rng.uniform(0.08, 0.3) * height)
    if kind == "wall":
        level = rng.uniform(0.6, 1.0)
        fraction = level + _plane(rng, shape, 0.0, 0.2) + 0.15 * (wander - 0.5)
    elif kind == "ground":  # inverse depth falls linearly from the bottom to the wall
        foot = rng.uniform(0.1, 0.9)
        y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        fraction = np.clip((1 - y) / (1 - foot), 0, 1) + 0.05 * (wander - 0.5)
    elif kind == "slant":
        ramp = _plane(rng, shape, 0.0, 1.0)
        fraction = (ramp - ramp.min()) / (ramp.max() - ramp.min())
    else:
        fraction = wander
    return (near + (far - near) * np.clip(fraction, 0, 1)).astype(np.float32)


def _plane(rng, shape, centre, slope):
    """A plane: `centre` in the middle, changing by `slope` across, in any direction."""
    height, width = shape
    angle = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    plane = centre + slope * (np.cos(angle) * x + np.sin(angle) * y)
    return plane.astype(np.float32)
