"""Tools: a fault is one line; commands on pages keep options, not folders."""

import importlib.util
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.testing import ROOT
from tf_defocus import commands
from tf_defocus.commands import shown_command

SHOWN = """python tools/evaluate.py \\
    --preset a,b \\
    --folder SCENES \\
    --keep \\
    --output results"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--preset=/home/x/a,b", "--folder=/home/x/s", "--keep", "--output=results"],
        ["--preset", "a,b", "--folder", "/home/x/s", "--keep", "--output", "results"],
    ],
)
def test_both_forms_of_options_are_shown_alike(arguments):
    command = ["/home/x/tools/evaluate.py", *arguments]
    assert shown_command(command, {"folder": "SCENES"}) == SHOWN


def test_values_with_spaces_are_quoted():
    command = ["tools/a.py", "--title=Four scenes"]
    assert shown_command(command).endswith('--title "Four scenes"')


def test_a_fault_of_what_was_given_is_one_line(monkeypatch):
    def main(arguments):
        raise ValueError("two\nlines")

    monkeypatch.setattr("sys.argv", ["tools/some_tool.py"])
    with pytest.raises(SystemExit) as caught:
        commands.run(main)
    assert caught.value.code == "some_tool: two lines"


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    def main(arguments):
        raise TypeError("ours")

    monkeypatch.setattr("sys.argv", ["tools/some_tool.py"])
    with pytest.raises(TypeError, match="ours"):
        commands.run(main)


def test_a_missing_package_names_its_extra():
    error = ModuleNotFoundError("No module", name="tensorflow_datasets.core")
    expected = 'needs tensorflow_datasets; pip install "tf-defocus[data]"'
    assert commands.explain(error) == expected
    other = ModuleNotFoundError("No module named 'cv2'", name="cv2")
    assert commands.explain(other) == "No module named 'cv2'"


@pytest.mark.parametrize(
    "installed, wanted, remedy",
    [
        ((), None, r'pip install "tf-defocus\[tensorflow\]"'),
        (("jax",), None, "set KERAS_BACKEND=jax"),
        (("tensorflow",), "numpy", "KERAS_BACKEND=tensorflow"),
        (("tensorflow",), "jax", r'pip install "tf-defocus\[jax\]"'),
    ],
)
def test_a_backend_that_is_missing_is_named(monkeypatch, installed, wanted, remedy):
    found = {name: True for name in installed}
    monkeypatch.setattr(importlib.util, "find_spec", found.get)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if wanted:
        monkeypatch.setenv("KERAS_BACKEND", wanted)
    with pytest.raises(commands.BackendError, match=remedy):
        commands.require_backend()


WITHOUT = """
import runpy, sys
from importlib.machinery import PathFinder

absent = sys.argv[1].split(",")
del sys.argv[:2]

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in absent:
            return PathFinder.find_spec(name, path, target)

sys.meta_path = [Without() if f is PathFinder else f for f in sys.meta_path]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    "absent, tool, line",
    [
        (
            "tensorflow_datasets",
            "inspect_dataset",
            'needs tensorflow_datasets; pip install "tf-defocus[data]"',
        ),
        ("tensorflow", "evaluate", "TensorFlow is not installed, JAX is; set KERAS_"),
        ("tensorflow,jax", "evaluate", "needs TensorFlow or JAX; pip install"),
    ],
)
def test_a_tool_without_an_extra_says_so_in_one_line(tmp_path, absent, tool, line):
    """Where the tool imports it at its top, too, before it runs."""
    if absent == "tensorflow":
        pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    command = [sys.executable, "-c", WITHOUT, absent, f"tools/{tool}.py", tmp_path]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{tool}: {line}") and done.stderr.count("\n") == 1


def test_a_stopped_training_leaves_as_shells_do(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tools/train.py"])
    commands.leave_if_stopped(SimpleNamespace(stopped_by=None, step=7))
    run = SimpleNamespace(stopped_by=signal.SIGTERM, step=7)
    with pytest.raises(SystemExit) as leave:
        commands.leave_if_stopped(run)
    assert leave.value.code == 128 + 15
    assert capsys.readouterr().err.startswith("train: SIGTERM after step 7;")
