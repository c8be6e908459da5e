"""Measures the rates from which the next size is reckoned, and writes them to its page.

    python tools/benchmark/scale.py --page docs/scale.md

Seconds are of one core: the process' own time, whatever its threads and other programs
do. Bytes are of files that are written here and removed again. The page gets two tables
between its marks: the rates, and what they come to for 100 million crops, 64 graphics
cards and a billion photographs.
"""

import pathlib
import statistics
import sys
import tempfile
import time

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation import cost
from tf_defocus.markdown_table import markdown_table

PAGE = flags.DEFINE_string("page", None, "Markdown page whose tables are replaced.")
REPEATS = flags.DEFINE_integer("repeats", 3, "Calls counted of each.", 1)
SIDE = flags.DEFINE_integer("side", 512, "Of the photograph restored [px].", 64)
PRESETS = flags.DEFINE_list("presets", ["kpac_3level", "gkmnet"], "What restores.")
RECIPE = flags.DEFINE_string(
    "recipe", "kpac_3level_synthetic", "Whose checkpoint is written."
)
LARGE = flags.DEFINE_string("large", "restormer", "A large network.")
MARKS = "<!-- measured -->", "<!-- end of measured -->"

CROP = 256  # [px], of the recipes of synthetic_dp
VIEWS = 4  # photograph, left, right, sharp
CROPS, CARDS, PHOTOGRAPHS = 100e6, 64, 1e9
MEGAPIXELS = 24.0  # of a photograph
JPEG_BYTES = 0.4  # per pixel, taken to be usual for a camera's files
LINKS = {"25 Gbit/s Ethernet": 25e9 / 8, "400 Gbit/s InfiniBand": 400e9 / 8}
DAY, YEAR = 86400, 365.25 * 86400


def core_seconds(function, repeats):
    """Median of the process' own time over so many calls, after one not counted [s]."""
    function()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return statistics.median(times)


def measure_example(repeats):
    """A rendered training example: core seconds, and bytes in memory and as PNG."""
    from tf_defocus.synthesis import scenes

    indices = iter(range(repeats + 1))

    def make():
        return scenes.make_example(
            seed=0, split="train", index=next(indices), size=CROP, photographs=()
        )

    seconds = core_seconds(make, repeats)
    example = scenes.make_example(
        seed=0, split="train", index=0, size=CROP, photographs=()
    )
    views = [example[name] for name in ("blurred", "left", "right", "sharp")]
    return {
        "render [core s/crop]": seconds,
        "raw [bytes/crop]": sum(view.nbytes for view in views),
        "PNG [bytes/crop]": sum(len(cv2.imencode(".png", view)[1]) for view in views),
    }


def measure_presets(names, side, repeats):
    """dict, what is measured -> core seconds per megapixel, over all scales."""
    from tf_defocus.restoration.over_scales import AUTO
    from tf_defocus.restoration.restorer import Restorer

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
    photograph = cv2.GaussianBlur(noise, (0, 0), 3)
    found = {}
    for name in names:
        restorer = Restorer.from_preset(name, scales=AUTO, protect_sharp=True)
        views = {view: photograph for view in restorer.view_names}
        seconds = core_seconds(lambda r=restorer, v=views: r.restore(**v), repeats)
        found[f"restore by `{name}` [core s/Mpx]"] = seconds / (side * side / 1e6)
    return found


def measure_files(side, repeats):
    """Core seconds per megapixel to read a JPEG file and to write one."""
    from tf_defocus.images import Image, read_image, write_image

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
    image = Image(cv2.GaussianBlur(noise, (0, 0), 3), format="jpeg")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a.jpg")
        write = core_seconds(lambda: write_image(path, image), repeats)
        read = core_seconds(lambda: read_image(path), repeats)
    return {"read and write JPEG [core s/Mpx]": (read + write) / (side * side / 1e6)}


def measure_checkpoint(recipe_name):
    """Of a run of that recipe: parameters, bytes of a checkpoint, core seconds."""
    from tf_defocus.configs import get_recipe
    from tf_defocus.models import create_model
    from tf_defocus.training import checkpoints, loop

    recipe = get_recipe(recipe_name)
    model = create_model(recipe.model, **recipe.overrides)
    optimizer = loop.create_optimizer(recipe)
    optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        run = checkpoints.Run(recipe, pathlib.Path(folder), model, model, optimizer)
        seconds = core_seconds(lambda: checkpoints.save_checkpoint(run), 1)
        size = (run.folder / checkpoints.CHECKPOINT).stat().st_size
    return {
        "parameters": model.count_params(),
        "checkpoint [bytes/parameter]": size / model.count_params(),
        "checkpoint [core s/GB]": seconds / (size / 1e9),
    }


