"""Tests of `tools/evaluate.py`: run as a command, with a fake restorer inside."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests import testing
from tf_defocus import image_io

# Every preset returns its input a little brighter, whatever its name.
COMMAND = """
import runpy, sys
import numpy as np
import tf_defocus

class Fake:
    view_names = ("blurred",)
    @classmethod
    def from_preset(cls, name):
        if name == "unknown":
            raise ValueError("no preset 'unknown'; known are a, b")
        return cls()
    def restore(self, blurred):
        return np.clip(blurred + np.float32(0.1), 0, 1)

tf_defocus.Restorer = Fake
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def evaluate(*arguments):
    tool = str(testing.ROOT / "tools" / "evaluate.py")
    return subprocess.run(
        [sys.executable, "-c", COMMAND, tool, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=testing.ROOT,
        timeout=600,
    )


@pytest.fixture
def folder(tmp_path, rng):
    """One scene whose published picture is perfect."""
    scene = tmp_path / "photos" / "scene_a"
    scene.mkdir(parents=True)
    sharp = rng.integers(40, 200, (16, 24, 3)).astype("uint8")
    pictures = {"combined": sharp + np.uint8(20), "target": sharp, "dpdnet": sharp}
    for name, pixels in pictures.items():
        image_io.write_image(scene / f"{name}.png", image_io.Image(pixels))
    return scene.parent


def test_scores_table_and_pictures_are_written(folder, tmp_path):
    output = tmp_path / "results"
    done = evaluate(
        *("--preset", "a,b", "--folder", folder, "--compare", "dpdnet"),
        *("--protocol", "restormer", "--output", output),
        *("--classical", "wiener"),
    )
    assert done.returncode == 0, done.stderr
    table = (output / "table.md").read_text()
    assert done.stdout == table
    assert table.startswith("photos, 1 images, protocol restormer\n")
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines()[4:]]
    assert rows == ["input", "a", "b", "two_step_wiener", "dpdnet"]
    scores = json.loads((output / "scores.json").read_text())
    expected = 20 * np.log10(255 / 20)
    assert scores["methods"]["input"]["mean"]["psnr"] == pytest.approx(expected)
    assert scores["methods"]["dpdnet"]["mean"]["psnr"] == "inf"
    assert [path.name for path in (output / "pictures").iterdir()] == ["scene_a.png"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--preset", "unknown"), "evaluate: no preset 'unknown'"),
        ((), "evaluate: Give a --preset"),
        (("--preset", "a", "--lpips_folder", "."), "evaluate: LPIPS needs alexnet"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing(arguments, message, folder, tmp_path):
    output = tmp_path / "results"
    done = evaluate(*arguments, "--folder", folder, "--output", output)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message)
    assert not output.exists()
