"""Restores photographs without ground truth and shows results side by side, zoomed.

    python tools/reproduce/side_by_side.py --input CUHK/image \\
        --preset kpac_3level,gkmnet --crop out_of_focus0015:40,60,80,60 \\
        --output results/cuhk
    python tools/reproduce/side_by_side.py --input DPD-disp --preset k3dn_tiny \\
        --output results/dpd_disp
    python tools/reproduce/side_by_side.py --input PixelDP --rotate 90 \\
        --preset kpac_3level_dual --output results/pixel
    python tools/reproduce/side_by_side.py --input RTF/input --preset gkmnet \\
        --output results/rtf
    python tools/reproduce/side_by_side.py --input PHOTOGRAPHS --preset kpac_3level \\
        --output results/smartphone

`--input` is a folder of photographs, or of scenes in a layout of
`images.scene_folders`, the published dual-pixel sets' among them. `--crop NAME:X,Y,W,H`
is a place chosen by hand, given as often as wanted; many are better kept in a file for
`--flagfile`. With crops, only the photographs that they name are restored. `--rotate
90` turns photographs counter-clockwise before the network and back after it: PixelDP's
are upright, so that their views are shifted vertically [IFAN's test program].

Writes each restored photograph as `METHOD/NAME.png` and, for each, `NAME.png`: the
input with the crops' boxes, and the crops of the input and of every method; without
crops, input and results in a row.
"""

import pathlib
import re

import numpy as np
import tqdm
from absl import flags

import tf_defocus
from tf_defocus import commands
from tf_defocus.evaluation import pictures
from tf_defocus.images import levels, scene_folders
from tf_defocus.images.files import Image, read_image, write_image

INPUT = flags.DEFINE_string("input", None, "Folder to restore.", required=True)
PRESET = flags.DEFINE_list("preset", ["kpac_3level"], "Names or folders.")
CROP = flags.DEFINE_multi_string("crop", [], "NAME:X,Y,W,H [px], a place to enlarge.")
ROTATE = flags.DEFINE_enum("rotate", "0", ["0", "90"], "Degrees, counter-clockwise.")
COUNT = flags.DEFINE_integer("count", None, "Only so many photographs [all].", 1)
ZOOM = flags.DEFINE_integer("zoom", 200, "Width of an enlarged crop [px].", 16)
OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)

SHOWN_AS_INPUT = ("blurred", "left")  # the first of these that a scene has


def parse_crops(texts):
    """dict, photograph -> list of (left, top, width, height).

    Raises:
        ValueError: if a text is no NAME:X,Y,W,H.
    """
    crops = {}
    for text in texts:
        found = re.fullmatch(r"(.+):(\d+),(\d+),(\d+),(\d+)", text)
        if not found:
            raise ValueError(f"--crop takes NAME:X,Y,W,H. Received: {text!r}")
        name, *numbers = found.groups()
        crops.setdefault(name, []).append(tuple(map(int, numbers)))
    return crops


def choose(scenes, crops, count=None):
    """The scenes to restore: those that crops name, or the first ones.

    Raises:
        ValueError: if a crop names none of them.
    """
    unknown = sorted(crops.keys() - scenes.keys())
    if unknown:
        known = ", ".join(list(scenes)[:5])
        raise ValueError(
            f"--crop names no photograph of the folder: {', '.join(unknown)}. "
            f"There are {len(scenes)}: {known} ..."
        )
    names = [name for name in scenes if name in crops or not crops]
    return {name: scenes[name] for name in names[:count]}


def restore(restorer, views, quarter_turns=0):
    """The result of a network, from views turned counter-clockwise so often.

    Args:
        restorer: object with `view_names` and `restore(**views)`.
        views: dict, name -> (height, width, 3) array; those not wanted are left out.
        quarter_turns: int.

    Returns:
        (height, width, 3) float32 in [0, 1], upright again.

    Raises:
        ValueError: if a view is missing.
    """
    missing = [name for name in restorer.view_names if name not in views]
    if missing:
        raise ValueError(
            f"the folder has no {' and no '.join(missing)} views; use a preset for "
            "single photographs or a folder of dual-pixel scenes"
        )
    turned = {
        name: np.ascontiguousarray(np.rot90(views[name], quarter_turns))
        for name in restorer.view_names
    }
    restored = np.rot90(restorer.restore(**turned), -quarter_turns)
    return levels.to_float(np.ascontiguousarray(restored))


def compare(scene, restorers, quarter_turns=0):
    """Input and results of one scene: dict, label -> (height, width, 3) float32."""
    views = {role: read_image(path).pixels for role, path in scene.items()}
    first = next(role for role in SHOWN_AS_INPUT if role in views)
    results = {"input": levels.to_float(views[first])}
    for name, restorer in restorers.items():
        results[name] = restore(restorer, views, quarter_turns)
    return results


def write(folder, name, results, crops, zoom):
    """Writes the restored photographs and their comparison."""
    for method, picture in list(results.items())[1:]:
        target = folder / method / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, Image(levels.to_levels(picture, "uint8")))
    if not crops:
        pictures.write_comparison(folder, {"name": name, "scores": {}}, results)
        return
    drawn = pictures.zoomed_comparison(results, crops, zoom)
    write_image(pictures.comparison_path(folder, name), Image(drawn))


def main(_):
    """Restores, and writes results and comparisons."""
    crops = parse_crops(CROP.value)
    scenes = choose(scene_folders.find_views(INPUT.value), crops, COUNT.value)
    restorers = {
        pathlib.Path(preset).name: tf_defocus.Restorer.from_preset(preset)
        for preset in PRESET.value
    }
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    turns = int(ROTATE.value) // 90
    for name, scene in tqdm.tqdm(scenes.items(), unit="photograph"):
        results = compare(scene, restorers, turns)
        write(output, name, results, crops.get(name, []), ZOOM.value)
    print(f"{len(scenes)} photographs restored in {output}")


if __name__ == "__main__":
    commands.run(main)
