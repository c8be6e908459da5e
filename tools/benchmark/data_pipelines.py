"""How fast training batches are made, against the demand of a fast step.

    python tools/benchmark/data_pipelines.py --recipe kpac_3level_synthetic
    python tools/benchmark/data_pipelines.py --recipe ifan_n17 --size 1680x1120

Photographs of `--size` are stored once as arrays and once as TFRecords. Then each way
of making batches of a recipe runs for some seconds in a process of its own, which may
use so many cores, while nobody computes steps: one thread, `--data_workers` processes,
and `--pipeline tfdata`. The demand is that of a step of `--step_milliseconds`. On a
busy machine, CPU time tells what wall time cannot.
"""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import flags

from tf_defocus import commands, configs
from tf_defocus.markdown_table import markdown_table

_RECIPE = flags.DEFINE_string("recipe", "kpac_3level_synthetic", "Whose batches.")
_SIZE = flags.DEFINE_string("size", "512x512", "WIDTHxHEIGHT [px] of what is stored.")
_EXAMPLES = flags.DEFINE_integer("examples", 64, "How many are stored.", 1)
_CORES = flags.DEFINE_multi_integer("cores", [1, 2], "How many may be used.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "How long each way is measured.", 0.1)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Rounds over all ways; medians.", 1)
_STEP = flags.DEFINE_float("step_milliseconds", 10.0, "Of the step to keep up with.")
_FOLDER = flags.DEFINE_string("folder", None, "Of the data, kept [a temporary one].")
_WAY = flags.DEFINE_string("way", None, "Measure this one alone, in this process.")
# way -> processes that make batches; None: not by processes of ours
WAYS = {"thread": None, "1 worker": 1, "2 workers": 2, "tfdata": None}
KINDS = ("blurred",)


def write_data(folder):
    """The same examples as arrays and as a TFDS dataset."""
    import tensorflow_datasets as tfds

    from tf_defocus.data import arrays
    from tf_defocus.evaluation import cost

    width, height = cost.parse_size(_SIZE.value)
    photograph = 257 * cost.photograph(width, height).astype(np.uint16)
    kinds = (*KINDS, "sharp")
    examples = [
        {kind: np.roll(photograph, 7 * index, axis=(0, 1)) for kind in kinds}
        for index in range(_EXAMPLES.value)
    ]
    arrays.write_arrays(folder / "arrays", examples, len(examples), {"dataset": "made"})
    image = tfds.features.Image(shape=(height, width, 3), dtype=np.uint16)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="made",
        version="1.0.0",
        features=tfds.features.FeaturesDict(dict.fromkeys(kinds, image)),
        split_datasets={"train": list(enumerate(examples))},
        data_dir=folder / "tfds",
    )


def make_batches(way, recipe, folder):
    """The generator of batches of one way."""
    from tf_defocus.data import batch_processes, batches, builders
    from tf_defocus.data.arrays import StoredArrays

    if way == "tfdata":
        from tf_defocus.data.tfdata import Records

        records = Records(builders.prepare(str(folder / "tfds/made/1.0.0"), "train"))
        return records.batches(recipe, KINDS, range, 0)
    arguments = StoredArrays(folder / "arrays"), recipe, KINDS, range, 0
    if WAYS[way]:
        return batch_processes.batches_in_processes(*arguments, WAYS[way])
    return batches.batches_in_thread(*arguments)


def measure(way, recipe, folder):
    """Of one way, in this process: (examples per second, CPU seconds per example)."""
    count = 0
    with contextlib.closing(make_batches(way, recipe, folder)) as made:
        for _ in itertools.islice(made, 10):
            pass  # what is filled and traced first
        start, used = time.perf_counter(), cpu_seconds()
        while time.perf_counter() - start < _SECONDS.value:
            count += len(next(made)["sharp"])
        seconds = time.perf_counter() - start
        return count / seconds, (cpu_seconds() - used) / count


def cpu_seconds():
    """What this process and its children have used, also on a busy machine."""
    process = pathlib.Path("/proc/self")
    children = (process / f"task/{os.getpid()}/children").read_text().split()
    ticks = 0
    for place in (process, *(process.with_name(number) for number in children)):
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure_apart(way, cores, folder):
    """The same in a process that may use so many cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    command = [sys.executable, __file__, f"--way={way}", f"--folder={folder}"]
    command += [f"--recipe={_RECIPE.value}", f"--seconds={_SECONDS.value}"]
    result = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ValueError(result.stderr[-1500:])
    return [float(number) for number in result.stdout.split()[-2:]]


def report(folder):
    """Measures all ways in turns and prints the table."""
    from tf_defocus.evaluation import cost

    recipe = configs.get_recipe(_RECIPE.value)
    batch_size = recipe.crops[0][2]
    demand = 1000 * batch_size / _STEP.value
    ways = list(itertools.product(WAYS, _CORES.value))
    rates = {each: [] for each in ways}
    for _ in range(_REPEATS.value):
        for way, cores in ways:
            rates[way, cores].append(measure_apart(way, cores, folder))
    rows = []
    for (way, cores), values in rates.items():
        rate, used = np.median(values, axis=0)
        share = f"{rate / demand:.2f}"
        rows.append((way, str(cores), f"{rate:.0f}", share, f"{1000 * used:.2f}"))
    print(f"{cost.describe_machine()}; batches of {batch_size}, {_SIZE.value} px")
    demanded = f"of a {_STEP.value:g} ms step's demand"
    head = ("way", "cores", "examples/s", demanded, "CPU ms per example")
    print(markdown_table(head, rows))


def main(_):
    """Writes the data, measures, prints."""
    if _WAY.value:
        recipe = configs.get_recipe(_RECIPE.value)
        print(*measure(_WAY.value, recipe, pathlib.Path(_FOLDER.value)))
        return
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(
            _FOLDER.value or stack.enter_context(tempfile.TemporaryDirectory())
        )
        if not (folder / "arrays").exists():
            write_data(folder)
        report(folder)


if __name__ == "__main__":
    commands.run(main)
