"""How presets stand noise that they were not told of [KPAC Tab. 8, GKMNet Tabs. 2, 3].

    python tools/reproduce/noise_sensitivity.py --preset kpac_3level --folder SCENES \\
        --output results/noise --page docs/noise_sensitivity.md

White noise of each standard deviation is added to the views, clipped and rounded to
their depth, and the restored images are scored against the clean sharp ones. GKMNet's
tables have 1, 3 and 5 (of 255), KPAC's 1, 3 and 5 % of the range: 2.55, 7.65, 12.75.
"""

import itertools
import json
import pathlib
import sys

from absl import flags

import tf_defocus
from tf_defocus import commands, whole_files
from tf_defocus.evaluation.evaluate import evaluate
from tf_defocus.evaluation.examples import read_set
from tf_defocus.evaluation.protocols import PROTOCOLS
from tf_defocus.markdown_table import markdown_table
from tf_defocus.models import presets

PRESET = flags.DEFINE_list(
    "preset", ["all"], "Names or folders; all: the shipped ones."
)
SET = commands.define_set_flags()
PROTOCOL = flags.DEFINE_enum("protocol", "ifan", list(PROTOCOLS), "Whose scores.")
SIGMAS = flags.DEFINE_list(
    "sigmas", ["0", "1", "2.55", "3", "5", "7.65", "12.75"], "Of the noise [of 255]."
)
NUM_IMAGES = flags.DEFINE_integer("num_images", None, "The first so many [all].", 1)
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)
PAGE = flags.DEFINE_string("page", None, "Markdown page to write, for docs.")


def sensitivity_table(reports):
    """Markdown: a row per noise, and per method its scores.

    Args:
        reports: dict, sigma [of 255] -> `Scores` of the same methods.

    Returns:
        str; of the input PSNR and SSIM, of each method those and, in brackets, the gain
        in PSNR over the noisy input.
    """
    methods = list(next(iter(reports.values())).summary())
    lines = []
    for sigma, report in reports.items():
        cells = []
        for row in report.summary().values():
            mean, gain = row["mean"], row.get("gain")
            text = f"{mean['psnr']:.2f}, {mean['ssim']:.3f}"
            cells.append(text if not gain else f"{text} ({gain['psnr']:+.2f})")
        lines.append([f"{sigma:g}", *cells])
    return markdown_table(["sigma [of 255]", *methods], lines, num_texts=0)


def page(table, command, name, count):
    """The page of the documentation around a table."""
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    return (
        "# Sensitivity to noise\n\n"
        "[KPAC Tab. 8] and [GKMNet Tabs. 2, 3] measure it on their own test sets. "
        f"Here: {name}; images: {count}; protocol: {PROTOCOL.value}. Made by\n\n"
        f"{indented}\nPSNR [dB], SSIM, and in brackets the gain in PSNR over the noisy "
        f"input.\n\n{table}"
    )


def main(_):
    """Scores every noise, prints and writes the table."""
    sigmas = [float(text) for text in SIGMAS.value]
    names = PRESET.value
    names = list(presets.list_presets()) if names == ["all"] else names
    restorers = {
        pathlib.Path(name).name: tf_defocus.Restorer.from_preset(name) for name in names
    }
    reports = {}
    for sigma in sigmas:
        examples, name = read_set(*(flag.value for flag in SET))
        if NUM_IMAGES.value:
            examples = itertools.islice(examples, NUM_IMAGES.value)
        reports[sigma] = evaluate(
            restorers, examples, PROTOCOL.value, name, noise_sigma=sigma
        )
    table = sensitivity_table(reports)
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    scores = {f"{s:g}": json.loads(r.to_json()) for s, r in reports.items()}
    write(output / "scores.json", json.dumps(scores, indent=1) + "\n")
    write(output / "table.md", table)
    if PAGE.value:
        folders = {"folder": "SCENES", "arrays": "ARRAYS", "manual_dir": "FILES"}
        command = commands.shown_command(sys.argv, folders)
        count = len(reports[sigmas[0]].images)
        write(pathlib.Path(PAGE.value), page(table, command, name, count))
    print(table, end="")


def write(path, text):
    """Writes beside the file and renames: a reader never sees half of it."""
    whole_files.write_text(path, text)


if __name__ == "__main__":
    commands.run(main)
