"""Killed in the middle and given again, a restoration does each photograph once."""

import os
import subprocess
import sys

import pytest

from tests import testing
from tf_defocus.models import create_model
from tf_defocus.models.presets import save_preset

pytest.importorskip("apache_beam", reason="needs Apache Beam: [beam]")
TOOL = testing.ROOT / "tools" / "benchmark" / "beam_restart.py"


@pytest.mark.slow
def test_a_killed_restoration_goes_on_and_does_each_photograph_once(tmp_path):
    small = {"base_filters": 2}
    save_preset(create_model("dpdnet_single", **small), tmp_path, "small", small)
    numbers = ["--photographs=300", "--broken=5", "--kills=1"]
    result = subprocess.run(
        [sys.executable, str(TOOL), *numbers, f"--preset={tmp_path}"],
        capture_output=True,
        text=True,
        cwd=testing.ROOT,
        env={**os.environ, "PYTHONPATH": str(testing.ROOT)},
        check=False,
    )
    *runs, verdict = result.stdout.strip().splitlines()
    assert result.returncode == 0, verdict
    assert verdict == "295 good photographs once, 5 refusals named, none partial"
    assert len(runs) == 2 and all("0 done again" in run for run in runs)
    assert "SIGKILL to all processes" in runs[0]
    done = [int(run.split(": ")[1].split()[0]) for run in runs]
    assert sum(done) == 295 and min(done) > 0
