"""The demonstration: photographs defocused by the project's optics, then restored.

The sharp photographs are those that scikit-image carries; no trained preset has seen
them. The page shows before, after and truth, with scores and the defocus, and needs
nothing but the PNG files beside it.
"""

import pathlib
import shutil

import cv2
import numpy as np
import skimage.data

from tf_defocus import whole_files
from tf_defocus.evaluation.evaluate import evaluate
from tf_defocus.evaluation.examples import Example
from tf_defocus.evaluation.pictures import PICTURES, single_path
from tf_defocus.evaluation.scores import INPUT
from tf_defocus.images import levels
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.reports import html_page

SHIFT_RATIO = 0.2  # of the blur's diameter, as measured on real dual-pixel views
MARGIN = 16  # [px], rendered and cropped away
_COC_OF_FULL_COLOR = 16.0  # [px]


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


def run(restorers, folder):
    """Restores and scores the examples and writes the page.

    Args:
        restorers: dict, preset name -> `Restorer`.
        folder: for `index.html`, `scores.json`, `table.md` and `pictures/`; replaced if
            it exists.

    Returns:
        `Scores`.
    """
    folder = _fresh(folder)
    pictures = folder / PICTURES
    pictures.mkdir()
    scenes = list(examples())
    scores = evaluate(
        *(restorers, scenes, "native16", "demonstration", pictures),
        single_pictures=True,
    )
    scores.save(folder)
    for scene in scenes:
        path = single_path(pictures, scene.name, "defocus")
        write_image(path, Image(draw_defocus(scene.coc)))
    sections = [_section(image) for image in scores.images]
    _write_page(folder, [html_page.table(*table_of(scores)), *sections])
    return scores


def table_of(scores):
    """The means over the examples as texts, and what each method gains.

    Args:
        scores: `Scores`.

    Returns:
        (head, rows): lists of str.
    """
    head = ["method", "PSNR [dB]", "SSIM", "gain [dB]"]
    rows = []
    for method, row in scores.summary().items():
        psnr, ssim = row["mean"]["psnr"], row["mean"]["ssim"]
        gain = f"{row['gain']['psnr']:+.2f}" if row.get("gain") else ""
        rows.append([method, f"{psnr:.2f}", f"{ssim:.3f}", gain])
    return head, rows


def draw_defocus(coc):
    """Signed circle of confusion as a picture: red behind focus, blue in front.

    Args:
        coc: (height, width, 1) [px].

    Returns:
        (height, width, 3) uint8, white in focus, full colour from 16 px.
    """
    amount = np.clip(np.abs(coc) / _COC_OF_FULL_COLOR, 0, 1)
    color = np.where(coc > 0, [200, 40, 30], [40, 70, 200])
    return np.rint(255 + amount * (color - 255)).astype("uint8")


def show_folder(pairs, folder):
    """Writes a page of before and after for a user's own photographs.

    Args:
        pairs: iterable of (name, path of the original, path of the restored file).
        folder: where `index.html` and its 8-bit previews go.

    Returns:
        Path of the page.
    """
    folder = pathlib.Path(folder)
    sections = []
    for name, original, restored in pairs:
        stem, pictures = name.replace("/", "_"), {}
        for label, path in (("input", original), ("restored", restored)):
            image = read_image(path)
            preview = f"{stem}_{label}.png"
            pictures[label] = preview
            write_image(folder / preview, Image(_eight_bits(image.pixels)))
        sections.append(html_page.slider(name, pictures["input"], pictures["restored"]))
    _write_page(folder, sections)
    return folder / "index.html"


def _eight_bits(pixels):
    """What a browser shows of any of the depths."""
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype("uint8")
    if pixels.dtype == np.uint8:
        return pixels
    return levels.to_levels(pixels, "uint8")


def _fresh(folder):
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _section(image):
    """Sliders and pictures of one example, from its record in `Scores`."""
    name, scores = image["name"], image["scores"]
    labels = [*scores, "sharp", "defocus"]
    files = {label: single_path(PICTURES, name, label).as_posix() for label in labels}
    sliders = [
        html_page.slider(f"{name}: {label}", files[INPUT], files[label])
        for label in scores
        if label != INPUT
    ]
    figures = []
    for label, file in files.items():
        found = scores.get(label)
        measured = [f"{found['psnr']:.2f} dB, {found['ssim']:.3f}"] if found else []
        figures.append(html_page.figure(file, label, *measured))
    return "".join(sliders) + f'<div class="row">{"".join(figures)}</div>'


def _write_page(folder, sections):
    title, heading = "tf_defocus: before and after", "Defocus, before and after"
    text = html_page.page(title, heading, [_HOW_TO_READ, *sections])
    whole_files.write_text(folder / "index.html", text)


_HOW_TO_READ = """<p>Drag a slider: left of it the input, right of it the restored
photograph. In the defocus maps red lies behind the focal plane, blue in front, white is
in focus.</p>"""
