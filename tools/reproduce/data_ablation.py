"""Trains one network on variants of the rendered data; tables what each is worth.

    python tools/reproduce/data_ablation.py --manual_dir PHOTOS --output results/data \\
        --page docs/free_photos_ablation.md

PHOTOS holds sharp photographs, as for `synthetic_dp/free_photos`. Every variant takes
one widening away from `scene_ranges.WIDE` for training; all are scored on the same wide
validation examples, and on the sharp images of these, which must stay as they are. The
same command given again continues where it was stopped.

From random weights a short run tells little. `--recipe` and `--initial_weights` let all
variants go on from one trained network:

    python tools/reproduce/data_ablation.py --manual_dir PHOTOS --output results/data \\
        --recipe kpac_3level_free --initial_weights checkpoints/kpac_3level_free.npz
"""

import dataclasses
import json
import pathlib
import sys
import time

import numpy as np
from absl import flags

from tf_defocus import commands, configs, whole_files
from tf_defocus.configs import data_ablations
from tf_defocus.markdown_table import markdown_table

MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Photographs.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Folder for all.", required=True)
PAGE = flags.DEFINE_string("page", None, "Markdown file to write beside them.")
VARIANTS = flags.DEFINE_list("variants", [], "Names [all].")
RECIPE = flags.DEFINE_string("recipe", data_ablations.RECIPE, "Of all runs.")
INITIAL = flags.DEFINE_string("initial_weights", "", "Where all runs begin [random].")
SEEDS = flags.DEFINE_list("seeds", ["0"], "One run of each variant per seed.")
NUM_TRAIN = flags.DEFINE_integer("num_train", 400, "Rendered examples.", 1)
NUM_VALIDATION = flags.DEFINE_integer("num_validation", 24, "Likewise.", 1)
SIZE = flags.DEFINE_integer("size", 192, "Of an example [px].", 16)
EXACT = flags.DEFINE_integer(
    "exact", 64, "Points of the aperture for validation; 0: layers of kernels.", 0
)
STEPS = flags.DEFINE_integer("num_steps", None, "Instead of the recipe's.", 1)
CROP = flags.DEFINE_integer("crop_size", None, "Instead of the recipe's [px].", 1)
MINUTES = flags.DEFINE_float("max_minutes", None, "Stop with a checkpoint then.", 0)

SEED = 2021
COLUMNS = {
    "validation_psnr_capped": "PSNR up to 46 dB [dB]",
    "validation_gain": "gain [dB]",
    "validation_gain_blurred": "gain, blurred [dB]",
    "sharp_psnr": "sharp against itself [dB]",
}


def render(split, count, changes, photographs, folder):
    """Stored examples of one variant, rendered unless they are there; the folder."""
    from tf_defocus.data import arrays
    from tf_defocus.synthesis import scene_ranges, scenes

    if (folder / "arrays.json").exists():
        return folder
    ranges = dataclasses.replace(scene_ranges.WIDE, **changes)
    exact = EXACT.value if split == "validation" else 0
    examples = (
        scenes.make_example(
            SEED, split, index, SIZE.value, photographs, ranges, aperture_samples=exact
        )
        for index in range(count)
    )
    source = {"dataset": "synthetic_dp/free_photos", "split": split}
    source["changes"] = {name: repr(value) for name, value in changes.items()}
    return arrays.write_arrays(folder, examples, count, source)


def sharp_psnr(model, arrays):
    """The score of sharp images, restored, against themselves: mean PSNR [dB]."""
    from tf_defocus.training import validation

    rows = []
    for index in range(len(arrays)):
        sharp = arrays.read(index, ("sharp",))["sharp"]
        views = {name: sharp[None] for name in model.view_names}
        restored = np.clip(model.predict_on_batch(views)["deblurred"][0], 0, 1)
        rows.append(validation.psnr(restored, sharp))
    return {"sharp_psnr": float(np.mean(rows))}


