"""Turns a training run into a preset: weights, hash and manifest entry.

    python tools/make_preset.py --run runs/kpac_3level_synthetic --name kpac_3level \\
        --description "KPAC of three levels, for single photographs"

The model card, `checkpoints/NAME.md`, is written by hand: command, data, hours, scores,
known failures.
"""

import json
import pathlib

from absl import flags

from tf_defocus import commands
from tf_defocus.models import presets

_RUN = flags.DEFINE_string("run", None, "Folder of the training run.", required=True)
_NAME = flags.DEFINE_string("name", None, "Name of the preset.", required=True)
_FOLDER = flags.DEFINE_string("folder", "checkpoints", "Folder of presets.")
_BEST = flags.DEFINE_bool(
    "best", False, "The weights of the highest validation, not the last ones."
)
_DTYPE = flags.DEFINE_enum(
    "dtype", "float16", ["float16", "float32"], "How weights are stored."
)
_LICENCE = flags.DEFINE_string(
    "licence", "Apache-2.0", "Of the weights, as the training data allow."
)


_DESCRIPTION = flags.DEFINE_string(
    "description", None, "One line for those who choose a preset.", required=True
)


def main(_):
    """Adds the weights of a run to a folder of presets."""
    run = pathlib.Path(_RUN.value)
    config = json.loads((run / presets.RUN_CONFIG).read_text())
    entry = presets.save_preset(
        presets.load_run(run, best=_BEST.value),
        _FOLDER.value,
        _NAME.value,
        overrides=config["overrides"],
        dtype=_DTYPE.value,
        recipe=config["recipe"]["name"],
        data=config["data"],
        description=_DESCRIPTION.value,
        licence=_LICENCE.value,
    )
    path = pathlib.Path(_FOLDER.value) / entry["file"]
    print(f"{path}: {path.stat().st_size} bytes, sha256 {entry['sha256']}")


if __name__ == "__main__":
    commands.run(main)
