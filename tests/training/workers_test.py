"""Several worker processes on this machine train as one process does."""

import json
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.testing import ROOT
from tests.training.devices_test import CHANGES
from tf_defocus.configs import Recipe
from tf_defocus.training import workers

# With dropout, whose masks are the whole batch's, and one example too many for two.
RECIPE = Recipe(
    name="test_workers",
    model="dpdnet_single",
    overrides={"base_filters": 2, "dropout_rate": 0.4},
    crop_size=16,
    log_every=1,
    checkpoint_every=2,
    ema_decay=0.5,
).replace(**CHANGES | {"batch_size": 5, "num_steps": 30, "validate_every": 15})
SCRIPT = """
import json, sys
from tf_defocus import commands, configs
from tf_defocus.training import loop, workers
recipe, output, arrays, hosts, index = sys.argv[1:]
def main(_):
    strategy = "none"
    if hosts:
        workers.set_worker(hosts.split(","), int(index))
        strategy = "multi_worker"
    recipe_ = configs.Recipe(**json.loads(recipe))
    run = loop.train(recipe_, output, arrays, arrays, strategy, uneven=True)
    sys.exit(128 + run.stopped_by if run.stopped_by else 0)
sys.argv[1:] = []
commands.run(main)
"""


def free_hosts(count=2):
    """Addresses of this machine whose ports are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for probe in sockets:
        probe.bind(("localhost", 0))
    hosts = [f"localhost:{probe.getsockname()[1]}" for probe in sockets]
    for probe in sockets:
        probe.close()
    return hosts


def start(recipe, output, arrays, hosts=(), index=0):
    """A process of its own that trains."""
    recipe = json.dumps(recipe.to_dict())
    command = [sys.executable, "-c", SCRIPT, recipe, output, arrays]
    return subprocess.Popen(
        [*command, ",".join(hosts), str(index)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes, code=0, timeout=400):
    """Waits for processes, which must end with that code; returns their errors."""
    errors = [process.communicate(timeout=timeout)[1] for process in processes]
    assert [p.returncode for p in processes] == [code] * len(processes), errors
    return errors


def state(folder):
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def stop_in_the_middle(arrays, folder, victim, number):
    """Starts or resumes two workers; one gets a signal, and the other ends too."""

    def kept():
        return (folder / "checkpoint.npz").exists() and int(state(folder)["step"])

    hosts, before = free_hosts(), kept()
    workers = [start(RECIPE, folder, arrays, hosts, i) for i in (0, 1)]
    while kept() == before:
        assert workers[0].poll() is None, workers[0].communicate()
        time.sleep(0.01)
    workers[victim].send_signal(number)
    stopped, other = workers[victim], workers[1 - victim]
    if number == signal.SIGTERM:  # a request: both end after the same step
        finish(stopped, code=128 + number)
        finish(other)
    else:
        (error,) = finish(other, code=1, timeout=60)
        line = error.splitlines()[-1]
        assert "another worker ended or cannot be reached" in line, error
        finish(stopped, code=-number)
    assert before < kept() < RECIPE.num_steps


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers") / "arrays"
    store(folder, count=4, size=16)
    return folder


@pytest.mark.slow
def test_two_workers_train_as_one_process_also_after_they_are_stopped(arrays, tmp_path):
    finish(start(RECIPE, tmp_path / "one", arrays))
    hosts = free_hosts()
    first, second = (start(RECIPE, tmp_path / "two", arrays, hosts, i) for i in (0, 1))
    finish(first, second)
    one, two = state(tmp_path / "one"), state(tmp_path / "two")
    assert one.keys() == two.keys() and int(two["step"]) == RECIPE.num_steps
    for key, value in one.items():
        if key.startswith("model/"):
            scale = max(np.abs(value).max(), 1e-3)
            assert np.abs(two[key] - value).max() / scale < 1e-6, key
    killed = tmp_path / "killed"
    for victim, number in ((1, signal.SIGKILL), (0, signal.SIGTERM)):
        stop_in_the_middle(arrays, killed, victim, number)
    hosts = free_hosts()
    first, second = (start(RECIPE, killed, arrays, hosts, i) for i in (0, 1))
    finish(first, second)
    resumed = state(killed)
    for key, value in two.items():
        np.testing.assert_array_equal(resumed[key], value, err_msg=key)
    logs = [(tmp_path / n / "metrics.jsonl").read_text() for n in ("two", "killed")]
    assert logs[0] == logs[1]


AGREEMENT = """
import pathlib, sys
from tf_defocus import configs
from tf_defocus.training import loop, workers
from tf_defocus.training.tensorflow_step import TensorFlowStep, create_strategy
from types import SimpleNamespace
folder, hosts, index = sys.argv[1:]
folder, index = pathlib.Path(folder), int(index)
workers.set_worker(hosts.split(","), index)
strategy = create_strategy("multi_worker")
step = TensorFlowStep(None, None, None, SimpleNamespace(accumulation_steps=1), strategy)
def check(recipe="a", **changes):
    recipe = configs.Recipe(name="test", model=recipe)
    facts = {"data": "b", "step": 3, "folder": folder, **changes}
    run = SimpleNamespace(recipe=recipe, **facts)
    try:
        loop._require_agreement(run, step)
        loop._require_same_folder(run, step)
        print("agreed")
    except ValueError as error:
        print(error)
