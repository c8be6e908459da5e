"""Time and memory of calls, and the machine they were measured on.

Peak memory is the high water of the process' resident set; the highest of anything
before it counts where the system cannot reset it.
"""

import importlib
import json
import os
import pathlib
import platform
import statistics
import sys
import time

from tf_defocus import whole_files


def describe_machine():
    """dict: processor, cores, memory, load and versions that the numbers belong to."""
    import keras
    import numpy as np

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
        """Float [MiB]."""
        return process_memory("VmHWM") - self.start


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


def write_json(path, report):
    """Writes a report, whole or not at all."""
    path = pathlib.Path(path)
    whole_files.write_text(path, json.dumps(report, indent=2) + "\n")
