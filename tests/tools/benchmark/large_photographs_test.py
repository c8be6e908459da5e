"""Time and memory of a command: of a process of its own."""

import resource
import subprocess

import pytest

from tests.testing import load_tool

tool = load_tool("benchmark.large_photographs")


def test_a_command_tells_its_time_and_memory(tmp_path):
    seconds, processor, peak = tool.run(["--version"], tmp_path)
    assert 0 < seconds < 60
    assert 0 < processor < 60
    # MiB, without a network; Linux counts what the process was before it was another.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 5 < peak < 2000 + own


def test_a_command_that_fails_is_not_measured(tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        tool.run(["deblur", "-i", "none.png", "-o", "out"], tmp_path)
