"""The demonstration: photographs defocused by the project's optics, then restored.

The page shows before, after and truth, with scores and the defocus, and needs nothing
but the PNG files beside it.
"""

import pathlib
import shutil

import numpy as np

from tf_defocus import whole_files
from tf_defocus.evaluation.evaluate import evaluate
from tf_defocus.evaluation.pictures import PICTURES, single_path
from tf_defocus.evaluation.protocols import score
from tf_defocus.evaluation.scores import INPUT
from tf_defocus.images import levels
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.reports import html_page
from tf_defocus.reports.demo_scenes import examples, large_example
from tf_defocus.restoration.photo_control import colour_map

_COC_OF_FULL_COLOR = 16.0  # [px]


def run(restorers, folder, over_scales=None):
    """Restores and scores the examples and writes the page.

    Args:
        restorers: dict, preset name -> `Restorer`.
        over_scales: `Restorer` of several scales, for the large photograph, or None to
            leave that out.
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
    if over_scales is not None:
        sections.insert(0, _large_section(over_scales, folder))
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
    before = scores[INPUT]["psnr"]
    sliders = [
        html_page.slider(
            f"{label}, {before:.2f} to {found['psnr']:.2f} dB",
            *(files[INPUT], files[label]),
        )
        for label, found in scores.items()
        if label != INPUT
    ]
    figures = []
    for label, file in files.items():
        found = scores.get(label)
        measured = [f"{found['psnr']:.2f} dB, {found['ssim']:.3f}"] if found else []
        alt = f"{name}, {_SHOWN.get(label, f'restored by {label}')}"
        figures.append(html_page.figure(file, label, *measured, alt=alt))
    parts = [html_page.row(sliders, wide=True), html_page.row(figures)]
    return html_page.heading(name) + "".join(parts)


def _large_section(restorer, folder):
    """The large photograph, restored over scales, and how wide its blur is."""
    scene = large_example()
    blurred = scene.views["blurred"]
    restored, defocus = restorer.restore(blurred=blurred, return_defocus=True)
    pictures = {
        INPUT: _eight_bits(blurred),
        "restored": _eight_bits(restored),
        "estimated": colour_map(defocus),
        "rendered": colour_map(scene.coc[..., 0]),
    }
    files = {}
    for label, picture in pictures.items():
        path = single_path(folder / PICTURES, scene.name, label)
        path.parent.mkdir(exist_ok=True)
        write_image(path, Image(picture))
        files[label] = path.relative_to(folder).as_posix()
    before, after = (
        score(levels.to_float(image), levels.to_float(scene.sharp), "native16")["psnr"]
        for image in (blurred, restored)
    )
    title = f"restored over scales, {before:.2f} to {after:.2f} dB"
    maps = [
        html_page.figure(files[label], f"width of the blur, {label}")
        for label in ("estimated", "rendered")
    ]
    height, width, _ = blurred.shape
    return (
        html_page.heading(f"{scene.name}: {width} x {height} px, blur up to 64 px")
        + html_page.slider(title, files[INPUT], files["restored"])
        + html_page.row(maps, wide=True)
    )


def _write_page(folder, sections):
    title, heading = "tf_defocus: before and after", "Defocus, before and after"
    text = html_page.page(title, heading, [_HOW_TO_READ, *sections])
    whole_files.write_text(folder / "index.html", text)


_SHOWN = {INPUT: "out of focus", "sharp": "sharp", "defocus": "how far out of focus"}
_HOW_TO_READ = """<p>Drag a slider: left of it the input, right of it the restored
photograph; the button shows it pixel by pixel. In the defocus maps red lies behind the
focal plane, blue in front, white is in focus. The width of blur is dark blue in focus,
then green and yellow, and red from 128 px.</p>"""
