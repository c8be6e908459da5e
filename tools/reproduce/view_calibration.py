"""Measures a dual-pixel camera's optics from its views, for the simulator to follow.

    python tools/reproduce/view_calibration.py --folder SCENES \\
        --output results/view_calibration --page docs/view_calibration.md

SCENES holds <scene>/{left,right,target}.png. Writes the page and `kernels.png`: per
scene, in a row, the left and the right kernel estimated without a model, and those of
the split that explains the scene best. Nothing is trained.
"""

import os
import pathlib
import sys

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.markdown_table import markdown_table
from tf_defocus.optics import psf
from tf_defocus.optics import view_calibration as calibration

FOLDER = flags.DEFINE_string("folder", None, "Folder of scenes.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for the picture.", required=True)
PAGE = flags.DEFINE_string("page", None, "Markdown page to write, for docs.")

VIEWS = ("left", "right", "target")
NUM_LOGISTIC = len(calibration.RATIOS)
ZOOM, GAP, LABEL_HEIGHT = 5, 4, 20  # px
KERNEL_SIZE = 27  # px


def read_scenes(folder):
    """dict, name -> left, right and sharp pixels of every scene of a folder.

    Raises:
        FileNotFoundError: if a scene lacks a file, or there is no scene.
    """
    scenes = {}
    for scene in sorted(p for p in pathlib.Path(folder).iterdir() if p.is_dir()):
        files = [scene / f"{view}.png" for view in VIEWS]
        scenes[scene.name] = [read_image(file).pixels[..., :3] for file in files]
    if not scenes:
        raise FileNotFoundError(f"Expected folders of scenes in {folder}. None found")
    return scenes


def best_ratio(measurement):
    """Shift over diameter of the logistic split that leaves least, by a parabola."""
    totals = measurement.residuals[:NUM_LOGISTIC, measurement.explained].mean(axis=1)
    middle = int(np.clip(np.argmin(totals), 1, NUM_LOGISTIC - 2))
    near = slice(middle - 1, middle + 2)
    a, b, _ = np.polyfit(calibration.RATIOS[near], totals[near], 2)
    low, _, high = calibration.RATIOS[near]
    return float(np.clip(-b / (2 * a), low, high)) if a > 0 else float("nan")


def share_table(found):
    """Markdown: per split and scene, what it leaves of the views' variance."""
    splits = next(iter(found.values())).splits
    lines = []
    for index, split in enumerate(splits):
        cells = [
            f"{100 * m.residuals[index, m.explained].mean():.2f}"
            if m.explained.any()
            else "-"
            for m in found.values()
        ]
        ratio = f"{psf.shift_ratio(split):.2f}"
        lines.append([split.family, ratio, *cells])
    return markdown_table(["split", "shift / diameter", *found], lines)


def scene_table(scenes, found, of_encoded):
    """Markdown: per scene, its windows, best shift, blur, noise and the views' gain."""
    head = ["scene", "windows", "shift / diameter", "diameter [px]"]
    head += [
        "left in linear light, in encoded values [%]",
        "noise left, right [of 255]",
    ]
    lines = []
    for name, (left, right, _) in scenes.items():
        m, other = found[name], of_encoded[name]
        count = int(m.explained.sum())
        if not count:
            lines.append([name, "0", *"-----"])
            continue
        best = np.argmin(m.residuals[:, m.explained].mean(axis=1))
        diameters = np.quantile(m.diameters[best, m.explained], (0.05, 0.5, 0.95))
        left_over = [
            100 * np.min(e.residuals[:, e.explained].mean(axis=1)) for e in (m, other)
        ]
        noise = [255 * calibration.noise_deviation(v, m) for v in (left, right)]
        gain = left.mean() / right.mean()
        cells = [
            " / ".join(f"{d:.1f}" for d in diameters),
            f"{left_over[0]:.2f}, {left_over[1]:.2f}",
            f"{noise[0]:.1f}, {noise[1]:.1f}",
            f"{gain:.3f}",
        ]
        lines.append([name, str(count), f"{best_ratio(m):.3f}", *cells])
    return markdown_table([*head, "left / right"], lines)


