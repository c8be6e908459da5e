"""Photographs of any colours through a network that knows sRGB.

The network is shown the photograph in sRGB. What it changes there is added to the
photograph's own colours, those outside sRGB included, and the sum goes back to the
colours of the file: so nothing is clipped that the file can hold, and what the network
leaves alone comes out bit for bit.
"""

import dataclasses
import functools

import numpy as np

from tf_defocus.images import colour_spaces, levels
from tf_defocus.restoration.over_scales import centre_view

BAND = 128  # rows converted at a time


def restore_image(restorer, images, **keywords):
    """Restores a photograph as `Restorer.restore` does, in the colours it states.

    Args:
        restorer: `Restorer`.
        images: dict, view name -> `images.Image`; the first one lends its metadata.
        **keywords: of `Restorer.restore`.

    Returns:
        `(image, defocus)`: the restored `images.Image`, and the map if
        `return_defocus` is asked for, or None.
    """
    views, finish = prepare(images)
    result = restorer.restore(**views, **keywords)
    asked = keywords.get("return_defocus")
    restored, defocus = result if asked else (result, None)
    return finish(restored), defocus


def restore_images(restorer, batch, strength=1.0):
    """Restores photographs of one size, as `Restorer.restore_batch` does.

    Args:
        restorer: `Restorer`.
        batch: list of `images` as of `restore_image`.
        strength: as of `Restorer.restore`.

    Returns:
        List of `images.Image`, restored.
    """
    prepared = [prepare(images) for images in batch]
    restored = restorer.restore_batch([views for views, _ in prepared], strength)
    return [finish(pixels) for (_, finish), pixels in zip(prepared, restored)]


def prepare(images):
    """A photograph as the network is shown it, and the way back.

    Args:
        images: as of `restore_image`.

    Returns:
        `(views, finish)`: dict, view name -> (height, width, 3) pixels in sRGB; and a
        function of the restored pixels that returns the `images.Image`, in the
        photograph's own colours.
    """
    spaces, notes = _spaces(images)
    return _shown(images, spaces), functools.partial(_finished, images, spaces, notes)


def _spaces(images):
    """dict, view -> its colour space or None, and what there is to say about them."""
    found = {view: colour_spaces.space_of(image) for view, image in images.items()}
    notes = dict.fromkeys(note for _, note in found.values() if note)
    return {view: space for view, (space, _) in found.items()}, tuple(notes)


def _shown(images, spaces):
    """dict, view -> pixels as the network is shown them."""
    if not any(spaces.values()):
        return {view: image.pixels for view, image in images.items()}
    return {view: _seen(image.pixels, spaces[view]) for view, image in images.items()}


def _finished(images, spaces, notes, restored):
    """The first view's `Image` with what became of its pixels, in its own colours."""
    first = next(iter(images.values()))
    if any(spaces.values()):
        pixels = {view: image.pixels for view, image in images.items()}
        restored = _in_own_colours(pixels, spaces, restored)
    restored = np.ascontiguousarray(restored)
    return dataclasses.replace(first, pixels=restored, notes=(*first.notes, *notes))


def _bands(height):
    return (slice(top, top + BAND) for top in range(0, height, BAND))


def _seen(pixels, space):
    """A view in sRGB, clipped: uint16, or float32 if the file holds floats."""
    dtype = np.dtype(np.float32 if pixels.dtype.kind == "f" else np.uint16)
    seen = np.empty(pixels.shape, dtype)
    for rows in _bands(len(pixels)):
        seen[rows] = levels.to_levels(_srgb(pixels[rows], space), dtype)
    return seen


def _srgb(pixels, space):
    return space.to_srgb(pixels) if space else levels.to_float(pixels)


def _in_own_colours(pixels, spaces, restored):
    """The restored photograph in the colours and levels of its first view."""
    first, space = next(iter(pixels.values())), next(iter(spaces.values()))
    result = np.empty_like(first)
    for rows in _bands(len(first)):
        parts = {view: values[rows] for view, values in pixels.items()}
        srgb = {view: _srgb(part, spaces[view]) for view, part in parts.items()}
        base = centre_view(srgb)
        shown = centre_view(
            {view: levels.to_levels(v, restored.dtype) for view, v in srgb.items()}
        )
        change = levels.to_float(restored[rows]) - levels.to_float(shown)
        changed = base + change
        back = space.from_srgb(changed) if space else np.clip(changed, 0, 1)
        result[rows] = levels.to_levels(back, result.dtype)
        if "blurred" in parts:
            same = (restored[rows] == shown).all(axis=2, keepdims=True)
            result[rows] = np.where(same, parts["blurred"], result[rows])
    return result
