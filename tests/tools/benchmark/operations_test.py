"""A network's time is told apart by operations."""

import keras
import pytest

from tests.testing import run_tool

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="profiles TensorFlow's graphs"
)


def test_native_operations_are_among_the_dearest(capsys):
    arguments = ["--name", "kpac_2level", "--size", "64x48", "--engine", "native"]
    status = run_tool("benchmark/operations", *arguments, "--repeats=1", "--threads=1")
    assert not status
    told = capsys.readouterr().out
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith("| `")]
    times = {row[0].strip("| `"): row[1:] for row in rows}
    assert times["TfDefocusSharedDilations"][0] == "2"  # one per block
    assert float(times["TfDefocusWinogradConvolution"][1]) > 0