def picture(scenes, found):
    """(height, width, 3) uint8: per scene, estimated and modelled kernels."""
    strips = []
    for name, images in scenes.items():
        m = found[name]
        if not m.explained.any():
            continue
        best = int(np.argmin(m.residuals[:, m.explained].mean(axis=1)))
        diameter = float(np.median(m.diameters[best, m.explained]))
        *kernels, count = calibration.estimate_kernels(
            *images, m, diameter, KERNEL_SIZE
        )
        kernels += psf.dual_pixel_pair(diameter, m.splits[best])
        label = f"{name}: {diameter:.1f} px, {count} windows; measured, model"
        strips.append(_strip(kernels, label))
    return np.concatenate(strips)


def _strip(kernels, label):
    kernels = [_centred(kernel) for kernel in kernels]
    peak = max(kernel.max() for kernel in kernels)
    tiles = []
    for kernel in kernels:
        pixels = np.rint(np.clip(kernel / peak, 0, 1) * 255).astype(np.uint8)
        tiles += [pixels.repeat(ZOOM, 0).repeat(ZOOM, 1)]
        tiles += [np.full((tiles[-1].shape[0], GAP), 255, np.uint8)]
    row = np.concatenate(tiles[:-1], axis=1)
    bar = np.full((LABEL_HEIGHT, row.shape[1]), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(bar, label, (GAP, 14), font, 0.4, 0, 1, cv2.LINE_AA)
    return np.repeat(np.concatenate([bar, row])[..., None], 3, axis=-1)


def _centred(kernel):
    """Padded or cropped to the side of the picture's kernels."""
    margin = (KERNEL_SIZE - len(kernel)) // 2
    if margin >= 0:
        return np.pad(kernel, margin)
    return kernel[-margin:margin, -margin:margin]


def page(shares, table, command, pictured):
    """The page of the documentation around the tables."""
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    return (
        "# The views of a real camera, measured\n\n"
        "What a camera's left and right views say about the optics that the simulator "
        "imitates. The scenes are measured, never trained on. Made by\n\n"
        f"{indented}\nA window of {calibration.WINDOW} px counts where one kernel of "
        f"at least {calibration.LEAST_DIAMETER:g} px leaves less than "
        f"{100 * calibration.EXPLAINED:g} % of both views' variance.\n\n{table}\n"
        "The diameter: 5th, 50th and 95th percentile of the windows. *In linear light, "
        "in encoded values*: what the best split leaves of the variance when the sharp "
        "image is blurred in either. The noise holds the files' dither; of the mean "
        "colour, in the smoothest quarter of the windows.\n\n"
        "What each split of the aperture leaves of the views' variance [%], at every "
        f"window's best diameter:\n\n{shares}\n"
        f"![Measured and modelled kernels]({pictured})\n\n"
        "In a row: the left and the right kernel without a model, then those of the "
        "split that leaves least. Windows of one scene lie at several depths within a "
        "tenth of the stated diameter, and sharp and blurred photograph were not taken "
        "from exactly one place, which widens what is measured.\n"
    )


def main(_):
    """Measures, prints and saves."""
    scenes = read_scenes(FOLDER.value)
    found = {name: calibration.measure(*images) for name, images in scenes.items()}
    encoded = {
        name: calibration.measure(*images, encoded=True)
        for name, images in scenes.items()
    }
    shares, table = share_table(found), scene_table(scenes, found, encoded)
    print(table + "\n" + shares, end="")
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    write_image(output / "kernels.png", Image(picture(scenes, found)))
    if PAGE.value:
        target = pathlib.Path(PAGE.value)
        pictured = os.path.relpath(output / "kernels.png", target.parent)
        command = commands.shown_command(sys.argv, {"folder": "SCENES"})
        whole_files.write_text(target, page(shares, table, command, pictured))


if __name__ == "__main__":
    commands.run(main)
