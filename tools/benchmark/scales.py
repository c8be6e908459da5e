"""What restoring over scales gains, by the width of the blur; and what it costs.

    python tools/benchmark/scales.py --preset kpac_3level --photographs A.jpg,B.jpg \\
        --layers 6 --output results/scales
    python tools/benchmark/scales.py --photographs A.jpg,B.jpg --layers 0 --output O \\
        --methods scales,bfloat16,ensemble

Every sharp photograph is blurred from 0 to 128 px (`synthesis.wide_defocus`), layered
scenes are rendered of all of them, and both are restored at full size only, over scales
as the command does, and in other ways. Of the sharp photographs only what has fine
detail counts: elsewhere they may be out of focus themselves. The tables are printed and
kept in the output's `table.md`; `ramps.jpg` and `layers.jpg` beside it show crops.
"""

import itertools
import json
import pathlib
import sys
import time

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation import cost
from tf_defocus.evaluation.scale_calibration import EDGES, has_detail
from tf_defocus.images import levels
from tf_defocus.images.files import Image, write_image
from tf_defocus.markdown_table import markdown_table
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.synthesis import wide_defocus

PRESET = flags.DEFINE_list("preset", ["kpac_3level"], "Names or folders.")
PHOTOGRAPHS = flags.DEFINE_list("photographs", [], "Sharp photographs.")
RAMPS = flags.DEFINE_integer("ramps", 2, "How many ramps of each photograph.", 1)
LAYERS = flags.DEFINE_integer("layers", 6, "How many layered scenes.", 0)
SEED = flags.DEFINE_integer("seed", 200, "Of the first rendering.")
SIZE = flags.DEFINE_string("size", "1344x896", "WIDTHxHEIGHT of the ramps [px].")
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)
_OVER = {"scales": (1, 2, 4, 8), "protect_sharp": True}
WAYS = {  # name -> what it is, and the options of `Restorer.from_preset`
    "single": ("full size only", {}),
    "scales": ("over scales", _OVER),
    "command": ("as the command", {"scales": "auto", "protect_sharp": True}),
    "unprotected": ("over scales, nothing protected", {"scales": (1, 2, 4, 8)}),
    "bfloat16": ("over scales in bfloat16", {**_OVER, "precision": "bfloat16"}),
    "ensemble": ("over scales, ensemble", {**_OVER, "ensemble": True}),
}
METHODS = flags.DEFINE_list("methods", ["single", "scales"], f"Of {', '.join(WAYS)}.")
SCENE = 832  # [px], side of a layered scene
EDGE_JUMP, NEAR_EDGE = 4.0, 24  # [px] of width, and distance to such a jump
IN_FOCUS = 1.5  # [px]
RINGS = (1, 5, 13, 25, 49, 97)  # [px], distances from a depth edge
CROP = 160  # [px]
EDGE_SCENES = (0, 1)  # of which crops at depth edges are shown
CROP_WIDTHS = (1, 5, 14, 30, 52, 96)  # [px], of the crops of a ramp
KINDS = ("ramps", "layers")


def depth_jumps(coc):
    """(height, width) float32 [px]: jumps of the width beside a pixel."""
    square = np.ones((3, 3), np.uint8)
    return cv2.dilate(coc, square) - cv2.erode(coc, square)


def edge_distance(coc):
    """(height, width) float32 [px]: from the nearest jump of the blur's width."""
    jump = (depth_jumps(coc) > EDGE_JUMP).astype(np.uint8)
    if not jump.any():
        return np.full(coc.shape, np.inf, np.float32)
    return cv2.distanceTransform(1 - jump, cv2.DIST_C, 3)


def areas(example):
    """dict, name -> (height, width) bool: the ranges of widths, and depth edges."""
    detailed, coc = has_detail(example["sharp"]), example["coc"]
    near = edge_distance(coc) <= NEAR_EDGE
    found = {
        f"{low}-{min(high, 128)} px": detailed & (coc >= low) & (coc < high)
        for low, high in itertools.pairwise(EDGES)
    }
    return {**found, "near depth edges": detailed & near}


