"""Several devices give the weights of one: batch moments, tasks, uneven batches."""

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.processes import Copy
from tests.training import compared_tasks_test, tasks_test
from tf_defocus.configs import Recipe
from tf_defocus.models import bambnet
from tf_defocus.training import loop, tensorflow_step

GKMNET = Recipe(
    name="test_gkmnet",
    model="gkmnet",
    overrides={"num_gaussians": 2, "max_kernel_size": 5, "num_scales": 1},
    crop_size=16,
    losses=(("mse", 1.0),),
)
K3DN = tasks_test.K3DN.replace(
    crop_size=32,
    overrides={
        **tasks_test.K3DN.overrides,
        "window_size": (4, 4),
        "pool_size": (2, 2),
        "pad_scale": (32, 32),
    },
)
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
RECIPES = {
    "gkmnet": GKMNET.replace(**CHANGES),
    "ifan": tasks_test.IFAN.replace(**CHANGES),
    "k3dn": K3DN.replace(**CHANGES),
    "mdp": compared_tasks_test.MDP.replace(**CHANGES),
    "bambnet": compared_tasks_test.BAMBNET.replace(**CHANGES),
    "uneven": UNEVEN,
}


def train(folder, count, names):
    """Trains networks one after another on so many devices of this process."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    several = [tf.config.LogicalDeviceConfiguration()] * 3
    tf.config.set_logical_device_configuration(cpu, several)
    devices = [f"CPU:{index}" for index in range(count)]
    strategy = tf.distribute.MirroredStrategy(devices)
    tensorflow_step.create_strategy = lambda _: strategy
    # What takes long to trace.
    bambnet.BRANCH_BLOCKS = (0, 0, 0, 1)
    for name in names:
        run = folder / str(count) / name
        loop.train(RECIPES[name], run, folder / "arrays", uneven=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the runs on one device and on two, and of the uneven one on three.

    Each number of devices in a process of its own, for all networks: TensorFlow groups
    the devices of one once.
    """
    folder = tmp_path_factory.mktemp("devices")
    store(folder / "arrays", count=5, size=32)
    for count, names in ((1, RECIPES), (2, RECIPES), (3, ["uneven"])):
        Copy(train, folder, count, list(names)).finish()
    return folder


def states(folder, name, *counts):
    """The models' variables of each run."""
    found = []
    for count in counts:
        path = folder / str(count) / name / "checkpoint.npz"
        with np.load(path, allow_pickle=False) as file:
            found.append({k: file[k] for k in file.files if k.startswith("model/")})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {"uneven"}))
def test_two_devices_give_the_weights_of_one(folder, name):
    one, two = states(folder, name, 1, 2)
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
def test_a_batch_that_does_not_divide_gives_the_weights_of_one_device(folder):
    """With dropout, too, whose masks are those of the whole batch."""
    one, *others = states(folder, "uneven", 1, 2, 3)
    for other in others:
        for key, value in one.items():
            scale = max(np.abs(value).max(), 1e-3)
            assert np.abs(other[key] - value).max() <= 2e-6 * scale, key
