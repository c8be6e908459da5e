"""Restores a million photographs with Apache Beam.

    python tools/restore_beam.py --input "photos/**" --output restored --processes 4
    python tools/restore_beam.py --input "gs://mine/in/**" --output gs://mine/out \
        -- --runner DataflowRunner --project mine --region europe-west1

Input and output lie in any file system that Beam has. The same command again goes on
where a killed one stopped. What stands after -- goes to Beam and its runner. Prints
what was counted; exits with 1 if photographs were refused: refusals.jsonl in the output
names each with the reason.
"""

import sys

from absl import flags, logging

from tf_defocus import commands
from tf_defocus.cli import deblur

INPUT = flags.DEFINE_string(
    "input", None, "Pattern: * is any name, ** any folders too.", required=True
)
OUTPUT = flags.DEFINE_string("output", None, "Folder of the outputs.", required=True)
PRESET = flags.DEFINE_string("preset", deblur.DEFAULT_PRESET, "Name, folder or hf://.")
PROCESSES = flags.DEFINE_integer("processes", 1, "Of this machine, without --.", 1)
SUFFIX = flags.DEFINE_string("suffix", "", "Added to the names of the outputs.")
EXTENSION = flags.DEFINE_enum(
    "ext", "auto", sorted(deblur.EXTENSIONS), "Format of the outputs."
)
SCALES = flags.DEFINE_enum("scales", "auto", deblur.SCALES, "As of tf-defocus deblur.")
PROTECT_SHARP = flags.DEFINE_bool("protect_sharp", True, "Leave what is in focus.")
STRENGTH = flags.DEFINE_float("strength", 1.0, "How much of it to apply.", 0, 1)
TILE = flags.DEFINE_integer("tile", None, "Longest side of a tile [px].", 0)
ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average four orientations.")
PRECISION = flags.DEFINE_enum(
    "precision", "float32", ("float32", "bfloat16"), "In which layers compute."
)
BATCH = flags.DEFINE_integer("batch", 16, "Photographs of one size in a call.", 1)
BATCH_MEGAPIXELS = flags.DEFINE_float(
    "batch_megapixels", 2.0, "Megapixels in a call, unless one photograph has more.", 0
)


def pipeline_options(arguments):
    """What stands after --; without a runner, processes of this machine."""
    from apache_beam.options.pipeline_options import PipelineOptions

    arguments = list(arguments)
    if not any(argument.split("=")[0] == "--runner" for argument in arguments):
        # not DirectRunner: that one tries to fetch a program from the network first
        local = "--runner=FnApiRunner --direct_running_mode=multi_processing"
        local += f" --direct_num_workers={PROCESSES.value}"
        arguments += [*local.split(), "--default_sdk_harness_log_level=ERROR"]
    return PipelineOptions(arguments)


def main(arguments):
    """Restores what matches; exit code 1 if something was refused."""
    logging.set_verbosity(logging.ERROR)  # Beam tells what it does, line by line
    options = pipeline_options(arguments[1:])
    commands.require_backend()
    from tf_defocus.restoration.beam_files import Places
    from tf_defocus.restoration.beam_pipeline import (
        PhotographHandler,
        restore_photographs,
    )

    scales = SCALES.value
    handler = PhotographHandler(
        PRESET.value,
        STRENGTH.value,
        precision=PRECISION.value,
        tile=TILE.value,
        ensemble=ENSEMBLE.value,
        scales=scales if scales == "auto" else tuple(map(int, scales.split(","))),
        protect_sharp=PROTECT_SHARP.value,
    )
    places = Places.of(
        INPUT.value,
        OUTPUT.value,
        view_names=handler.load_model().view_names,
        suffix=SUFFIX.value,
        extension=deblur.EXTENSIONS[EXTENSION.value],
    )
    counts = restore_photographs(
        places,
        handler,
        options,
        batch_size=BATCH.value,
        batch_megapixels=BATCH_MEGAPIXELS.value,
    )
    told = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n)
    print(f"{told or 'nothing to do'}")
    if counts["refused"]:
        print(f"the refused are named in {places.output}/refusals.jsonl")
        sys.exit(1)


if __name__ == "__main__":
    commands.run(main)
