"""Killed in the middle and given again, a restoration does each photograph once."""

import os
import subprocess
import sys

import pytest

from tests import testing

pytest.importorskip("apache_beam", reason="needs Apache Beam: [beam]")
TOOL = testing.ROOT / "tools" / "benchmark" / "beam_restart.py"


@pytest.mark.slow
def test_a_killed_restoration_goes_on_and_does_each_photograph_once():
    result = subprocess.run(
        [sys.executable, str(TOOL), "--photographs=200", "--broken=5", "--kills=1"],
        capture_output=True,
        text=True,
        cwd=testing.ROOT,
        env={**os.environ, "PYTHONPATH": str(testing.ROOT)},
        check=False,
    )
    *runs, verdict = result.stdout.strip().splitlines()
    assert result.returncode == 0, verdict
    assert verdict == "195 good photographs once, 5 refusals named, none partial"
    assert len(runs) == 2 and all("0 done again" in run for run in runs)
    assert "SIGKILL to all processes" in runs[0]
    done = [int(run.split(": ")[1].split()[0]) for run in runs]
    assert sum(done) == 195 and min(done) > 0
