"""The demonstration's scenes: free photographs, defocused by the project's optics.

The sharp photographs are those that scikit-image carries; no trained preset has seen
them, and nothing is fetched.
"""

import cv2
import numpy as np
import skimage.data

from tf_defocus.evaluation.examples import Example
from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.synthesis import wide_defocus

SHIFT_RATIO = 0.2  # of the blur's diameter, as measured on real dual-pixel views
MARGIN = 16  # [px], rendered and cropped away
# Of the large photograph: prints on a long table, row by row from far to near.
_PRINTS = (
    ("stereo_motorcycle", "coffee", "rocket"),
    ("astronaut", "brick", "gravel", "astronaut"),
    ("coffee", "stereo_motorcycle", "rocket"),
)
_LARGE = (1260, 1920)  # [px]
_FRAME = 10  # [px], white around a print
_WIDEST = 64.0  # [px], blur of the far end


def examples():
    """Photographs with rendered defocus.

    Yields:
        `Example`: 16-bit views `blurred`, `left`, `right`, the sharp image, and the
        signed circle of confusion [px].
    """
    for name, photograph, coc in _scenes():
        sharp = sensor.srgb_to_linear(photograph.astype("float32") / 255)
        border = ((MARGIN, MARGIN), (MARGIN, MARGIN))
        sharp = np.pad(sharp, (*border, (0, 0)), mode="reflect")
        coc = np.pad(coc, border, mode="edge").astype("float32")
        surface = dual_pixel.Surface(sharp, np.ones_like(coc), coc)
        softness = psf.softness_for_shift_ratio(SHIFT_RATIO)
        image = dual_pixel.render([surface], psf.ApertureSplit(softness=softness))
        inside = slice(MARGIN, -MARGIN)
        planes = {
            kind: sensor.quantize16(
                sensor.linear_to_srgb(getattr(image, kind)[inside, inside])
            )
            for kind in ("blurred", "left", "right", "sharp")
        }
        truth = planes.pop("sharp")
        yield Example(name, planes, truth, coc[inside, inside, None])


def _scenes():
    """(name, photograph, signed circle of confusion [px]) per scene."""
    left, _, disparity = skimage.data.stereo_motorcycle()
    nearness = cv2.medianBlur(_without_holes(disparity).astype("float32"), 5)
    near, far = np.percentile(nearness, (97, 3))
    # Affine in inverse depth: sharp at the front wheel, 16 px at the back wall.
    yield "motorcycle", left, np.clip(16 * (near - nearness) / (near - far), 0, 16)

    coffee = skimage.data.coffee()
    rows = np.linspace(1, 0, coffee.shape[0])[:, None] * np.ones(coffee.shape[1])
    yield "coffee", coffee, 20 * rows - 6  # a table: near edge in front of focus

    astronaut = skimage.data.astronaut()
    yield "astronaut", astronaut, _around(astronaut, center=(110, 220), reach=14)

    cat = skimage.data.chelsea()
    yield "cat", cat, np.full(cat.shape[:2], 7.0)  # missed focus everywhere


def _without_holes(disparity):
    """Fills what stereo did not see from the left: surfaces behind continue."""
    filled = np.where(np.isfinite(disparity), disparity, np.nan)
    columns = np.arange(filled.shape[1])
    for row in filled:
        known = np.isfinite(row)
        if known.any():
            row[~known] = np.interp(columns[~known], columns[known], row[known])
    return np.nan_to_num(filled, nan=np.nanmedian(filled))


def _around(photograph, center, reach):
    """Sharp around a point, growing to `reach` pixels with the distance from it."""
    y, x = np.mgrid[: photograph.shape[0], : photograph.shape[1]]
    distance = np.hypot(y - center[0], x - center[1]) / photograph.shape[0]
    return reach * np.clip((distance - 0.12) / 0.5, 0, 1)


def large_example():
    """A large photograph, prints on a long table: in focus near, 64 px of blur far.

    Returns:
        `Example` with the view `blurred`, 16 bit, 1920 px wide; `coc` is the diameter.
    """
    height, width = _LARGE
    rows = [_row_of_prints(names, height // len(_PRINTS)) for names in _PRINTS]
    sharp = sensor.srgb_to_linear(np.concatenate(rows).astype("float32") / 255)
    nearness = np.linspace(0, 1, height, dtype="float32")[:, None]
    reach = np.clip(1 - nearness / 0.8, 0, 1)  # the near fifth is in focus
    coc = np.repeat(_WIDEST * reach**1.5, width, axis=1)
    blurred, truth = (
        sensor.quantize16(sensor.linear_to_srgb(np.clip(image, 0, 1)))
        for image in (wide_defocus.blur(sharp, coc), sharp)
    )
    return Example("prints", {"blurred": blurred}, truth, coc[..., None])


def _row_of_prints(names, height):
    """Photographs side by side, in white frames, as wide as the large photograph."""
    width = _LARGE[1] // len(names)
    prints = []
    for name in names:
        image = getattr(skimage.data, name)()
        image = image[0] if isinstance(image, tuple) else image
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        scale = max(height / image.shape[0], width / image.shape[1])
        size = [
            max(round(side * scale), least)
            for side, least in zip(image.shape[:2], (height, width))
        ]
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        top, left = ((have - want) // 2 for have, want in zip(size, (height, width)))
        image = image[top : top + height, left : left + width].copy()
        for edge in (np.s_[:_FRAME], np.s_[-_FRAME:]):
            image[edge] = 245
            image[:, edge] = 245
        prints.append(image)
    return np.concatenate(prints, axis=1)
