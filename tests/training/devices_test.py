"""Several devices give the weights of one: batch moments, tasks, uneven batches."""

import subprocess
import sys

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.testing import ROOT
from tests.training import compared_tasks_test, tasks_test
from tf_defocus.configs import Recipe

GKMNET = Recipe(
    name="test_gkmnet",
    model="gkmnet",
    overrides={"num_gaussians": 2, "max_kernel_size": 5, "num_scales": 1},
    crop_size=16,
    losses=(("mse", 1.0),),
)
RECIPES = {
    "gkmnet": (GKMNET, 16),
    "ifan": (tasks_test.IFAN, 16),
    "k3dn": (tasks_test.K3DN, 128),
    "mdp": (compared_tasks_test.MDP, 16),
    "bambnet": (compared_tasks_test.BAMBNET, 16),
}
# Five examples in two parts: of the second part, the third device has none.
UNEVEN = Recipe(
    name="test_uneven",
    model="dpdnet_single",
    overrides={"base_filters": 2, "dropout_rate": 0.4},
    crop_size=16,
    batch_size=5,
    accumulation_steps=2,
    num_steps=3,
    epsilon=1e-3,
    learning_rate=1e-3,
    clip_norm=0.1,
    validate_every=100,
)
# Of all weights together, by norm: every network.
RELATIVE_NORM = 1e-6
# Of each weight's own scale. GKMNet's biases and shifts are still 1e-5 to 1e-4 large,
# with gradients that are zero but for rounding: on one device they change by 4e-7 when
# the batch's examples come in another order, on two by 2e-7; the norm of all weights
# by 4e-7 and 2e-7 of itself. So a weight of GKMNet may differ by 1e-6 besides 1e-5 of
# its scale (6e-3 before the moments were shared).
TOLERANCE = {"gkmnet": 1e-5}
FLOOR = {"gkmnet": 1e-6}
CHANGES = {
    "batch_size": 4,
    "num_steps": 3,
    "optimizer": "adam",
    "epsilon": 1e-3,  # where a gradient is zero but for rounding, its sign decides
    "learning_rate": 1e-3,
    "clip_norm": 1.0,
    "validate_every": 100,
}
SCRIPT = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 3
)
from tests.training.devices_test import CHANGES, RECIPES, UNEVEN
from tf_defocus.training import loop, tensorflow_step
name, arrays, output, count = sys.argv[1:]
recipe = UNEVEN if name == "uneven" else RECIPES[name][0].replace(**CHANGES)
devices = [f"CPU:{index}" for index in range(int(count))]
strategy = tf.distribute.MirroredStrategy(devices)
tensorflow_step.create_strategy = lambda _: strategy
loop.train(recipe, f"{output}/{count}", arrays, uneven=True)
"""


def train(name, folder, *counts):
    """Trains on so many devices each; folders are named by the count.

    Each in a process of its own: TensorFlow groups the devices of one once.
    """
    for count in counts:
        command = [sys.executable, "-c", SCRIPT, name, folder / "arrays", folder]
        result = subprocess.run(
            [*command, str(count)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr[-3000:]


def states(folder, *counts):
    """The models' variables of each run."""
    found = []
    for count in counts:
        path = folder / str(count) / "checkpoint.npz"
        with np.load(path, allow_pickle=False) as file:
            found.append({k: file[k] for k in file.files if k.startswith("model/")})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_two_devices_give_the_weights_of_one(tmp_path, name):
    _, size = RECIPES[name]
    store(tmp_path / "arrays", count=4, size=size)
    train(name, tmp_path, 1, 2)
    one, two = states(tmp_path, 1, 2)
    assert one.keys() == two.keys()
    errors = {key: two[key].astype("float64") - value for key, value in one.items()}
    whole, difference = (
        np.sqrt(sum(np.sum(np.square(part, dtype="float64")) for part in parts))
        for parts in (one.values(), errors.values())
    )
    assert difference <= RELATIVE_NORM * whole
    for key, value in one.items():
        scale = max(np.abs(value).max(), 1e-3)
        allowed = TOLERANCE.get(name, 1e-6) * scale + FLOOR.get(name, 0)
        error = np.abs(errors[key]).max()
        assert error <= allowed, f"{key}: {error:.1e} of {scale:.1e}"


@pytest.mark.slow
def test_a_batch_that_does_not_divide_gives_the_weights_of_one_device(tmp_path):
    """With dropout, too, whose masks are those of the whole batch."""
    store(tmp_path / "arrays", count=5, size=16)
    train("uneven", tmp_path, 1, 2, 3)
    one, *others = states(tmp_path, 1, 2, 3)
    for other in others:
        for key, value in one.items():
            scale = max(np.abs(value).max(), 1e-3)
            assert np.abs(other[key] - value).max() <= 2e-6 * scale, key
