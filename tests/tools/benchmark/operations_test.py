"""A network's time is told apart by operations."""

import subprocess
import sys

import keras
import pytest

from tests.testing import ROOT

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="profiles TensorFlow's graphs"
)


def test_native_operations_are_among_the_dearest():
    # In a process of its own: a process has one profiler.
    arguments = ["--name", "kpac_2level", "--size", "64x48", "--engine", "native"]
    tool = [sys.executable, "tools/benchmark/operations.py", *arguments]
    command = [*tool, "--repeats=1", "--threads=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| `")]
    times = {row[0].strip("| `"): row[1:] for row in rows}
    assert times["TfDefocusSharedDilations"][0] == "2"  # one per block
    assert float(times["TfDefocusWinogradConvolution"][1]) > 0