def measure_large_network(name):
    """Parameters of the largest network that is trained."""
    from tf_defocus.models import create_model

    return {f"parameters of `{name}`": create_model(name).count_params()}


def rows_of_needs(rates, presets, large):
    """What the rates come to: rows of (what, how it is reckoned, how much).

    Args:
        rates: dict, as measured.
        presets: names of presets that were measured.
        large: str, name of the large network.
    """
    raw, png = rates["raw [bytes/crop]"], rates["PNG [bytes/crop]"]
    render = rates["render [core s/crop]"]
    rows = [
        ("100 M crops, raw", "crops x bytes", f"{CROPS * raw / 1e12:.0f} TB"),
        ("100 M crops, PNG", "crops x bytes", f"{CROPS * png / 1e12:.0f} TB"),
        (
            "rendering them",
            "crops x core s / (1,000 cores)",
            f"{CROPS * render / 1000 / DAY:.1f} days",
        ),
    ]
    per_parameter = rates["checkpoint [bytes/parameter]"]
    sizes = {"this recipe's network": rates["parameters"]}
    sizes[f"`{large}`"] = rates[f"parameters of `{large}`"]
    for name, count in sizes.items():
        size = count * per_parameter
        rows.append((f"a checkpoint of {name}", "parameters x bytes", _bytes(size)))
        moved = 2 * (CARDS - 1) / CARDS * 4 * count
        rows.append(
            (
                f"a step's gradients of {name}, sent by each of {CARDS} cards",
                "2 (n - 1) / n x 4 bytes x parameters",
                _bytes(moved),
            )
        )
        for link, speed in LINKS.items():
            rows.append(
                (f"... over {link}", "/ speed", f"{1e3 * moved / speed:.1f} ms")
            )
    pixels = PHOTOGRAPHS * MEGAPIXELS
    files = rates["read and write JPEG [core s/Mpx]"]
    kept = pixels * 1e6 * JPEG_BYTES
    rows.append(
        (
            "a billion JPEG files of 24 Mpx; their outputs as much again",
            f"pixels x {JPEG_BYTES} bytes, assumed",
            _bytes(kept),
        )
    )
    for name in presets:
        seconds = pixels * (rates[f"restore by `{name}` [core s/Mpx]"] + files)
        rows.append(
            (
                f"restoring them by `{name}`",
                "pixels x core s / (10,000 cores)",
                f"{seconds / 1e4 / YEAR:.1f} years",
            )
        )
    return rows


def _bytes(count):
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e6:.3g} MB"


def tables(rates, needs, machine):
    """The two tables and the machine, as Markdown."""
    command = commands.shown_command(sys.argv)
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    measured = markdown_table(
        ["rate", "measured"], [[name, f"{rate:,.4g}"] for name, rate in rates.items()]
    )
    reckoned = markdown_table(["need", "reckoned as", "comes to"], map(list, needs))
    return (
        f"{indented}\n{machine['processor']}, one core, tensorflow "
        f"{machine.get('tensorflow', '-')}; crops of {CROP} px with {VIEWS} views of "
        f"16 bits.\n\n{measured}\n{reckoned}"
    )


def replaced(page, text):
    """A page with `text` between its marks.

    Raises:
        ValueError: if it has no marks.
    """
    before, mark, rest = page.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise ValueError(f"Expected a page with {MARKS[0]} and {MARKS[1]}")
    return f"{before}{mark}\n\n{text}\n{end}{after}"


def main(_):
    """Measures, prints and writes."""
    repeats, side = REPEATS.value, SIDE.value
    rates = measure_example(repeats)
    rates |= measure_checkpoint(RECIPE.value)
    rates |= measure_large_network(LARGE.value)
    rates |= measure_files(side, repeats)
    rates |= measure_presets(PRESETS.value, side, repeats)
    needs = rows_of_needs(rates, PRESETS.value, LARGE.value)
    text = tables(rates, needs, cost.describe_machine())
    print(text, end="")
    if PAGE.value:
        page = pathlib.Path(PAGE.value)
        whole_files.write_text(page, replaced(page.read_text(), text))


if __name__ == "__main__":
    commands.run(main)
