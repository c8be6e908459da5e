"""Time and memory of `tf-defocus deblur` on large photographs.

    python tools/benchmark/large_photographs.py --size 6000x4000,8960x6720 \\
        --preset kpac_3level --output results/large

Each command runs in a process of its own, at full size only and over scales in turn,
the latter with and without a defocus map; peak memory is that of the whole process, the
libraries included. On a shared machine the processor time tells more than the time.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import cost
from tf_defocus.images import colour_spaces
from tf_defocus.images.files import Image, write_image
from tf_defocus.markdown_table import markdown_table

SIZE = flags.DEFINE_list("size", ["6000x4000"], "WIDTHxHEIGHT [px], several.")
PRESET = flags.DEFINE_list("preset", ["kpac_3level"], "Names or folders.")
PHOTOGRAPH = flags.DEFINE_string("photograph", None, "Enlarged; none: noise.")
PRIMARIES = flags.DEFINE_integer(
    "primaries", 1, "Of H.273, of the files' colours; 12: Display P3."
)
WAYS = flags.DEFINE_list("ways", ["single", "scales", "map"], "Of `OPTIONS`.")
REPEATS = flags.DEFINE_integer("repeats", 1, "How often each runs, in turns.", 1)
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)
SRGB_CURVE = 13  # of H.273
OPTIONS = {
    "single": ["--scales", "1", "--no-protect-sharp"],
    "scales": [],
    "map": ["--defocus-map", "map.png"],
}


def run(arguments, folder):
    """A command in a process of its own.

    Args:
        arguments: of `tf-defocus`.
        folder: where it runs.

    Returns:
        `(seconds, processor seconds, peak)`: of the process, float [s], [s] and [MiB].

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    command = [sys.executable, "-m", "tf_defocus", *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def photograph(width, height):
    """The given photograph at a size, or noise: (height, width, 3) uint8."""
    if not PHOTOGRAPH.value:
        return cost.photograph(width, height)
    image = cv2.imread(PHOTOGRAPH.value)[..., ::-1]
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(image)


def measure(preset, size, folder):
    """dict, way -> list of what `run` returns."""
    source = folder / f"{size}.png"
    if not source.exists():
        profile = colour_spaces.profile_of_numbers(PRIMARIES.value, SRGB_CURVE)
        write_image(source, Image(photograph(*cost.parse_size(size)), icc=profile))
    arguments = ["deblur", "-q", "-i", source.name, "-o", "out", "-n", preset]
    found = {way: [] for way in WAYS.value}
    for _ in range(REPEATS.value):
        for way in WAYS.value:
            options = [*OPTIONS[way], "--overwrite"]
            found[way].append(run([*arguments, *options], folder))
            print(preset, size, way, *found[way][-1], flush=True)
    return found


def main(_):
    """Measures and prints a table."""
    lines, report = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for preset in PRESET.value:
            for size in SIZE.value:
                found = measure(preset, size, pathlib.Path(folder))
                report[f"{preset} {size}"] = found
                for way, runs in found.items():
                    seconds, cores, peak = (statistics.median(v) for v in zip(*runs))
                    row = f"{seconds:.0f}", f"{cores:.0f}", f"{peak / 1024:.2f}"
                    lines.append([f"`{preset}`", size, way, *row])
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    report["machine"] = cost.describe_machine()
    cost.write_json(output / "large_photographs.json", report)
    names = ["preset", "size [px]", "way", "time [s]", "processor time [s]"]
    print(markdown_table([*names, "peak memory [GiB]"], lines))


if __name__ == "__main__":
    commands.run(main)
