"""What restoring over scales gains, by the width of the blur; and what it costs.

    python tools/benchmark/scales.py --preset kpac_3level --photographs A.jpg,B.jpg \\
        --layers 6 --output results/scales --page docs/restoring_over_scales.md

Every sharp photograph is blurred from 0 to 128 px (`synthesis.wide_defocus`), layered
scenes are rendered of all of them, and both are restored at full size only and over
scales as the command does. Of the sharp photographs only what has fine detail counts:
elsewhere they may be out of focus themselves. `--page` needs crops, so a folder of its
own name beside it.
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
from tf_defocus.models import presets
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.synthesis import wide_defocus

PRESET = flags.DEFINE_list("preset", ["kpac_3level"], "Names or folders.")
PHOTOGRAPHS = flags.DEFINE_list("photographs", [], "Sharp photographs.")
RAMPS = flags.DEFINE_integer("ramps", 2, "How many ramps of each photograph.", 1)
LAYERS = flags.DEFINE_integer("layers", 6, "How many layered scenes.", 0)
SEED = flags.DEFINE_integer("seed", 200, "Of the first rendering.")
SIZE = flags.DEFINE_string("size", "1344x896", "WIDTHxHEIGHT of the ramps [px].")
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)
PAGE = flags.DEFINE_string("page", None, "Markdown page to write, for docs.")
SCENE = 832  # [px], side of a layered scene
EDGE_JUMP, NEAR_EDGE = 4.0, 24  # [px] of width, and distance to such a jump
CROP = 160  # [px]
CROP_WIDTHS = (1, 5, 14, 30, 52, 96)  # [px], of the crops of a ramp
KINDS = ("ramps", "layers")


def near_depth_edges(coc):
    """(height, width) bool: within `NEAR_EDGE` px of a jump of the blur's width."""
    square = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(coc, square) - cv2.erode(coc, square) > EDGE_JUMP
    reach = np.ones((2 * NEAR_EDGE + 1, 2 * NEAR_EDGE + 1), np.uint8)
    return cv2.dilate(jump.astype(np.uint8), reach) > 0


def areas(example):
    """dict, name -> (height, width) bool: the ranges of widths, and depth edges."""
    detailed, coc = has_detail(example["sharp"]), example["coc"]
    found = {
        f"{low}-{min(high, 128)} px": detailed & (coc >= low) & (coc < high)
        for low, high in itertools.pairwise(EDGES)
    }
    return {**found, "near depth edges": detailed & near_depth_edges(coc)}


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
    """All presets on all examples: sums, seconds per method, and a picture of crops."""
    sums, seconds, picture = Sums(), {}, {}
    models = {pathlib.Path(n).name: presets.load_preset(n) for n in PRESET.value}
    size = tuple(map(int, SIZE.value.split("x")))
    for kind, name, example in examples(paths, LAYERS.value, SEED.value, size):
        before = squared_errors(example, example["blurred"])
        for preset, model in models.items():
            views = {view: example[view] for view in model.view_names}
            shown = [example["blurred"]]
            for method, options in METHODS.items():
                start = time.perf_counter()
                image = Restorer(model, **options).restore(**views)
                key = f"`{preset}`, {method}"
                seconds[key] = seconds.get(key, 0) + time.perf_counter() - start
                sums.add(kind, key, example, before, image)
                shown.append(image)
            if preset == next(iter(models)) and kind not in picture:
                picture[kind] = crops(example, [*shown, example["sharp"]])
        print(kind, name, flush=True)
    return sums, seconds, picture


METHODS = {
    "full size only": {},
    "over scales": {"scales": (1, 2, 4, 8), "protect_sharp": True},
}


