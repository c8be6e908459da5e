"""Tests of `tools/evaluate.py`: run as a command, with a fake restorer inside."""

import subprocess
import sys

import numpy as np
import pytest

from tests import testing
from tf_defocus.evaluation.scores import Scores
from tf_defocus.images.files import Image, write_image
from tf_defocus.models import create_model, presets

# Every preset returns its input a little brighter, whatever its name.
COMMAND = """
import runpy, sys
import numpy as np
import tf_defocus

class Fake:
    view_names = ("blurred",)
    offers_batch_statistics = False
    def __init__(self, batch_statistics, ensemble):
        self.model = self
        self.added = np.float32(0.12 if batch_statistics else 0.1)
        self.added -= np.float32(0.02 if ensemble else 0)
    @classmethod
    def from_preset(cls, name, batch_statistics=False, ensemble=False):
        if name == "unknown":
            raise ValueError("no preset 'unknown'; known are a, b")
        kind = Normalised if name == "gkmnet" else cls
        return kind(batch_statistics, ensemble)
    def restore(self, blurred):
        return np.clip(blurred + self.added, 0, 1)

class Normalised(Fake):
    offers_batch_statistics = True

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
        write_image(scene / f"{name}.png", Image(pixels))
    return scene.parent


def test_scores_table_and_pictures_are_written(folder, tmp_path):
    output = tmp_path / "results"
    done = evaluate(
        *("--preset", "a,b", "--folder", folder, "--compare", "dpdnet"),
        *("--protocol", "restormer", "--output", output),
        *("--classical", "two_step_zhuo_sim_wiener"),
    )
    assert done.returncode == 0, done.stderr
    table = (output / "table.md").read_text()
    assert done.stdout == table
    assert table.startswith("photos, 1 images, protocol restormer\n")
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines()[4:]]
    assert rows == ["input", "a", "b", "two_step_zhuo_sim_wiener", "dpdnet"]
    scores = Scores.read(output).summary()
    expected = 20 * np.log10(255 / 20)
    assert scores["input"]["mean"]["psnr"] == pytest.approx(expected)
    assert scores["dpdnet"]["mean"]["psnr"] == np.inf
    assert [path.name for path in (output / "pictures").iterdir()] == ["scene_a.png"]


def test_dmenets_row_needs_its_weights_and_the_others_do_not(folder, tmp_path):
    model = create_model("dmenet", base_filters=2)
    presets.save_preset(model, tmp_path / "dmenet", "dmenet", {"base_filters": 2})
    options = ("--folder", folder, "--protocol", "kpac", "--output", tmp_path / "out")
    rows = ("--classical", "two_step_dmenet", "--classical", "two_step_ebdb")
    refused = evaluate(*rows, *options)
    assert refused.returncode == 1 and not (tmp_path / "out").exists()
    assert "two_step_dmenet needs --dmenet" in refused.stderr
    done = evaluate(*rows, "--dmenet", tmp_path / "dmenet", *options)
    assert done.returncode == 0, done.stderr
    scores = Scores.read(tmp_path / "out").summary()
    assert list(scores) == ["input", "two_step_dmenet", "two_step_ebdb"]
    assert all(row["mean"]["psnr"] > 15 for row in scores.values())


def test_batch_statistics_stand_beside_running_ones(folder, tmp_path):
    output = tmp_path / "results"
    done = evaluate(
        *("--preset", "a,gkmnet", "--folder", folder, "--batch_statistics"),
        *("--protocol", "restormer", "--output", output),
    )
    assert done.returncode == 0, done.stderr
    scores = Scores.read(output).summary()
    names = ["input", "a", "gkmnet", "gkmnet, batch statistics"]
    assert list(scores) == names
    expected = [20, 20 + 25.5, 20 + 25.5, 20 + 30.6]
    for name, error in zip(names, expected):
        assert scores[name]["mean"]["mae"] == pytest.approx(error / 255, rel=1e-3)


def test_an_ensemble_stands_beside_the_single_restoration(folder, tmp_path):
    output = tmp_path / "results"
    done = evaluate(
        *("--preset", "a", "--folder", folder, "--ensemble"),
        *("--protocol", "restormer", "--output", output),
    )
    assert done.returncode == 0, done.stderr
    scores = Scores.read(output).summary()
    assert list(scores) == ["input", "a", "a, ensemble"]
    for name, error in (("a", 20 + 25.5), ("a, ensemble", 20 + 20.4)):
        assert scores[name]["mean"]["mae"] == pytest.approx(error / 255, rel=1e-3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--preset", "unknown"), "evaluate: no preset 'unknown'"),
        ((), "evaluate: Give a --preset"),
        (("--preset", "a", "--batch_statistics"), "evaluate: --batch_statistics needs"),
        (("--preset", "a", "--lpips_folder", "."), "evaluate: LPIPS needs alexnet"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing(arguments, message, folder, tmp_path):
    output = tmp_path / "results"
    done = evaluate(*arguments, "--folder", folder, "--output", output)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message)
    assert not output.exists()
