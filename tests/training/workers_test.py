"""Several worker processes on this machine train as one process does."""

import os
import shutil
import signal
import socket
import sys
import time
import types

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.processes import Copy
from tests.training.devices_test import CHANGES
from tf_defocus import commands
from tf_defocus.configs import Recipe
from tf_defocus.training import loop, workers
from tf_defocus.training.tensorflow_step import TensorFlowStep, create_strategy

# With dropout, whose masks are the whole batch's, and one example too many for two.
RECIPE = Recipe(
    name="test_workers",
    model="dpdnet_single",
    overrides={"base_filters": 2, "dropout_rate": 0.4},
    crop_size=16,
    losses=(("mse", 1.0),),  # smooth: of absolute errors one may change its sign
    log_every=1,
    checkpoint_every=5,
    ema_decay=0.5,
).replace(**CHANGES | {"batch_size": 5, "num_steps": 30, "validate_every": 15})
FIRST = "first_checkpoint.npz"  # a copy of it


def train(recipe, output, arrays, hosts=(), index=0):
    """What each process does: as a tool, it ends with one line."""
    save = loop.save_checkpoint

    def save_and_keep(run):
        save(run)
        if run.step == recipe.checkpoint_every and run.writes:
            shutil.copy(output / "checkpoint.npz", output / FIRST)

    def main(_):
        strategy = "none"
        if hosts:
            workers.set_worker(hosts, index)
            strategy = "multi_worker"
        loop.save_checkpoint = save_and_keep
        run = loop.train(recipe, output, arrays, arrays, strategy, uneven=True)
        sys.exit(128 + run.stopped_by if run.stopped_by else 0)

    sys.argv[1:] = []
    commands.run(main)


def free_hosts(count=2):
    """Addresses of this machine whose ports are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for probe in sockets:
        probe.bind(("localhost", 0))
    hosts = [f"localhost:{probe.getsockname()[1]}" for probe in sockets]
    for probe in sockets:
        probe.close()
    return hosts


def start(*arguments):
    """Two workers that call `train`, the second one with its own recipe and arrays.

    Args:
        *arguments: (recipe, output, arrays) of each; of both where there is one.
    """
    hosts = free_hosts()
    both = arguments if len(arguments) == 2 else arguments * 2
    return [Copy(train, *each, hosts, index) for index, each in enumerate(both)]


def finish(*copies, code=0):
    """Waits for processes, which must end with that code; returns their errors."""
    return [copy.finish(code)[1] for copy in copies]


def state(folder, name="checkpoint.npz"):
    with np.load(folder / name, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def stop_in_the_middle(arrays, folder, victim, number):
    """Starts or resumes two workers; one gets a signal, and the other ends too."""

    def kept():
        return (folder / "checkpoint.npz").exists() and int(state(folder)["step"])

    before, copies = kept(), start((RECIPE, folder, arrays))
    while kept() == before:
        if not copies[0].process.is_alive():
            copies[0].finish()
        time.sleep(0.01)
    stopped, other = copies[victim], copies[1 - victim]
    os.kill(stopped.process.pid, number)
    if number == signal.SIGTERM:  # a request: both end after the same step
        stopped.finish(128 + number)
        other.finish()
    else:
        line = other.finish(1, timeout=60)[1].splitlines()[-1]
        assert "another worker ended or cannot be reached" in line
        stopped.finish(-number)
    assert before < kept() < RECIPE.num_steps


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers") / "arrays"
    store(folder, count=4, size=16)
    return folder


@pytest.mark.slow
def test_two_workers_train_as_one_process_also_after_they_are_stopped(arrays, tmp_path):
    finish(
        Copy(train, RECIPE.replace(num_steps=6), tmp_path / "one", arrays),
        *start((RECIPE, tmp_path / "two", arrays)),
    )
    one, two = (state(tmp_path / name, FIRST) for name in ("one", "two"))
    assert one.keys() == two.keys() and int(two["step"]) == 5
    for key, value in one.items():
        if key.startswith("model/"):
            scale = max(np.abs(value).max(), 1e-3)
            assert np.abs(two[key] - value).max() / scale < 1e-6, key
    killed = tmp_path / "killed"
    for victim, number in ((1, signal.SIGKILL), (0, signal.SIGTERM)):
        stop_in_the_middle(arrays, killed, victim, number)
    finish(*start((RECIPE, killed, arrays)))
    two, resumed = state(tmp_path / "two"), state(killed)
    assert int(two["step"]) == RECIPE.num_steps
    for key, value in two.items():
        np.testing.assert_array_equal(resumed[key], value, err_msg=key)
    logs = [(tmp_path / n / "metrics.jsonl").read_text() for n in ("two", "killed")]
    assert logs[0] == logs[1]


def agree(folder, hosts, index):
    """Prints what workers say that agree, then differ in one thing after another."""
    workers.set_worker(hosts, index)
    strategy = create_strategy("multi_worker")
    parts = types.SimpleNamespace(accumulation_steps=1)
    step = TensorFlowStep(None, None, None, parts, strategy)

    def check(model="a", **changes):
        recipe = Recipe(name="test", model=model)
        facts = {"data": "b", "step": 3, "folder": folder, **changes}
        run = types.SimpleNamespace(recipe=recipe, **facts)
        try:
            loop._require_agreement(run, step)
            loop._require_same_folder(run, step)
            print("agreed")
        except ValueError as error:
            print(error)

    check()
    check(model="other" if index else "a")
    check(data="other" if index else "b")
    check(step=4 if index else 3)
    check(folder=folder / "elsewhere" if index else folder)
    loop.__version__ = "9" if index else "1"
    check()


@pytest.mark.slow
def test_workers_that_differ_are_refused_on_both_sides(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    hosts = free_hosts()
    for copy in [Copy(agree, tmp_path, hosts, index) for index in (0, 1)]:
        output, _ = copy.finish()
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
@pytest.mark.parametrize("lacking", ["recipe", "data"])
def test_what_one_worker_lacks_ends_all_and_overwrites_nothing(
    arrays, tmp_path, lacking
):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("kept")
    whole = RECIPE, run, arrays
    lacks = {
        "recipe": (RECIPE.replace(seed=5), run, arrays),
        "data": (RECIPE, run, tmp_path / "none"),
    }
    lines = {
        "recipe": ["the workers differ in recipe"] * 2,
        "data": ["worker 1 ended: No finished arrays", "No finished arrays"],
    }
    errors = finish(*start(whole, lacks[lacking]), code=1)
    for error, line in zip(errors, lines[lacking]):
        assert f": {line}" in error.splitlines()[-1]
        assert "Traceback" not in error
    assert (run / "config.json").read_text() == "kept"
    assert {path.name for path in run.iterdir()} <= {"config.json", ".lock"}


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
