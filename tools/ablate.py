"""Trains variants under one budget and several seeds; tables mean and spread.

    python tools/ablate.py --recipe kpac_3level_synthetic --seeds 0,1,2 \\
        --train_arrays ARRAYS/train --validation_arrays ARRAYS/validation \\
        --num_steps 2000 --variant "no_scale:scale_attention=false" \\
        --variant "full:" --output results/ablation

A variant is a name and changes to the model's constructor arguments. Every run has a
folder of its own, NAME/seed_N, and continues from there when the command is repeated.
Without variants: those of KPAC's Table 2 that the network can be built as.
"""

import json
import os
import pathlib
import sys

import numpy as np
from absl import app, flags

from tf_defocus import configs, training
from tf_defocus.batches import StoredArrays

KPAC_TABLE_2 = (
    "atrous:scale_attention=false,shape_attention=false",
    "shape:scale_attention=false",
    "scale:shape_attention=false",
    "scale_and_shape:",
)
RECIPE = flags.DEFINE_enum("recipe", None, configs.list_recipes(), "The budget.")
VARIANT = flags.DEFINE_multi_string(
    "variant", KPAC_TABLE_2, "NAME:ARGUMENT=VALUE,... in JSON values."
)
SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "One run of each variant per seed.")
STEPS = flags.DEFINE_integer("num_steps", None, "Instead of the recipe's.", 1)
CROP = flags.DEFINE_integer("crop_size", None, "Instead of the recipe's [px].", 1)
TRAIN = flags.DEFINE_string("train_arrays", None, "Folder of decoded arrays.")
VALIDATION = flags.DEFINE_string("validation_arrays", None, "The set that is scored.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for runs and tables.")


def parse_variant(text):
    """(name, overrides) of `NAME:ARGUMENT=VALUE,...`.

    Raises:
        ValueError: if the text has another form.
    """
    name, colon, assignments = text.partition(":")
    pairs = [item.split("=") for item in assignments.split(",") if item]
    if not (name and colon) or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"Expected NAME:ARGUMENT=VALUE,... Received: {text!r}")
    return name, {key: json.loads(value) for key, value in pairs}


def train_variant(name, overrides, seed):
    """Trains one variant with one seed; returns its validation scores."""
    recipe = configs.get_recipe(RECIPE.value)
    changes = {"name": name, "seed": seed, "overrides": recipe.overrides | overrides}
    for field, flag in (("num_steps", STEPS), ("crop_size", CROP)):
        if flag.value:
            changes[field] = flag.value
    recipe = recipe.replace(**changes)
    folder = pathlib.Path(OUTPUT.value) / name / f"seed_{seed}"
    run = training.train(recipe, folder, TRAIN.value)
    with training.averaged_weights(run):
        validation = StoredArrays(VALIDATION.value)
        scores, _ = training.validate(run.model, validation, len(validation))
    return {**scores, "parameters_m": run.model.count_params() / 1e6}


def table(results):
    """Markdown: per variant the mean PSNR, its spread over seeds, and every seed's.

    Args:
        results: dict, variant -> list of scores, one dict per seed.

    Returns:
        str. The spread is the sample standard deviation; none for one seed.
    """
    lines = [
        "| variant | PSNR [dB] | spread [dB] | gain [dB] | seeds | parameters [M] |",
        "| --- | ---: | ---: | ---: | --- | ---: |",
    ]
    for name, rows in results.items():
        psnr = np.array([row["validation_psnr"] for row in rows])
        gain = np.mean([row["validation_gain"] for row in rows])
        spread = f"{psnr.std(ddof=1):.3f}" if len(psnr) > 1 else ""
        each = ", ".join(f"{value:.2f}" for value in psnr)
        lines.append(
            f"| {name} | {psnr.mean():.2f} | {spread} | {gain:+.2f} | {each} | "
            f"{rows[0]['parameters_m']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def run():
    """Trains every variant with every seed, prints and writes the table."""
    variants = dict(parse_variant(text) for text in VARIANT.value)
    if len(variants) < len(VARIANT.value):
        raise ValueError("Two variants have one name")
    seeds = [int(text) for text in SEEDS.value]
    results = {
        name: [train_variant(name, overrides, seed) for seed in seeds]
        for name, overrides in variants.items()
    }
    output = pathlib.Path(OUTPUT.value)
    texts = {"table.md": table(results), "scores.json": json.dumps(results, indent=1)}
    for name, text in texts.items():
        partial = output / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, output / name)
    print(texts["table.md"], end="")


def main(_):
    try:
        run()
    except (ValueError, ArithmeticError, OSError) as error:
        sys.exit(f"ablate: {error}")


if __name__ == "__main__":
    flags.mark_flags_as_required(
        ["recipe", "train_arrays", "validation_arrays", "output"]
    )
    app.run(main)