check()
check(recipe="other" if index else "a")
check(data="other" if index else "b")
check(step=4 if index else 3)
check(folder=folder / "elsewhere" if index else folder)
loop.__version__ = "9" if index else "1"
check()
"""


@pytest.mark.slow
def test_workers_that_differ_are_refused_on_both_sides(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    hosts = ",".join(free_hosts())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AGREEMENT, tmp_path, hosts, str(index)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]
    for process in processes:
        output, error = process.communicate(timeout=400)
        assert process.returncode == 0, error
        agreed, *refusals = output.splitlines()
        assert agreed == "agreed"
        subjects = (
            "recipe",
            "data",
            "steps in the folder",
            "folder of the run",
            "versions",
        )
        assert len(refusals) == len(subjects)
        for refusal, subject in zip(refusals, subjects):
            assert refusal.startswith(f"the workers differ in {subject}"), refusal


@pytest.mark.slow
def test_another_recipe_ends_all_workers_and_overwrites_nothing(arrays, tmp_path):
    config = tmp_path / "run" / "config.json"
    config.parent.mkdir()
    config.write_text("kept")
    hosts = free_hosts()
    recipes = RECIPE, RECIPE.replace(seed=5)
    processes = [
        start(recipe, tmp_path / "run", arrays, hosts, index)
        for index, recipe in enumerate(recipes)
    ]
    for error in finish(*processes, code=1):
        assert "the workers differ in recipe" in error.splitlines()[-1]
    assert config.read_text() == "kept"
    assert not (tmp_path / "run" / "checkpoint.npz").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "needs --worker_hosts and --task_index"),
        ("{", "needs --worker_hosts and --task_index"),
        ("[]", "needs --worker_hosts and --task_index"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {}}', "needs --worker_hosts"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "a task that its cluster lacks",
        ),
        (
            '{"cluster": {"worker": ["a", "b:1"]},'
            ' "task": {"type": "worker", "index": 0}}',
            "different host:port",
        ),
    ],
)
def test_a_wrong_cluster_is_refused_in_words(monkeypatch, text, message):
    monkeypatch.delenv(workers.VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(workers.VARIABLE, text)
    with pytest.raises(ValueError, match=message):
        workers.find_worker("multi_worker")
    assert workers.find_worker("mirrored") == workers.Worker()


def test_the_first_worker_alone_writes(monkeypatch):
    monkeypatch.setenv(workers.VARIABLE, "")
    workers.set_worker(["a:1", "b:1"], 1)
    worker = workers.find_worker("multi_worker")
    assert (worker.index, worker.hosts, worker.writes) == (1, ("a:1", "b:1"), False)
    assert workers.find_worker("none").writes
