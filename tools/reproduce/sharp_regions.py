"""How far presets are off where the photograph was in focus [K3DN Fig. 8].

    python tools/reproduce/sharp_regions.py --preset k3dn_tiny,kpac_3level,\\
        kpac_3level_dual --num_examples 24 --output docs/sharp_regions
    python tools/reproduce/sharp_regions.py --preset k3dn_tiny \\
        --dataset synthetic_dp/photos --output results/sharp_regions

    python tools/reproduce/sharp_regions.py --preset k3dn_tiny \\
        --input DPDD --masks MASKS --output results/sharp_regions

The last form is the figure's own: how much the input is altered (RMSE_rel of each
pixel) where masks made by hand, `MASKS/<photograph>.png`, are bright. It writes
`table.md` with the percentage of pixels within thresholds, `distribution.png`, and
`errors/METHOD/NAME.png`, ten times the absolute change, brighter for more.

The others render examples, or read a dataset that has circles of confusion; take the
pixels that show a surface in focus (|circle of confusion| <= --threshold), and write
`table.md` with the absolute errors there, and `distribution.png`: how many values stay
within an error, and how many have it.
"""

import pathlib

import numpy as np
from absl import flags

import tf_defocus
from tf_defocus import commands, whole_files
from tf_defocus.evaluation import sharp_regions
from tf_defocus.evaluation.examples import read_dataset
from tf_defocus.evaluation.rendered import render_examples
from tf_defocus.images import levels, scene_folders
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.markdown_table import markdown_table
from tf_defocus.reports import line_chart
from tf_defocus.synthesis import textures

PRESET = flags.DEFINE_list("preset", [], "Names or folders, side by side.")
NUM_EXAMPLES = flags.DEFINE_integer("num_examples", 24, "Rendered.", lower_bound=1)
SIZE = flags.DEFINE_integer("size", 256, "Of a rendered example [px].", lower_bound=32)
PHOTOGRAPHS = flags.DEFINE_string(
    "photographs", None, "Folder of sharp photographs to paint the scenes with."
)
DATASET = flags.DEFINE_string("dataset", None, "TFDS dataset instead, name/config.")
SPLIT = flags.DEFINE_string("split", "validation", "Split of --dataset.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where prepared datasets are kept.")
MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Photographs of --dataset.")
THRESHOLD = flags.DEFINE_float("threshold", 1.0, "Largest |coc| in focus [px].", 0.0)
MARGIN = flags.DEFINE_integer(
    "margin", 0, "Leaves out pixels so near to a defocused surface [px].", 0
)
INPUT = flags.DEFINE_string("input", None, "Folder of photographs or scenes instead.")
MASKS = flags.DEFINE_string("masks", None, "Folder of masks for --input.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)


def read_examples():
    """The examples as the flags say, and their name."""
    if DATASET.value:
        examples = read_dataset(
            DATASET.value, SPLIT.value, DATA_DIR.value, MANUAL_DIR.value
        )
        return examples, f"{DATASET.value}, {SPLIT.value}"
    photographs = ()
    if PHOTOGRAPHS.value:
        photographs = textures.find_photographs(PHOTOGRAPHS.value)
        if not photographs:
            raise ValueError(f"{PHOTOGRAPHS.value} holds no photograph")
    examples = render_examples(NUM_EXAMPLES.value, SIZE.value, photographs)
    kind = "photos" if PHOTOGRAPHS.value else "procedural"
    count, size = NUM_EXAMPLES.value, SIZE.value
    return examples, f"{count} rendered examples of {size}x{size} px ({kind})"


THRESHOLDS = (1, 2, 5, 10, 20)  # [of 255]
SHOWN_CHANGE = 10  # times, in the maps of changes


def masked_scenes(folder, masks):
    """Yields (name, views, mask) of the scenes that have a mask, True where bright.

    Raises:
        FileNotFoundError: if no scene has one.
    """
    scenes = scene_folders.find_views(folder)
    paths = {path.stem: path for path in sorted(pathlib.Path(masks).glob("*.png"))}
    chosen = [name for name in scenes if name in paths]
    if not chosen:
        raise FileNotFoundError(
            f"Expected {masks}/<photograph>.png, such as {next(iter(scenes))}.png. "
            f"Received: {sorted(paths)[:3]}"
        )
    for name in chosen:
        views = {role: read_image(path).pixels for role, path in scenes[name].items()}
        bright = levels.to_float(read_image(paths[name]).pixels).mean(axis=-1) > 0.5
        yield name, views, bright


def measure_masked(restorers, scenes, output):
    """dict, method -> changes of all masked pixels [of 255]; writes their maps."""
    found = {name: [] for name in restorers}
    for name, method, result, given, values in sharp_regions.measure_changes(
        restorers, scenes
    ):
        found[method].append(values)
        change = np.clip(SHOWN_CHANGE * np.abs(result - given), 0, 1)
        target = output / "errors" / method / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, Image(levels.to_levels(change, "uint8")))
    return {method: np.concatenate(values) for method, values in found.items()}


