"""What it takes to convert the largest files that the papers' tables need."""

import contextlib
import itertools
import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from tests.testing import ROOT
from tests.torch_archive import write_legacy, write_tensors
from tf_defocus.conversion import assignments_of
from tf_defocus.conversion.assignment import match
from tf_defocus.models.plans import plan_model

MOST_MEGABYTES = 200  # above what TensorFlow takes by being imported
MOST_SECONDS = 30  # of one core
CONVERT = """
import json, sys, time
from tf_defocus.conversion.converter import convert
def peak():  # rusage would begin with the parent's
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
before = peak()
print(convert(*sys.argv[1:2], sys.argv[2:3], sys.argv[3]))
print(peak() - before, time.process_time())
"""


def official_tensors(name, rng):
    """Random tensors in their authors' layouts."""
    for a in assignments_of(plan_model(name, variant="released")):
        expected = tuple(a.variable.shape)
        shapes = itertools.permutations(expected)
        shape = next(shape for shape in shapes if fits(a, shape))
        yield a.name, rng.normal(size=shape).astype("float32")


def fits(assignment, shape):
    with contextlib.suppress(ValueError):
        match([assignment], {assignment.name: np.broadcast_to(np.float32(0), shape)})
        return True
    return False


def write_keras(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            number, _, kind = name.partition("/")
            layer = f"conv2d_{int(number)}" if int(number) else "conv2d"
            file[f"{layer}/{layer}/{kind}:0"] = array
    return path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "name, write, megabytes",
    [
        ("restormer", write_tensors, 104),
        ("restormer_dual", write_legacy, 104),
        ("dpdnet_dual", write_keras, 124),
    ],
)
def test_a_large_file_takes_little_memory_and_time(
    name, write, megabytes, tmp_path, rng
):
    path = write(tmp_path / "theirs", dict(official_tensors(name, rng)))
    assert path.stat().st_size > megabytes * 1e6
    arguments = [name, path, tmp_path / "preset"]
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    grown, seconds = map(float, done.stdout.split()[-2:])
    print(f"{name}: {grown:.0f} MB, {seconds:.1f} s")
    assert grown < MOST_MEGABYTES
    assert seconds < MOST_SECONDS
    assert json.loads((tmp_path / "preset" / "config.json").read_text())["parity"]