def page(sums, seconds, folder):
    """The page of the documentation."""
    methods = list(seconds)
    ranges = [f"{a}-{min(b, 128)} px" for a, b in itertools.pairwise(EDGES)]
    places = {"photographs": "SHARP,PHOTOGRAPHS", "output": "results/scales"}
    command = commands.shown_command(sys.argv, places)
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    pairs = zip(methods[::2], methods[1::2])
    ratios = [f"{seconds[b] / seconds[a]:.2f} ({a.split(',')[0]})" for a, b in pairs]
    return TEXT.format(
        command=indented,
        count=len(PHOTOGRAPHS.value),
        ramps_each=RAMPS.value,
        layers=LAYERS.value,
        ramps=table(sums, "ramps", methods, ranges),
        scenes=table(sums, "layers", methods, [*ranges, "near depth edges"]),
        ratios=", ".join(ratios),
        near=NEAR_EDGE,
        widths=", ".join(map(str, CROP_WIDTHS)),
        folder=folder,
    )


TEXT = """# Restoring over scales

A network removes blur up to the width it was trained on, about 26 px. So `tf-defocus
deblur` also restores the photograph at 1/2, 1/4 and 1/8 of its size, where blur is as
much narrower, and blends the changes place by place:

1. *Evidence* (`restoration/scale_evidence.py`): in cells of 4x4 px, the photograph's
   energy in seven octaves, how much each size was changed, and whether neighbouring
   sizes agree.
2. *Choice* (`restoration/scale_choice.py`): a network of two layers of 32 turns it
   into a trust in each size and the width of the blur. It was calibrated on other
   photographs than those below; `tools/calibrate_scales.py` does so and compares
   other ways to choose.
3. *Blending* (`restoration/scale_blending.py`): octave by octave, so that a small
   copy contributes only frequencies that it has.
4. *Protection*: where the blur is estimated below 1.5 px nothing is changed, bit for
   bit.

How many sizes there are goes by the size of the photograph (`--scales auto`): a smaller
copy is restored while its longer side has 600 px, since blur is as wide as the
photograph is large. The renderings below stand for parts of large photographs: they
have all four.

The same estimate is what `--defocus-map` writes. It is one map from single windows: a
smooth place, a shadow or a thin thing before a blurred background is told wrongly.

An earlier choice failed on one of the four real scenes of `docs/preset_scores.md`; that
was looked into, and led to the rule of 600 px and to never leaving wide blur alone. No
number was fitted to those scenes, but for restoring over scales they are not unseen.

## Gain by the width of the blur

{count} sharp photographs blurred by discs that grow from 0 to 128 px (ramps of
each: {ramps_each}), and {layers} scenes of objects at several depths; 8 bits, noise
of a good camera. All pixels together, in brackets the worst photograph. Made by

{command}
{ramps}
Layered scenes; "near depth edges" is within {near} px of a jump of the width. If halos
grew, the gain there would fall:

{scenes}
Time over scales, of that at full size only: {ratios} (a shared machine; the sizes'
pixels sum to 1.33).

## Crops

100 % of a ramp, where the disc is {widths} px wide; blurred, full size only, over
scales, sharp:

![Crops of a ramp: wide blur is reduced over scales only]({folder}/ramps.jpg)

A layered scene in the same order:

![Crops of a layered scene]({folder}/layers.jpg)
"""


def main(_):
    """Renders, restores, scores and writes the tables."""
    if not PHOTOGRAPHS.value:
        raise ValueError("--photographs is empty; give sharp photographs")
    sums, seconds, picture = measure(PHOTOGRAPHS.value)
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    rows = {" | ".join(key): rows for key, rows in sums.values.items()}
    found = {"squared_errors": rows, "seconds": seconds}
    report = {**found, "machine": cost.describe_machine()}
    whole_files.write_text(output / "scales.json", json.dumps(report, indent=1) + "\n")
    target = pathlib.Path(PAGE.value) if PAGE.value else output / "table.md"
    folder = target.with_suffix("")
    folder.mkdir(exist_ok=True)
    for kind, pixels in picture.items():
        write_image(folder / f"{kind}.jpg", Image(np.ascontiguousarray(pixels)))
    text = page(sums, seconds, folder.name)
    whole_files.write_text(target, text)
    print(text)


if __name__ == "__main__":
    commands.run(main)