def table_of_shares(errors):
    """Markdown, a row per method: percentage of pixels within each threshold."""
    rows = [
        [method, *(f"{s:.2f}" for s in sharp_regions.shares_within(v, THRESHOLDS))]
        for method, v in errors.items()
    ]
    return markdown_table(["[%]", *(f"<= {t} of 255" for t in THRESHOLDS)], rows)


def table(summaries):
    """Markdown, a row per method; errors in units of 1/255.

    Args:
        summaries: dict, name -> dict of `sharp_regions.summarise`.
    """
    names = [name for name in next(iter(summaries.values())) if name != "values"]
    rows = [
        [method, *(f"{row[name]:.2f}" for name in names)]
        for method, row in summaries.items()
    ]
    return markdown_table(["[of 255]", *names], rows)


def picture(errors, label=None):
    """(height, width, 3) uint8: the cumulative shares beside the histogram."""
    cumulative, histogram = {}, {}
    for method, values in errors.items():
        edges, shares, up_to = sharp_regions.distribution(values)
        cumulative[method] = edges[1:], 100 * up_to
        histogram[method] = np.sqrt(edges[1:] * edges[:-1]), 100 * shares
    label = label or "absolute error [of 255], in focus"
    charts = (
        line_chart.draw_lines(
            cumulative, "values within an error", label, "[%]", True, (0, 100)
        ),
        line_chart.draw_lines(
            histogram, "values per bin of equal ratio", label, "[%]", True
        ),
    )
    return np.concatenate(charts, axis=1)


def measure_rendered(restorers):
    """Errors of examples whose circles of confusion are known, and their page."""
    examples, name = read_examples()
    errors = sharp_regions.measure_errors(
        restorers, examples, THRESHOLD.value, MARGIN.value
    )
    summaries = {method: sharp_regions.summarise(v) for method, v in errors.items()}
    count = next(iter(summaries.values()))["values"] // 3
    text = (
        f"{name}; {count} pixels with |coc| <= {THRESHOLD.value:g} px, margin "
        f"{MARGIN.value} px\n\n{table(summaries)}"
    )
    return errors, text


def main(_):
    """Measures, prints and saves."""
    restorers = {
        pathlib.Path(preset).name: tf_defocus.Restorer.from_preset(preset)
        for preset in PRESET.value
    }
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    label = None
    if INPUT.value:
        scenes = masked_scenes(INPUT.value, MASKS.value or INPUT.value)
        errors = measure_masked(restorers, scenes, output)
        label = "RMSE_rel of |input - output| [of 255], in the masks"
        count = len(next(iter(errors.values())))
        text = f"{INPUT.value}; {count} pixels of {MASKS.value}\n\n"
        text += table_of_shares(errors)
    else:
        errors, text = measure_rendered(restorers)
    write_image(output / "distribution.png", Image(picture(errors, label)))
    whole_files.write_text(output / "table.md", text)
    print(text, end="")


if __name__ == "__main__":
    commands.run(main)
