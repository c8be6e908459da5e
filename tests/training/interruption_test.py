"""Runs that are stopped: by Ctrl-C, SIGTERM or a kill, and what they find again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.processes import Copy
from tests.testing import ROOT
from tests.training.loop_test import RECIPE, assert_same_state, checkpoint
from tf_defocus import whole_files
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.training import loop
from tf_defocus.training.interruption import StopRequest

LONG = RECIPE.replace(num_steps=30, validate_every=4, checkpoint_every=3, log_every=1)
TWO_SIGNALS = """
import os, signal, time
from tf_defocus.training.interruption import stop_requests
with stop_requests() as request:
    print(request.signal)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
    print(request.signal.name)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
    except KeyboardInterrupt:
        print("raised")
"""


def train(folder, *data):
    """What a process that is stopped does."""
    run = loop.train(LONG, folder, *data)
    print(run.step, run.stopped_by, flush=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folders of training and validation arrays."""
    folder = tmp_path_factory.mktemp("arrays")
    store(folder / "train")
    store(folder / "validation", count=2)
    return folder / "train", folder / "validation"


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The folder of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    loop.train(LONG, folder, *data)
    return folder


def last_logged(folder):
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_equals_the_uninterrupted_one(
    data, uninterrupted, tmp_path, number
):
    copy = Copy(train, tmp_path / "run", *data)
    deadline = time.monotonic() + 240
    while last_logged(tmp_path / "run") < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(copy.process.pid, number)
    output, _ = copy.finish(-number if number == signal.SIGKILL else 0)
    if number != signal.SIGKILL:
        step, stopped_by = output.splitlines()[-1].split()
        assert 5 <= int(step) < 30
        assert stopped_by == str(int(number)) or stopped_by.endswith(number.name)
        assert int(checkpoint(tmp_path / "run")["step"]) == int(step)
    loop.train(LONG, tmp_path / "run", *data)
    one, other = checkpoint(uninterrupted), checkpoint(tmp_path / "run")
    assert_same_state(one, other, atol=0)
    assert int(one["step"]) == int(other["step"]) == 30
    steps = [
        [json.loads(line)["step"] for line in (f / "metrics.jsonl").open()]
        for f in (uninterrupted, tmp_path / "run")
    ]
    assert steps[0] == steps[1]


def test_the_first_signal_is_noted_and_the_second_raises():
    # In a process of its own: a SIGTERM that is not caught ends the tests' process.
    command = [sys.executable, "-c", TWO_SIGNALS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["None", "SIGINT", "raised"], done.stderr


def test_a_request_ends_the_run_after_its_step(data, tmp_path, monkeypatch):
    request, original = StopRequest(), loop._count_failed

    def ask(run, *arguments):
        if run.step == 2:
            request.signal = signal.SIGINT
        return original(run, *arguments)

    monkeypatch.setattr(loop, "_count_failed", ask)
    asked = contextlib.nullcontext(request)
    monkeypatch.setattr(loop, "stop_requests", lambda: asked)
    run = loop.train(RECIPE, tmp_path, *data)
    assert (run.step, run.stopped_by) == (2, signal.SIGINT)
    assert int(checkpoint(tmp_path)["step"]) == 2


def test_an_error_in_a_step_leaves_the_last_checkpoint(data, tmp_path, monkeypatch):
    def fail(run, *_):
        if run.step == 3:
            raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(loop, "_count_failed", fail)
    with pytest.raises(KeyboardInterrupt):
        loop.train(RECIPE, tmp_path, *data)
    assert int(checkpoint(tmp_path)["step"]) == 2


def test_other_data_do_not_continue_a_run(data, tmp_path):
    loop.train(RECIPE.replace(num_steps=1), tmp_path / "run", data[0])
    store(tmp_path / "other", count=len(StoredArrays(data[0])))
    sharp = np.load(tmp_path / "other" / "sharp.npy")
    np.save(tmp_path / "other" / "sharp.npy", sharp ^ 1)
    with pytest.raises(ValueError, match="trained on other data"):
        loop.train(RECIPE.replace(num_steps=1), tmp_path / "run", tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_damaged_checkpoint_is_named_with_the_remedy(data, tmp_path, content):
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.npz is damaged .* remove it"):
        loop.train(RECIPE, tmp_path, *data)


def test_damaged_arrays_are_named_with_the_remedy(tmp_path):
    store(tmp_path / "a")
    path = tmp_path / "a" / "sharp.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"is damaged .* remove the folder"):
        StoredArrays(tmp_path / "a")
    (tmp_path / "a" / "arrays.json").write_text("{")
    with pytest.raises(ValueError, match=r"is damaged .* remove the folder"):
        StoredArrays(tmp_path / "a")


def test_a_folder_is_trained_into_by_one_process(data, tmp_path):
    with (
        whole_files.lock_folder(tmp_path),
        pytest.raises(ValueError, match="in use by another process"),
    ):
        loop.train(RECIPE, tmp_path, *data)
    assert loop.train(RECIPE.replace(num_steps=1), tmp_path, *data).step == 1


@pytest.mark.parametrize("field", ["batch_size", "checkpoint_every", "num_steps"])
def test_counts_of_zero_are_refused_at_the_start(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1"):
        RECIPE.replace(**{field: 0})
