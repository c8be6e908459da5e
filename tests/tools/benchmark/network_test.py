"""The benchmark measures what it says: known times, shares, memory and reports."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests import testing

TOOL = testing.ROOT / "tools" / "benchmark" / "network.py"

# Runs the command once per list of arguments, in one process to import only once.
SEVERAL_RUNS = """
import importlib.util, json, sys
from absl import flags

spec = importlib.util.spec_from_file_location("benchmark", sys.argv[1])
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)
for arguments in json.loads(sys.argv[2]):
    flags.FLAGS.unparse_flags()
    benchmark.main(flags.FLAGS(["benchmark", *arguments]))
"""


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=testing.ROOT,
        env={**os.environ, "PYTHONPATH": str(testing.ROOT)},
        check=False,
    )


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """mode -> (printed text of all, report) of the three modes on a tiny network."""
    folder = tmp_path_factory.mktemp("benchmark")
    rng = np.random.default_rng(7)
    for kind in ("blurred", "sharp"):
        values = rng.integers(0, 256, (4, 48, 48, 3)).astype("uint8")
        np.save(folder / f"{kind}.npy", values)
    (folder / "arrays.json").write_text("{}")
    small = ["--name=kpac_2level", "--override=base_filters=3", "--repeats=2"]
    small += ["--crop_size=32", "--batch_size=2", "--size=50x37"]
    modes = {
        "model": ["--baseline=kpac_3level"],
        "input": [f"--arrays={folder}"],
        "restore": [],
    }
    runs = [
        [mode, *small, *more, f"--json={folder / mode}.json"]
        for mode, more in modes.items()
    ]
    done = run(["-c", SEVERAL_RUNS], TOOL, json.dumps(runs))
    assert done.returncode == 0, done.stderr[-3000:]
    texts = {mode: (folder / f"{mode}.json").read_text() for mode in modes}
    return done.stdout, {mode: json.loads(text) for mode, text in texts.items()}


def test_ratio_is_of_the_two_medians(reports):
    results = reports[1]["model"]["results"]
    expected = results["seconds"] / results["baseline_seconds"]
    assert results["ratio"] == pytest.approx(expected)
    assert results["seconds"] > 0
    assert results["train_seconds"] > 0


def test_overrides_reach_the_model(reports):
    from tf_defocus.models import create_model

    model = create_model("kpac_2level", base_filters=3)
    results = reports[1]["model"]["results"]
    assert results["parameters"] == model.count_params()


def test_waiting_is_a_share_of_the_steps(reports):
    results = reports[1]["input"]["results"]
    assert 0 <= results["waiting_share"] < 1
    assert results["samples_per_second"] > 0
    assert results["step_seconds"] > 0


def test_restore_reports_the_whole_process(reports):
    results = reports[1]["restore"]["results"]
    assert results["process_peak_mib"] > 100  # TensorFlow alone is more
    assert 0 <= results["memory_mib"] < results["process_peak_mib"]


def test_report_names_the_machine_and_settings(reports):
    text, by_mode = reports
    for report in by_mode.values():
        assert report["machine"]["cores"] >= 1
        assert report["machine"]["processor"] in text
        assert report["size"] == "50x37"
        assert report["overrides"] == {"base_filters": 3}
    assert "samples_per_second: " in text
