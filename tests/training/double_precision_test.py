"""In double precision devices and workers give one's gradients to the last digits.

GKMNet's are sums that nearly cancel: in single precision they change by 1e-4 of their
norm when the examples of a batch come in another order, and an error of the same size
would not be seen.
"""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.processes import Copy
from tests.training.workers_test import free_hosts
from tf_defocus.configs import Recipe
from tf_defocus.models import gkmnet
from tf_defocus.training import loop, tensorflow_step, workers
from tf_defocus.training.objectives import RestorationObjective

RECIPE = Recipe(
    name="test_double_precision",
    model="gkmnet",
    overrides={"num_gaussians": 2, "max_kernel_size": 5},
    losses=(("mse", 1.0),),
    scale_weights=(1.0, 1.0, 1.0),
)


def doubled(value):
    return tf.cast(value, "float64") if value.dtype == tf.float32 else value


def compute_in_double():
    """From now on, in this process, also where a network asks for float32."""
    keras.config.set_floatx("float64")
    cast, summation = keras.ops.cast, gkmnet.WeightedSummation
    keras.ops.cast = lambda value, dtype: cast(
        value, "float64" if dtype == "float32" else dtype
    )
    gkmnet.WeightedSummation = lambda *args, dtype, **more: summation(*args, **more)
    counts = tensorflow_step._counts
    tensorflow_step._counts = lambda piece: {
        name: doubled(value) for name, value in counts(piece).items()
    }


def gradients(strategy, batch):
    """Of a step of the whole batch, one after another."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = loop.create_network(RECIPE, pathlib.Path())
    objective = RestorationObjective(RECIPE)
    objective.weights = objective.weights.astype("float64")
    optimizer = keras.optimizers.Adam()
    step = tensorflow_step.make_train_step(
        network, objective, optimizer, RECIPE, strategy
    )

    def summed(parts, _):
        context = tf.distribute.get_replica_context()
        found, _ = step._accumulate(parts, context)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, found)

    def run(shares):
        found = strategy.run(summed, shares)
        values.append([strategy.experimental_local_results(v)[0] for v in found])
        return {"wishes": 0}

    values, step.run = [], run
    step(batch)
    step.wait_for_all()
    return np.concatenate([np.ravel(value) for value in values[0]])


def store_gradients(folder, hosts=(), index=0):
    """In a process of its own: of one device and of two, or of this worker."""
    compute_in_double()
    rng = np.random.default_rng(0)
    batch = {kind: rng.random((4, 16, 16, 3)) for kind in ("blurred", "sharp")}
    if hosts:
        workers.set_worker(hosts, index)
        strategies = {f"worker{index}": tensorflow_step.create_strategy("multi_worker")}
    else:
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        devices = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        strategies = {"one": tf.distribute.get_strategy(), "two": devices}
    for name, strategy in strategies.items():
        np.save(folder / f"{name}.npy", gradients(strategy, batch))


@pytest.mark.slow
def test_devices_and_workers_give_the_gradients_of_one(tmp_path):
    hosts = free_hosts()
    copies = [Copy(store_gradients, tmp_path, hosts, index) for index in (0, 1)]
    for copy in (*copies, Copy(store_gradients, tmp_path)):
        copy.finish()
    one = np.load(tmp_path / "one.npy")
    assert one.dtype == "float64" and np.linalg.norm(one) > 1e-3
    for name in ("two", "worker0", "worker1"):
        other = np.load(tmp_path / f"{name}.npy")
        error = np.linalg.norm(other - one) / np.linalg.norm(one)
        assert error <= 1e-12, f"{name}: {error:.1e}"
