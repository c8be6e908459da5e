"""How many sizes a photograph needs, by its own size: what `--scales auto` goes by.

    python tools/benchmark/scales_by_size.py --photographs A.jpg,B.jpg \\
        --sides 480,840,1680 --output results/scales_by_size

The same lens and scene in a photograph of more pixels blur over more of them: networks
trained for blur up to 26 px in photographs 840 px wide meet 52 px in 1680. So rendered
ramps go from 0 to 26 px per 840 px of the longer side, and are restored at full size,
at 1/2 too, and so on, with what is in focus protected. Only renderings are looked at.
"""

import functools

import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation.scale_calibration import EDGES, gains, has_detail
from tf_defocus.images import levels
from tf_defocus.markdown_table import leave_table
from tf_defocus.restoration import over_scales
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.synthesis import wide_defocus

PRESET = flags.DEFINE_string("preset", "kpac_3level", "Name or folder.")
PHOTOGRAPHS = flags.DEFINE_list("photographs", [], "Sharp photographs.")
SIDES = flags.DEFINE_list("sides", ["480", "840", "1680"], "Longer sides [px].")
SEED = flags.DEFINE_integer("seed", 300, "Of the first rendering.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)
TRAINED_WIDTH, TRAINED_SIDE = 26.0, 840  # [px]
COUNTS = (1, 2, 3, 4)
MULTIPLE = 24  # sides of 3:2 whose reductions are whole


def restore_with_each(restorer, blurred):
    """Restored with the first 1, 2, 3 and 4 sizes, each restored once."""
    kept = {}

    def restore(views):
        size = views["blurred"].shape
        if size not in kept:
            kept[size] = restorer.restore(**views)
        return kept[size]

    control = over_scales.Control(protect_sharp=True)
    restored = functools.partial(
        over_scales.restore_over_scales, restore=restore, control=control
    )
    views = {"blurred": blurred}
    return [restored(views, over_scales.AUTO[:count])[0] for count in COUNTS]


def gains_of(restorer, path, seed, side):
    """Gain [dB] over all that has detail, and up to 8 px, with each count of sizes."""
    width = side // MULTIPLE * MULTIPLE
    widest = TRAINED_WIDTH * side / TRAINED_SIDE
    example = wide_defocus.make_ramp(path, seed, width, width * 2 // 3, widest)
    detailed = has_detail(example["sharp"])
    coc = example["coc"][detailed]
    sharp = levels.to_float(example["sharp"])

    def errors(image):
        return ((levels.to_float(image) - sharp) ** 2).mean(axis=-1)[detailed]

    before = errors(example["blurred"])
    return [
        [
            gains(before, errors(image), coc, edges)[0]
            for edges in ((0, EDGES[-1]), (0, 8))
        ]
        for image in restore_with_each(restorer, example["blurred"])
    ]


def main(_):
    """Renders, restores and prints a table."""
    restorer = Restorer.from_preset(PRESET.value)
    lines = []
    for side in map(int, SIDES.value):
        found = [
            gains_of(restorer, path, SEED.value + index, side)
            for index, path in enumerate(PHOTOGRAPHS.value)
        ]
        auto = len(over_scales.scales_for("auto", side * 2 // 3, side))
        means, worst = np.nanmean(found, axis=0), np.nanmin(found, axis=0)
        cells = [
            f"{mean[0]:+.2f} ({low[0]:+.2f}), {mean[1]:+.2f}"
            for mean, low in zip(means, worst)
        ]
        lines.append([str(side), *cells, str(auto)])
        print(lines[-1], flush=True)
    names = ["longer side [px]", *(f"{n} sizes" for n in COUNTS), "auto takes"]
    leave_table(OUTPUT.value, names, lines)


if __name__ == "__main__":
    commands.run(main)
