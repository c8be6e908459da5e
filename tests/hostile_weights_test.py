"""Hostile files of weights: one line, in little time and memory, nothing executed."""

import json
import subprocess
import sys

import pytest

from tests import hostile_weights
from tests.testing import ROOT

MOST_SECONDS = 10  # of a busy machine; most take none
MOST_MEGABYTES = 300  # beside what the imports take
READ_ALL = """
import json, pathlib, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30,) * 2)
from tf_defocus.array_files import hdf5, npz
from tf_defocus.models import presets
from tf_defocus.conversion.torch_checkpoint import read_torch_checkpoint

readers = {
    "torch": read_torch_checkpoint,
    "h5": hdf5.read_datasets,
    "npz": npz.read_arrays,
    "run": presets.load_preset,
}
def peak():  # rusage would begin with the parent's
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    kind = path.name.partition("_")[0]
    if kind not in readers or path.suffix == ".kept":
        continue
    before, start = peak(), time.process_time()
    try:
        outcome = ["read", repr(type(readers[kind](path)))]
    except Exception as error:
        outcome = [type(error).__name__, str(error)]
    print(json.dumps([path.name, *outcome, time.process_time() - start,
                      peak() - before]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """name -> (error, message, seconds, megabytes), all of them from one process."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile_weights.write_all(folder)
    result = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    found = {name: outcome for name, *outcome in lines}
    missing = {p.name for p in hostile_weights.paths(folder)} - set(found)
    assert not missing, result.stderr[-2000:]
    return found


def test_every_hostile_file_ends_in_one_short_line(outcomes):
    assert len(outcomes) > 100, sorted(outcomes)
    for name, (error, message, seconds, megabytes) in outcomes.items():
        assert error in ("ValueError", "PresetError"), (name, error, message)
        assert "\n" not in message and len(message) < 1500, (name, message)
        assert seconds < MOST_SECONDS, (name, seconds)
        assert megabytes < MOST_MEGABYTES, (name, megabytes)