def squared_errors(example, image):
    """(height, width) float32, mean over the colours."""
    difference = levels.to_float(image) - levels.to_float(example["sharp"])
    return (difference**2).mean(axis=-1)


def decibels(before, after):
    """Gain [dB] of sums of squared errors."""
    return 10 * np.log10(before / max(after, 1e-12))


class Sums:
    """Squared errors per kind of example, method and area, photograph by photograph."""

    def __init__(self):
        self.values = {}

    def add(self, kind, method, example, before, image):
        """Counts one restored image; areas of fewer than 3000 pixels are left out."""
        after = squared_errors(example, image)
        for area, mask in areas(example).items():
            if mask.sum() >= 3000:
                key = kind, method, area
                row = float(before[mask].sum()), float(after[mask].sum())
                self.values.setdefault(key, []).append(row)

    def gain(self, kind, method, area):
        """All pixels together, and the worst photograph; None if there are none."""
        rows = self.values.get((kind, method, area))
        if not rows:
            return None
        together = decibels(*np.sum(rows, axis=0))
        return together, min(decibels(*row) for row in rows)


class Halos:
    """Error on the sharp side of depth edges, by the distance from them."""

    def __init__(self):
        self.values = {}

    def add(self, method, example, image):
        """Counts one image."""
        sharp = example["coc"] < IN_FOCUS
        distance = edge_distance(example["coc"])
        errors = squared_errors(example, image)
        rows = self.values.setdefault(method, np.zeros((len(RINGS) - 1, 2)))
        for row, (low, high) in zip(rows, itertools.pairwise(RINGS)):
            here = sharp & (distance >= low) & (distance < high)
            row += errors[here].sum(), here.sum()

    def table(self):
        """Markdown: root of the mean squared error [of 255]."""
        lines = []
        for method, rows in self.values.items():
            total, count = np.maximum(rows, 1e-9).T
            errors = 255 * np.sqrt(total / count)
            lines.append([method, *(f"{error:.2f}" for error in errors)])
        rings = [f"{low}-{high} px" for low, high in itertools.pairwise(RINGS)]
        return markdown_table(["error [of 255]", *rings], lines)


def table(sums, kind, methods, names):
    """Markdown: a row per method; in brackets the worst photograph."""
    lines = []
    for method in methods:
        cells = [sums.gain(kind, method, name) for name in names]
        texts = ["" if c is None else f"{c[0]:+.2f} ({c[1]:+.2f})" for c in cells]
        lines.append([method, *texts])
    return markdown_table(["gain [dB]", *names], lines)


def examples(paths, layers, seed, size):
    """Yields (kind, name, example)."""
    for index, path in enumerate(RAMPS.value * list(paths)):
        name = pathlib.Path(path).stem
        yield "ramps", name, wide_defocus.make_ramp(path, seed + index, *size)
    for index in range(layers):
        drawn = wide_defocus.make_layers(paths, 2 * seed + index, SCENE)
        yield "layers", f"scene {index}", drawn


def edge_crops(example, images, count=6):
    """100 % crops where a sharp object ends before a blurred one, or behind."""
    beside = (depth_jumps(example["coc"]) > 2 * EDGE_JUMP).astype(np.float32)
    sharp = (example["coc"] < IN_FOCUS) & has_detail(example["sharp"])
    score = cv2.blur(beside, (CROP, CROP)) * cv2.blur(np.float32(sharp), (CROP, CROP))
    half, columns = CROP // 2, []
    for _ in range(count):
        inner = score[half:-half, half:-half]
        top, left = np.unravel_index(np.argmax(inner), inner.shape)
        here = np.s_[top : top + CROP, left : left + CROP]
        score[top : top + CROP + half, left : left + CROP + half] = 0
        columns.append(np.vstack([levels.convert(i[here], "uint8") for i in images]))
    return np.hstack(columns)


