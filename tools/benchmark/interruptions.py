"""Stops a training again and again, and compares it with one that nothing stopped.

    python tools/benchmark/interruptions.py --stops 20
    python tools/benchmark/interruptions.py --stops 10 --workers 2

For each signal (SIGKILL, SIGINT, SIGTERM) a small run is stopped that many times at
random moments, validation and the writing of checkpoints included, resumed after each,
and in the end its checkpoint and its log must equal those of the uninterrupted run, bit
for bit. Prints one line per signal; exits with 1 if one differs.

With `--workers` each run is that of several processes, of which one, drawn by chance,
gets the signal (SIGKILL or SIGTERM); the others end by themselves, and how long that
took is printed.
"""

import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

import numpy as np
import tqdm
from absl import flags

from tf_defocus import commands
from tf_defocus.training import workers

STOPS = flags.DEFINE_integer("stops", 20, "Stops per signal.", 1)
SEED = flags.DEFINE_integer("seed", 0, "Of the random moments.")
WORKERS = flags.DEFINE_integer("workers", 1, "Processes of each training.", 1)
LONGEST = flags.DEFINE_float("longest", 0.5, "Most seconds from a step to a stop.", 0)

# Processes are copies of one that has imported all they need: starting takes longest.
PROCESSES = multiprocessing.get_context("forkserver")
PRELOADED = ["tf_defocus.training.loop", "tf_defocus.training.tensorflow_step"]
RECIPE = {
    "name": "interrupted",
    "model": "kpac_2level",
    "overrides": {"base_filters": 4, "num_blocks": 1},
    "crop_size": 32,
    "batch_size": 2,
    "ema_decay": 0.5,
    "learning_rate": 1e-3,
    "validate_every": 7,
    "checkpoint_every": 5,
    "log_every": 1,
    "num_validation": 2,
}
START_SECONDS = 300  # a process that has logged nothing by then has failed


def write_arrays(folder, count, rng):
    """Stored arrays of noise."""
    folder.mkdir(parents=True)
    for kind in ("blurred", "sharp"):
        images = rng.integers(0, 65536, (count, 48, 48, 3)).astype(np.uint16)
        np.save(folder / f"{kind}.npy", images)
    (folder / "arrays.json").write_text(json.dumps({"dataset": "noise"}))


def train(recipe, folders, last, config):
    """What each process does.

    Args:
        recipe: dict, of a `Recipe`.
        folders: of the run, the training and the validation arrays.
        last: int, the step to stop after; None for the recipe's own.
        config: str, `TF_CONFIG`; None where there is one process.
    """
    from tf_defocus.configs import Recipe
    from tf_defocus.training import loop, meeting

    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    strategy = "none"
    if config:
        os.environ[workers.VARIABLE] = config
        strategy = "multi_worker"
    loop.train(Recipe(**recipe), *folders, strategy=strategy, stop_after=last)
    worker = workers.find_worker(strategy)
    if worker.writes:  # what a process does at its exit, but a copied one does not
        meeting.wait_until_gone(worker.hosts[1:])


def start(recipe, run, data, last=None):
    """The processes of one training, until a step if one is given."""
    environments = workers.local_environments(WORKERS.value)
    processes = [
        PROCESSES.Process(
            target=train,
            args=(recipe, (run, *data), last, environment.get(workers.VARIABLE)),
        )
        for environment in environments
    ]
    for process in processes:
        process.start()
    return processes


def logged_steps(run):
    """Steps that the run's log holds."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def stop_once(recipe, run, data, number, steps, seconds, victim=0):
    """Starts or resumes a run and stops it so long after so many of its steps.

    Args:
        recipe, run, data: of the training.
        number: signal.Signals.
        steps: int, to wait for.
        seconds: float, to wait after them.
        victim: int, which of its processes gets the signal.

    Returns:
        Seconds until all of its processes had ended, or None if one ended before.
    """
    before = len(logged_steps(run))
    processes = start(recipe, run, data)
    deadline = time.monotonic() + START_SECONDS
    # a resumed log may first grow shorter: lines after the last checkpoint are cut
    seen = before
    while processes[0].is_alive() and time.monotonic() < deadline:
        now = len(logged_steps(run))
        if now >= seen + steps:
            break
        seen = min(seen, now)
        time.sleep(0.02)
    time.sleep(seconds)
    ended = not all(process.is_alive() for process in processes)
    os.kill(processes[victim].pid, number)
    begin = time.monotonic()
    for process in processes:
        process.join()
    return None if ended else time.monotonic() - begin


def state_of(run):
    """The checkpoint's arrays and the log's lines."""
    with np.load(run / "checkpoint.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, (run / "metrics.jsonl").read_text()


def equal(one, other):
    """Whether two states are the same, bit for bit."""
    return (
        one[0].keys() == other[0].keys()
        and all(np.array_equal(one[0][k], other[0][k]) for k in one[0])
        and one[1] == other[1]
    )


def main(_):
    """Stops, resumes and compares."""
    PROCESSES.set_forkserver_preload(PRELOADED)
    rng = random.Random(SEED.value)
    recipe = {**RECIPE, "num_steps": 100_000}
    if WORKERS.value > 1:  # what starts in less time; with dropout
        small = {"model": "dpdnet_single", "overrides": {"base_filters": 2}}
        recipe |= {**small, "checkpoint_every": 3}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = [folder / "train", folder / "validation"]
        for place, count in zip(data, (6, 2)):
            write_arrays(place, count, np.random.default_rng(count))
        signals = signal.SIGKILL, signal.SIGINT, signal.SIGTERM
        if WORKERS.value > 1:
            signals = signal.SIGKILL, signal.SIGTERM
        same = [stop_and_compare(recipe, folder, data, n, rng) for n in signals]
    if not all(same):
        raise ValueError(f"{same.count(False)} of {len(same)} runs differ")


def stop_and_compare(recipe, folder, data, number, rng):
    """Stops a run by one signal again and again; whether it equals a whole one."""
    run, waits = folder / number.name, []
    for _ in tqdm.tqdm(range(STOPS.value), number.name):
        steps = rng.randint(1, 2 * recipe["checkpoint_every"])
        seconds, victim = rng.uniform(0, LONGEST.value), rng.randrange(WORKERS.value)
        waits.append(stop_once(recipe, run, data, number, steps, seconds, victim))
        if waits[-1] is None:
            raise ValueError("The run ended early; see what train.py says")
    # one more process goes on to a step that the whole run then ends at
    last = max(logged_steps(run)) + 3
    whole = folder / f"{number.name}_whole"
    for place in (run, whole):
        finish(recipe, place, data, last)
    same = equal(state_of(run), state_of(whole))
    print(
        f"{number.name}: after {STOPS.value} stops and {last} steps the run "
        f"{'equals' if same else 'DIFFERS from'} the uninterrupted one; all processes "
        f"ended within {max(waits):.1f} s",
        flush=True,
    )
    return same


def finish(recipe, run, data, steps):
    """Trains to a step.

    Raises:
        ValueError: if that failed.
    """
    processes = start(recipe, run, data, steps)
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise ValueError(f"The run to step {steps} failed; see what train.py says")


if __name__ == "__main__":
    commands.run(main)
