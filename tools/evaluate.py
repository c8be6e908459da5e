"""Scores presets on a set of pairs and writes scores.json, table.md and pictures.

    python tools/evaluate.py --preset kpac_2level --folder photos --output results/a
    python tools/evaluate.py --preset ifan,kpac_2level --dataset dpdd/full_8bit \\
        --split test --manual_dir ~/dpdd --protocol ifan --output results/dpdd
    python tools/evaluate.py --classical two_step_ebdb --preset kpac_2level \\
        --noise_sigma 3 --folder photos --single_pictures --output results/noisy

tools/report.py sets the rows beside the papers' tables, joins methods that were scored
one by one, and writes the pages of docs/.
"""

import pathlib
import sys

from absl import flags

import tf_defocus
from tf_defocus import commands
from tf_defocus.deconvolution.level_restorer import FIDELITIES
from tf_defocus.deconvolution.two_step import ROWS, create_row
from tf_defocus.evaluation import lpips
from tf_defocus.evaluation.evaluate import evaluate
from tf_defocus.evaluation.examples import read_set, sharp_as_input
from tf_defocus.evaluation.protocols import PROTOCOLS
from tf_defocus.models import presets
from tf_defocus.restoration.defocus_estimator import DefocusEstimator

PRESET = flags.DEFINE_list("preset", [], "Names or folders; all: the shipped ones.")
FOLDER, _, DATASET, *_ = SET = commands.define_set_flags()
PROTOCOL = flags.DEFINE_enum("protocol", "ifan", list(PROTOCOLS), "Whose scores.")
COMPARE = flags.DEFINE_list(
    "compare", [], "Names of pictures in --folder to score as further rows: dpdnet."
)
CLASSICAL = flags.DEFINE_multi_enum(
    "classical", [], ROWS, "Two-step baselines as further rows, one flag each."
)
DMENET = flags.DEFINE_string(
    "dmenet", None, "Preset or folder with DMENet's weights, for two_step_dmenet."
)
FIDELITY = flags.DEFINE_float(
    "fidelity", None, "Lambda of two_step_ebdb and _dmenet; else the --dataset's.", 0.0
)
NOISE_SIGMA = flags.DEFINE_float(
    "noise_sigma", 0.0, "White noise [of 255] added to the views, seeded.", 0.0
)
SHARP_INPUT = flags.DEFINE_bool(
    "sharp_input", False, "Feed the sharp image instead: how much is it altered?"
)
LPIPS_FOLDER = flags.DEFINE_string(
    "lpips_folder", None, "Folder of LPIPS' weights; without it that score is absent."
)
LPIPS_NETWORK = flags.DEFINE_enum(
    "lpips_network", "alex", list(lpips.BACKBONES), "Its backbone."
)
SINGLE_PICTURES = flags.DEFINE_bool(
    "single_pictures", False, "Write each picture by itself too, for tools/report.py."
)
BATCH_STATISTICS = flags.DEFINE_bool(
    "batch_statistics",
    False,
    "Adds a row for each preset that can normalise by the image, as GKMNet's authors.",
)
ENSEMBLE = flags.DEFINE_bool(
    "ensemble", False, "Adds a row for each preset: the mean of four orientations."
)
OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
# What a page shows in place of folders of the machine that made it.
PLACEHOLDERS = {
    "folder": "SCENES",
    "arrays": "ARRAYS",
    "manual_dir": "FILES",
    "data_dir": "DATA",
    "lpips_folder": "LPIPS",
    "dmenet": "DMENET",
}


def read_examples():
    """The examples and their name in the comparison, as the flags say."""
    if COMPARE.value and not FOLDER.value:
        raise ValueError("--compare needs --folder: datasets hold no other's pictures")
    examples, name = read_set(*(flag.value for flag in (*SET, COMPARE)))
    if COMPARE.value and NOISE_SIGMA.value:
        raise ValueError("--compare cannot go with --noise_sigma: those had no noise")
    if SHARP_INPUT.value:
        examples = sharp_as_input(examples)
        name += ", sharp images as input"
    if NOISE_SIGMA.value:
        name += f", noise of sigma {NOISE_SIGMA.value:g}"
    return examples, name


def load_restorers():
    """Row name -> restorer, as the flags say.

    Raises:
        ValueError: if batch statistics are wanted and no preset offers them.
    """
    load = tf_defocus.Restorer.from_preset
    restorers, rows_of_statistics = {}, 0
    for preset in PRESET.value:
        name = pathlib.Path(preset).name
        restorers[name] = load(preset)
        if ENSEMBLE.value:
            restorers[f"{name}, ensemble"] = load(preset, ensemble=True)
        if BATCH_STATISTICS.value and restorers[name].model.offers_batch_statistics:
            row = f"{name}, batch statistics"
            restorers[row] = load(preset, batch_statistics=True)
            rows_of_statistics += 1
    if BATCH_STATISTICS.value and not rows_of_statistics:
        raise ValueError(
            f"--batch_statistics needs a gkmnet preset. Received: {PRESET.value}"
        )
    return restorers | load_classical()


def load_classical():
    """Row name -> two-step baseline, as the flags say.

    Raises:
        ValueError: if DMENet's row lacks its weights.
    """
    estimate, wanted = None, "two_step_dmenet" in CLASSICAL.value
    if wanted and not DMENET.value:
        raise ValueError("two_step_dmenet needs --dmenet, a preset or its folder")
    if wanted:
        estimate = DefocusEstimator.from_preset(DMENET.value).estimate
    name = (DATASET.value or "").partition("/")[0]
    fidelity = FIDELITY.value or FIDELITIES.get(name)
    return {row: create_row(row, fidelity, estimate) for row in CLASSICAL.value}


def main(_):
    """Evaluates, saves the results and prints the table."""
    if not (PRESET.value or CLASSICAL.value or COMPARE.value):
        raise ValueError("Give a --preset, --classical or --compare to score")
    if PRESET.value == ["all"]:
        flags.FLAGS.preset = list(presets.list_presets())
    examples, name = read_examples()
    restorers = load_restorers()
    distance = None
    if LPIPS_FOLDER.value:
        distance = lpips.load_lpips(LPIPS_FOLDER.value, LPIPS_NETWORK.value)
    output = pathlib.Path(OUTPUT.value)
    pictures = output / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    scores = evaluate(
        restorers,
        examples,
        PROTOCOL.value,
        name,
        pictures,
        distance,
        noise_sigma=NOISE_SIGMA.value,
        single_pictures=SINGLE_PICTURES.value,
    )
    command = commands.shown_command(sys.argv, PLACEHOLDERS)
    scores.setting["commands"] = [command]
    scores.save(output)
    print(scores.to_markdown(), end="")


if __name__ == "__main__":
    commands.run(main)