def crops(example, images):
    """100 % crops: a column per width of the blur, a row per image."""
    detailed = has_detail(example["sharp"]).astype(np.float32)
    share = cv2.blur(detailed, (CROP, CROP))
    half, columns = CROP // 2, []
    inner = np.s_[half:-half, half:-half]
    for width in CROP_WIDTHS:
        distance = np.abs(np.log2((example["coc"] + 1) / (width + 1)))
        score = (share - 3 * cv2.blur(distance, (CROP, CROP)))[inner]
        top, left = np.unravel_index(np.argmax(score), score.shape)
        here = np.s_[top : top + CROP, left : left + CROP]
        columns.append(np.vstack([levels.convert(i[here], "uint8") for i in images]))
    return np.hstack(columns)


def measure(paths):
    """All presets on all examples: sums, halos, seconds per method, and crops."""
    sums, halos, seconds, picture = Sums(), Halos(), {}, {}
    restorers = {
        (preset, way): Restorer.from_preset(preset, **WAYS[way][1])
        for preset in PRESET.value
        for way in METHODS.value
    }
    size = tuple(map(int, SIZE.value.split("x")))
    for kind, name, example in examples(paths, LAYERS.value, SEED.value, size):
        before = squared_errors(example, example["blurred"])
        shown = []
        if kind == "layers":
            halos.add("blurred", example, example["blurred"])
        for (preset, way), restorer in restorers.items():
            views = {view: example[view] for view in restorer.view_names}
            start = time.process_time()
            image = restorer.restore(**views)
            key = f"`{pathlib.Path(preset).name}`, {WAYS[way][0]}"
            seconds[key] = seconds.get(key, 0) + time.process_time() - start
            sums.add(kind, key, example, before, image)
            if kind == "layers":
                halos.add(key, example, image)
            if preset == PRESET.value[0]:
                shown.append(image)
        if kind not in picture:
            images = [example["blurred"], *shown, example["sharp"]]
            picture[kind] = crops(example, images)
        if kind == "layers" and int(name.split()[1]) in EDGE_SCENES:
            images = [example["blurred"], *shown, example["sharp"]]
            found = picture.get("edges")
            more = edge_crops(example, images, 3)
            picture["edges"] = more if found is None else np.hstack([found, more])
        print(kind, name, flush=True)
    return sums, halos, seconds, picture


def page(sums, halos, seconds):
    """The tables, with the command that makes them."""
    places = {"photographs": "SHARP,PHOTOGRAPHS", "output": "results/scales"}
    command = commands.shown_command(sys.argv, places)
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    ranges = [f"{a}-{min(b, 128)} px" for a, b in itertools.pairwise(EDGES)]
    parts = [indented]
    for kind, names in (("ramps", ranges), ("layers", [*ranges, "near depth edges"])):
        if any(key[0] == kind for key in sums.values):
            parts.append(f"{kind}:\n\n{table(sums, kind, list(seconds), names)}")
    if halos.values:
        parts.append(f"sharp side of depth edges:\n\n{halos.table()}")
    methods, ratios = list(seconds), []
    for index, method in enumerate(methods):
        first = methods[index - index % len(METHODS.value)]
        if method != first:
            ratios.append(f"{method}: {seconds[method] / seconds[first]:.2f}")
    parts.append(f"processor time, of the first: {', '.join(ratios)}\n")
    return "\n".join(parts)


def main(_):
    """Renders, restores, scores and writes the tables."""
    if not PHOTOGRAPHS.value:
        raise ValueError("--photographs is empty; give sharp photographs")
    sums, halos, seconds, picture = measure(PHOTOGRAPHS.value)
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    rows = {" | ".join(key): rows for key, rows in sums.values.items()}
    found = {"squared_errors": rows, "seconds": seconds}
    report = {**found, "machine": cost.describe_machine()}
    whole_files.write_text(output / "scales.json", json.dumps(report, indent=1) + "\n")
    for kind, pixels in picture.items():
        write_image(output / f"{kind}.jpg", Image(np.ascontiguousarray(pixels)))
    text = page(sums, halos, seconds)
    whole_files.write_text(output / "table.md", text)
    print(text)


if __name__ == "__main__":
    commands.run(main)
