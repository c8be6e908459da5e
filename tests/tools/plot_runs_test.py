"""Tests of `tools/plot_runs.py`: what it reads of a run, draws and tables."""

import json
import subprocess
import sys

import pytest

from tests import testing
from tf_defocus.images.files import read_image

plot_runs = testing.load_tool("plot_runs")


@pytest.fixture
def runs(tmp_path):
    """Two runs; the first was resumed, and logged step 4 again."""
    rows = {
        "a": [{"step": 2, "loss": 9.0}]
        + [{"step": s, "gain": g} for s, g in ((2, 0.5), (4, 7.0), (4, 1.0), (6, 1.5))],
        "b": [{"step": 2, "gain": 0.25}, {"step": 6, "gain": 2.0}],
    }
    for name, lines in rows.items():
        (tmp_path / name).mkdir()
        text = "\n".join(json.dumps(line) for line in lines)
        (tmp_path / name / "metrics.jsonl").write_text(text)
    return tmp_path


def test_curve_takes_the_last_of_a_step_logged_twice(runs):
    steps, values = plot_runs.read_curve(runs / "a", "gain")
    assert (steps, values) == ([2, 4, 6], [0.5, 1.0, 1.5])
    with pytest.raises(ValueError, match=r"must hold 'ssim'.*\['gain', 'loss'\]"):
        plot_runs.read_curve(runs / "a", "ssim")


def test_command_draws_and_tables_both_runs(runs):
    output = runs / "new" / "curves.png"
    command = [sys.executable, str(testing.ROOT / "tools" / "plot_runs.py")]
    command += [f"--runs={runs / 'a'},{runs / 'b'}", "--key=gain", "--labels=one,two"]
    result = subprocess.run(
        [*command, f"--output={output}"], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == [
        "| step, gain | one | two |",
        "| --- | ---: | ---: |",
        "| 2 | 0.500 | 0.250 |",
        "| 4 | 1.000 |  |",
        "| 6 | 1.500 | 2.000 |",
    ]
    picture = read_image(output).pixels
    assert picture.shape == (360, 560, 3)
    blue = (picture == (0, 114, 178)).all(-1).sum()
    assert blue > 100  # the second curve
