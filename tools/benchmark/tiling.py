"""How far a preset's tiles are from the photograph restored whole.

    python tools/benchmark/tiling.py --preset gkmnet
    python tools/benchmark/tiling.py --preset k3dn_tiny --tile 768 --size 1680x1120

The photograph is scikit-image's "coffee" with rendered defocus, enlarged to --size.
Prints whether that size is tiled by default, and errors in units of 1/255: the largest,
the mean, and the largest mean jump across a line where tiles meet, beside what other
lines have.
"""

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import cost
from tf_defocus.models import presets
from tf_defocus.reports import demo
from tf_defocus.restoration.restorer import TILE, Restorer
from tf_defocus.restoration.seams import measure_seams

PRESET = flags.DEFINE_string("preset", "gkmnet", "Name or folder.")
SIZE = flags.DEFINE_string("size", "1680x1120", "WIDTHxHEIGHT [px].")
TILE_SIDE = flags.DEFINE_integer("tile", TILE, "Longest side of a tile [px].", 1)
JSON = flags.DEFINE_string("json", None, "File for the results.")


def photograph(width, height):
    """dict, view name -> (height, width, 3) float32 in [0, 1]."""
    example = next(e for e in demo.examples() if e.name == "coffee")
    views = {}
    for name, view in example.views.items():
        view = view / np.float32(65535)
        view = cv2.resize(view, (width, height), interpolation=cv2.INTER_CUBIC)
        views[name] = np.clip(view, 0, 1)
    return views


def compare(model, views, tile):
    """The errors of `measure_seams`, and whether this size is tiled by default."""
    views = {name: views[name] for name in Restorer(model).view_names}
    height, width, _ = next(iter(views.values())).shape
    tiler = Restorer(model, tile=tile)
    tiles, halo = tiler.plan(height, width)
    whole = Restorer(model, tile=0).restore(**views)
    results = measure_seams(whole, tiler.restore(**views), tiles, halo)
    by_default = len(Restorer(model).plan(height, width)[0]) > 1
    return {**results, "halo": halo, "tiled_by_default": by_default}


def main(_):
    """Measures, prints and, where wanted, writes the report."""
    sides = SIZE.value.split("x")
    if len(sides) != 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
        raise ValueError(f"--size must be WIDTHxHEIGHT. Received: {SIZE.value!r}")
    model = presets.load_preset(PRESET.value)
    results = compare(model, photograph(*map(int, sides)), TILE_SIDE.value)
    settings = {"preset": PRESET.value, "size": SIZE.value, "tile": TILE_SIDE.value}
    for key, value in (settings | results).items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
    if JSON.value:
        machine = cost.describe_machine()
        report = {**settings, "results": results, "machine": machine}
        cost.write_json(JSON.value, report)


if __name__ == "__main__":
    commands.run(main)
