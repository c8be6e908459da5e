"""Trains variants under one budget and several seeds; tables mean and spread.

    python tools/reproduce/ablation.py --ablation kpac_table_2 --seeds 0,1 \\
        --train_arrays ARRAYS/train --validation_arrays ARRAYS/validation \\
        --output results/kpac_table_2 --page docs/kpac_table2.md

`--variant NAME:ARGUMENT=VALUE,...` trains variants of your own instead, under the
recipe of `--recipe`: changes to the model's constructor arguments, in JSON values.

Every run has a folder of its own, NAME/seed_N. The same command given again continues
where it was stopped: finished runs are read, the one that was cut off goes on from its
checkpoint. Tables and page are written anew after every run. `tools/train.py --arrays
ARRAYS` decodes the arrays.
"""

import json
import os
import pathlib
import sys
import time

from absl import flags

from tf_defocus import commands, configs, whole_files
from tf_defocus.configs.ablations import ABLATIONS, Ablation, Variant
from tf_defocus.reports import ablations

ABLATION = flags.DEFINE_enum("ablation", None, sorted(ABLATIONS), "A paper's table.")
RECIPE = flags.DEFINE_enum(
    "recipe", None, configs.list_recipes(), "The budget [the ablation's]."
)
VARIANT = flags.DEFINE_multi_string(
    "variant", [], "NAME:ARGUMENT=VALUE,... in JSON values; instead of --ablation."
)
SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "One run of each variant per seed.")
STEPS = flags.DEFINE_integer("num_steps", None, "Instead of the recipe's.", 1)
CROP = flags.DEFINE_integer("crop_size", None, "Instead of the recipe's [px].", 1)
MINUTES = flags.DEFINE_float("max_minutes", None, "Stop with a checkpoint then.", 0)
TRAIN = flags.DEFINE_string("train_arrays", None, "Folder of decoded arrays.")
VALIDATION = flags.DEFINE_string("validation_arrays", None, "The set that is scored.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for runs and tables.")
PAGE = flags.DEFINE_string("page", None, "Markdown file to write beside them.")


def parse_variant(text):
    """The `Variant` of `NAME:ARGUMENT=VALUE,...`.

    Raises:
        ValueError: if the text has another form.
    """
    name, colon, assignments = text.partition(":")
    pairs = [item.split("=") for item in assignments.split(",") if item]
    if not (name and colon) or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"Expected NAME:ARGUMENT=VALUE,... Received: {text!r}")
    return Variant(name, {key: json.loads(value) for key, value in pairs})


def chosen_ablation(name, recipe, variants):
    """The `Ablation` that the flags ask for.

    Raises:
        ValueError: if they ask for none or two, or two variants have one name.
    """
    if bool(name) == bool(variants):
        raise ValueError(
            "Give either --ablation or --variant (once or more). Received: "
            f"--ablation={name}, --variant={variants}"
        )
    if name:
        return ABLATIONS[name]
    if not recipe:
        raise ValueError("Variants of your own need --recipe, their budget")
    parsed = tuple(parse_variant(text) for text in variants)
    if len({variant.name for variant in parsed}) < len(parsed):
        raise ValueError(f"Two variants have one name. Received: {variants}")
    return Ablation("own", recipe, parsed)


def train_variant(variant, recipe, folder, train_arrays, validation_arrays, deadline):
    """Trains one variant with one seed, or reads what it scored.

    Args:
        variant: `Variant`.
        recipe: `Recipe` with the seed.
        folder: pathlib.Path of the run.
        train_arrays, validation_arrays: folders of `StoredArrays`.
        deadline: float [s of `time.monotonic`], when to stop with a checkpoint.

    Returns:
        dict of scores, or None if the deadline came first.
    """
    from tf_defocus.training.scored_run import scores_of_run

    overrides = {**recipe.overrides, **variant.overrides}
    return scores_of_run(
        recipe.replace(name=variant.name, overrides=overrides, **variant.changes),
        folder,
        train_arrays,
        validation_arrays,
        deadline,
        lambda model, _: {"parameters_m": model.count_params() / 1e6},
    )


def write(path, text):
    """Writes beside the file and renames: a reader never sees half of it."""
    whole_files.write_text(path, text)


def sources(train_arrays, validation_arrays):
    """What the page says of the data: name and numbers of examples."""
    from tf_defocus.data.arrays import StoredArrays

    sets = {"train": train_arrays, "validation": validation_arrays}
    arrays = {split: StoredArrays(folder) for split, folder in sets.items()}
    counts = {split: len(stored) for split, stored in arrays.items()}
    return {"dataset": arrays["train"].source.get("dataset", "unnamed"), **counts}


def command_line(arguments):
    """The command as the page shows it: your folders become ARRAYS."""
    shown = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.lstrip("-") in ("train_arrays", "validation_arrays"):
            argument = f"{name}=ARRAYS/{name.lstrip('-').removesuffix('_arrays')}"
        elif name.lstrip("-") in ("output", "page") and os.path.isabs(value):
            argument = f"{name}={os.path.basename(value)}"
        shown.append(argument)
    return " ".join(["python tools/reproduce/ablation.py", *shown])


def given_options():
    """Every option that was given, as `--name=value`."""
    own = flags.FLAGS.flags_by_module_dict().get(sys.argv[0], [])
    return [
        text for flag in own if flag.present for text in flag.serialize().split("\n")
    ]


def main(_):
    """Trains every variant with every seed, prints and writes the table."""
    ablation = chosen_ablation(ABLATION.value, RECIPE.value, VARIANT.value)
    recipe = configs.get_recipe(RECIPE.value or ablation.recipe)
    changes = {"num_steps": STEPS.value, "crop_size": CROP.value}
    recipe = recipe.replace(**{k: v for k, v in changes.items() if v})
    data = sources(TRAIN.value, VALIDATION.value)
    deadline = time.monotonic() + 60 * (MINUTES.value or 1e6)
    # Seed by seed, so that a stopped ablation has compared all variants once.
    plan = [(v, int(seed)) for seed in SEEDS.value for v in ablation.variants]
    results = {variant.name: [] for variant in ablation.variants}
    for number, (variant, seed) in enumerate(plan, start=1):
        print(f"run {number} of {len(plan)}: {variant.name}, seed {seed}", flush=True)
        folder = pathlib.Path(OUTPUT.value) / variant.name / f"seed_{seed}"
        scores = train_variant(
            variant,
            recipe.replace(seed=seed),
            folder,
            TRAIN.value,
            VALIDATION.value,
            deadline,
        )
        if scores is None:
            raise TimeoutError("the time is up; give the command again to go on")
        print(f"  PSNR {scores['validation_psnr']:.3f} dB", flush=True)
        results[variant.name].append(scores)
        report(ablation, recipe, results, (number, len(plan)), data)


def report(ablation, recipe, results, finished, data):
    """Writes tables and page; prints them after the last run."""
    results = {name: rows for name, rows in results.items() if rows}
    paper = ablations.printed(ablation)
    table = ablations.score_table(results, paper)
    order = ablations.compare_order(results, paper)
    output = pathlib.Path(OUTPUT.value)
    write(output / "table.md", table)
    write(
        output / "scores.json",
        json.dumps({"scores": results, "order": order}, indent=1),
    )
    if PAGE.value:
        text = ablations.page(
            ablation, recipe, results, finished, command_line(given_options()), data
        )
        write(pathlib.Path(PAGE.value), text)
    if finished[0] == finished[1]:
        print(table + "\n" + ablations.describe_order(order))


if __name__ == "__main__":
    flags.mark_flags_as_required(["train_arrays", "validation_arrays", "output"])
    commands.run(main)