def table(results):
    """Markdown: per variant the means over seeds, below the widest data's.

    Args:
        results: dict, variant -> list of scores, one dict per seed.
    """
    lines = []
    for name, rows in results.items():
        cells = [
            f"{np.mean([row.get(key, np.nan) for row in rows]):.2f}" for key in COLUMNS
        ]
        lines.append([name, *cells, str(len(rows))])
    return markdown_table(["training data", *COLUMNS.values(), "seeds"], lines)


def page(recipe, results, command):
    """The ablation as a page of Markdown; rows that were measured, no others."""
    missing = [name for name in data_ablations.WIDENINGS if not results.get(name)]
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    path = pathlib.Path(recipe.initial_weights)
    start = path.parent.name if path.stem == "weights" else path.stem
    start = f" from the weights of `{start}`" if start else ""
    text = (
        "# What each widening of the rendered data is worth\n\n"
        "Every row but the first takes one widening of `scene_ranges.WIDE` away from "
        "the training data (`tf_defocus/configs/data_ablations.py` has the numbers); "
        f"all are scored on the same wide validation examples. Made by\n\n{indented}\n"
        f"{recipe.model}, {recipe.num_steps} steps{start} of {recipe.batch_size} crops "
        f"of {recipe.crop_size} px on {NUM_TRAIN.value} examples; "
        f"{NUM_VALIDATION.value} validation examples. *Blurred*: those whose mean "
        "circle of confusion exceeds 1 px. *Sharp against itself*: their sharp images, "
        f"restored.\n\n{table(results)}"
    )
    if missing:
        text += f"\nNot measured yet: {', '.join(missing)}.\n"
    return text


def main(_):
    """Renders, trains, prints and writes the table after every run."""
    from tf_defocus.synthesis import large_photographs
    from tf_defocus.training.scored_run import scores_of_run

    unknown = set(VARIANTS.value) - set(data_ablations.WIDENINGS)
    if unknown:
        raise ValueError(
            f"Expected variants of {list(data_ablations.WIDENINGS)}. Received: "
            f"{sorted(unknown)}"
        )
    names = VARIANTS.value or list(data_ablations.WIDENINGS)
    recipe = configs.get_recipe(RECIPE.value)
    changes = {"num_steps": STEPS.value, "crop_size": CROP.value}
    recipe = recipe.replace(
        **{k: v for k, v in changes.items() if v},
        initial_run="",
        initial_weights=INITIAL.value,
    )
    photographs = large_photographs.split_photographs(MANUAL_DIR.value)
    output = pathlib.Path(OUTPUT.value)
    validation = render(
        "validation",
        NUM_VALIDATION.value,
        {},
        photographs["validation"],
        output / "arrays" / "validation",
    )
    deadline = time.monotonic() + 60 * (MINUTES.value or 1e6)
    results = {}
    for seed in map(int, SEEDS.value):
        for name in names:
            train_arrays = render(
                "train",
                NUM_TRAIN.value,
                data_ablations.WIDENINGS[name],
                photographs["train"],
                output / "arrays" / name,
            )
            print(f"{name}, seed {seed}", flush=True)
            scores = scores_of_run(
                recipe.replace(name=name, seed=seed),
                output / name / f"seed_{seed}",
                train_arrays,
                validation,
                deadline,
                sharp_psnr,
            )
            if scores is None:
                raise TimeoutError("the time is up; give the command again to go on")
            results.setdefault(name, []).append(scores)
            _report(recipe, results, output)
    print(table(results), end="")


def _report(recipe, results, output):
    whole_files.write_text(output / "table.md", table(results))
    whole_files.write_text(output / "scores.json", json.dumps(results, indent=1))
    if PAGE.value:
        command = commands.shown_command(sys.argv, {"manual_dir": "PHOTOS"})
        whole_files.write_text(pathlib.Path(PAGE.value), page(recipe, results, command))


if __name__ == "__main__":
    commands.run(main)
