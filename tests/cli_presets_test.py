"""The command and its presets: what it lists, checks and says, without a traceback."""

import os
import subprocess
import sys

import keras
import pytest

import tf_defocus
from tests.cli_test import Inverting, deblur, save
from tests.testing import ROOT
from tf_defocus import cli
from tf_defocus.cli.deblur import DEFAULT_PRESET
from tf_defocus.images.files import read_image
from tf_defocus.models import create_model, manifest, presets


class Defocus(Inverting):
    """A map, no image."""

    output_name = "defocus"


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """A folder of shipped presets with one small KPAC, called as the default."""
    folder = tmp_path / "checkpoints"
    small = {"base_filters": 3}
    model = create_model("kpac_3level", **small)
    details = {"description": "for tests", "licence": "Apache-2.0"}
    presets.save_preset(model, folder, DEFAULT_PRESET, small, **details)
    monkeypatch.setenv("TF_DEFOCUS_CHECKPOINTS", str(folder))
    return folder


def test_default_preset_restores_and_a_damaged_one_is_refused(
    tmp_path, checkpoints, capsys
):
    source = save(tmp_path / "a.png", 55, size=(11, 13))
    assert deblur("-i", source, "-o", tmp_path / "out") == 0
    assert read_image(tmp_path / "out" / "a.png").pixels.shape == (11, 13, 3)
    with open(checkpoints / f"{DEFAULT_PRESET}.npz", "ab") as file:
        file.write(b"!")
    assert deblur("-i", source, "-o", tmp_path / "again") == 1
    assert "is damaged: expected sha256" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    assert cli.main(["doctor"]) == 1


def test_a_network_that_makes_no_image_is_refused_in_one_line(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(presets, "load_preset", lambda name: Defocus(name="dmenet"))
    source = save(tmp_path / "a.png", 55)
    assert deblur("-i", source, "-o", tmp_path / "out") == 1
    message = capsys.readouterr().err
    assert "dmenet estimates defocus" in message and message.count("\n") == 1
    assert "--classical two_step_dmenet" in message
    assert not (tmp_path / "out").exists()


def test_models_and_doctor_tell_what_there_is(checkpoints, capsys):
    assert cli.main(["models"]) == 0
    told = capsys.readouterr().out
    assert "  kpac_2level\n" in told
    entry = f"{DEFAULT_PRESET}: for tests\n    inputs:  blurred\n    size:    0."
    assert entry in told
    assert "licence: Apache-2.0" in told and f"{DEFAULT_PRESET}.md" in told
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert f"keras: {keras.__version__}" in told
    assert f"preset {DEFAULT_PRESET}: sha256 is right" in told


def test_doctor_fails_where_no_preset_is(tmp_path, monkeypatch, capsys):
    (tmp_path / "manifest.json").write_text('{"presets": {}}')
    monkeypatch.setenv("TF_DEFOCUS_CHECKPOINTS", str(tmp_path))
    assert cli.main(["doctor"]) == 1
    assert "holds no preset" in capsys.readouterr().err
    monkeypatch.setenv("TF_DEFOCUS_CHECKPOINTS", str(tmp_path / "nowhere"))
    assert cli.main(["doctor"]) == cli.main(["models"]) == 1


def test_doctor_names_a_card_that_the_backend_does_not_use(
    checkpoints, tmp_path, monkeypatch, capsys
):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho Card 5, 8192 MiB, 580.1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "card, memory, driver: Card 5, 8192 MiB, 580.1" in told
    assert 'pip install "tf-defocus[gpu]"' in told


def test_every_shipped_preset_says_what_it_is():
    for name, entry in manifest.list_presets().items():
        assert len(entry["description"]) > 20, name
        assert set(entry["inputs"]) <= {"blurred", "left", "right"}, name
        assert entry["licence"], name


def run_module(*arguments, **variables):
    """`python -m tf_defocus` as a user runs it: TensorFlow's levels are its own."""
    environment = {k: v for k, v in os.environ.items() if "MIN_LOG_LEVEL" not in k}
    return subprocess.run(
        [sys.executable, "-m", "tf_defocus", *arguments],
        capture_output=True,
        text=True,
        env=environment | variables,
        cwd=ROOT,
    )


def test_the_package_runs_as_a_command():
    assert "--skip-existing" in run_module("deblur", "--help").stdout
    assert run_module("--version").stdout == f"tf-defocus {tf_defocus.__version__}\n"


def test_models_are_listed_at_once_without_keras():
    script = (
        "import sys, time; from tf_defocus import cli; cli.main(['models'])\n"
        "print(time.process_time(), {'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT
    )
    seconds, heavy = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert float(seconds) < 1.5 and heavy == "set()"


def test_nothing_of_tensorflow_is_on_the_screen(checkpoints):
    done = run_module("doctor", TF_DEFOCUS_CHECKPOINTS=str(checkpoints))
    assert (done.returncode, done.stderr) == (0, "")
    assert "sha256 is right" in done.stdout


def test_a_backend_that_cannot_serve_is_one_line():
    done = run_module("doctor", KERAS_BACKEND="numpy")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert 'pip install "tf-defocus[tensorflow]"' in done.stderr
