"""Two workers of one thread each against one process of two threads: steps per second.

    python tools/benchmark/worker_throughput.py --recipe kpac_3level_synthetic

Both take the same steps of the same batch; what two workers lose is the communication.
The two are measured in turns, each in fresh processes; medians of `--rounds`.
"""

import json
import os
import statistics
import subprocess
import sys

from absl import flags

from tf_defocus import commands, configs
from tf_defocus.training.workers import local_environments

_RECIPE = flags.DEFINE_string("recipe", "kpac_3level_synthetic", "What is trained.")
_COUNT = flags.DEFINE_integer("processes", 2, "Workers, and threads of the one.", 2)
_STEPS = flags.DEFINE_integer("steps", 10, "Steps that are timed.", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Measurements of each.", 1)
SCRIPT = """
import json, os, sys, time
import numpy as np
from tf_defocus.configs import Recipe
from tf_defocus.training import loop, tasks, tensorflow_step
from tf_defocus.training.objectives import RestorationObjective
recipe, steps = Recipe(**json.loads(sys.argv[1])), int(sys.argv[2])
name = "multi_worker" if "TF_CONFIG" in os.environ else "none"
strategy = tensorflow_step.create_strategy(name)
with strategy.scope():
    trainee = tasks.create_trainee(tasks.create_network(recipe), recipe)
    optimizer = loop.create_optimizer(recipe)
    optimizer.build(trainee.trainable_variables)
step = tensorflow_step.make_train_step(
    trainee, RestorationObjective(recipe), optimizer, recipe, strategy
)
shape = (len(step.rows(recipe.batch_size)), recipe.crop_size, recipe.crop_size, 3)
kinds = (*trainee.view_names, "sharp")
batch = dict.fromkeys(kinds, np.random.default_rng(0).random(shape, np.float32))
for _ in range(2):
    step(batch, recipe.batch_size)
start = time.perf_counter()
for _ in range(steps):
    step(batch, recipe.batch_size)
print(time.perf_counter() - start)
"""


def steps_per_second(recipe, count):
    """Of so many workers, which have the same number of threads together.

    Args:
        recipe: `Recipe`.
        count: int, of the processes.

    Raises:
        ValueError: with the last lines of one that failed.
    """
    threads = str(_COUNT.value // count)
    names = "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"
    command = [sys.executable, "-c", SCRIPT, json.dumps(recipe.to_dict())]
    processes = [
        subprocess.Popen(
            [*command, str(_STEPS.value)],
            env={
                **environment,
                **dict.fromkeys(names, threads),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in local_environments(count)
    ]
    answers = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        raise ValueError(answers[-1][1][-1500:])
    return _STEPS.value / max(float(output.split()[-1]) for output, _ in answers)


def main(_):
    """Measures in turns and prints the ratio."""
    recipe = configs.get_recipe(_RECIPE.value)
    rates = {1: [], _COUNT.value: []}
    for _ in range(_ROUNDS.value):
        for count, values in rates.items():
            values.append(steps_per_second(recipe, count))
    one, several = (statistics.median(values) for values in rates.values())
    print(f"one process of {_COUNT.value} threads: {one:.3f} steps/s")
    print(f"{_COUNT.value} workers of one thread: {several:.3f} steps/s")
    print(f"ratio: {several / one:.2f}; all: {rates}")


if __name__ == "__main__":
    commands.run(main)
