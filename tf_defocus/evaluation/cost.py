"""Time and memory of calls, and the machine they were measured on.

Peak memory is the high water of the process' resident set; the highest of anything
before it counts where the system cannot reset it.
"""

import functools
import importlib
import json
import os
import pathlib
import platform
import statistics
import sys
import time

import numpy as np

from tf_defocus import whole_files
from tf_defocus.ops.padding import pad_amounts


def describe_machine():
    """dict: processor, cores, memory, load and versions that the numbers belong to."""
    import keras

    backend = keras.backend.backend()
    devices = keras.distribution.list_devices()
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "devices": devices,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.version(),
        backend: importlib.import_module(backend).__version__,
    }


class PeakMemory:
    """High water of the resident set [MiB] above where it stood when this was made."""

    def __init__(self):
        try:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        except OSError as error:
            print(f"peak memory not reset ({error})", file=sys.stderr)
        self.start = process_memory("VmRSS")

    def read(self):
        """Float [MiB], at least 0: the kernel counts both in steps of some pages."""
        return max(0.0, process_memory("VmHWM") - self.start)


def process_memory(key):
    """A size [MiB] of the process, as Linux counts it.

    Args:
        key: str, such as "VmRSS" (now) or "VmHWM" (the highest so far).

    Raises:
        OSError: where the system does not tell.
    """
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {key}; this needs Linux")


def _processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def time_call(call):
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median_seconds(calls, repeats):
    """Median seconds of each call, measured in turns.

    Args:
        calls: iterable of functions without arguments.
        repeats: int, how often each is called.

    Returns:
        list of float.
    """
    calls = list(calls)
    rounds = [[time_call(call) for call in calls] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds)]


def parse_size(text):
    """(width, height) of a text such as 1280x720.

    Raises:
        ValueError: if it is no such text.
    """
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isdigit() and int(side) for side in sides):
        raise ValueError(f"--size expects WIDTHxHEIGHT. Received: {text!r}")
    return tuple(map(int, sides))


def photograph(width, height):
    """A gradient with noise, (height, width, 3) uint8."""
    rng = np.random.default_rng(0)
    gradient = np.linspace(0, 191, width, dtype=np.uint8)[None, :, None]
    return rng.integers(0, 64, (height, width, 3), dtype=np.uint8) + gradient


def forward_call(model, width, height):
    """A call without arguments of the compiled network on one `photograph`."""
    image = photograph(width, height).astype(np.float32) / np.float32(255)
    amounts = pad_amounts(height, width, model.size_multiple)
    image = np.pad(image, (*amounts, (0, 0)), mode="reflect")[None]
    views = dict.fromkeys(model.view_names, image)
    return functools.partial(model.predict_on_batch, views)


def write_json(path, report):
    """Writes a report, whole or not at all."""
    path = pathlib.Path(path)
    whole_files.write_text(path, json.dumps(report, indent=2) + "\n")
