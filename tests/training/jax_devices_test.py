"""On JAX, devices that share a batch give the weights of one."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.testing import ROOT
from tf_defocus.configs import Recipe

NETWORKS = {
    "kpac_2level": {"base_filters": 4, "num_blocks": 1},
    "dpdnet_single": {"base_filters": 2},
}
SCRIPT = """
import sys, jax
assert jax.device_count() == 2
from tests.training.jax_devices_test import recipe
from tf_defocus.training import loop
name, arrays, output = sys.argv[1:]
for strategy in ("none", "mirrored"):
    run = f"{output}/{strategy}"
    loop.train(recipe(name), run, arrays, strategy=strategy, uneven=True)
"""


def recipe(name):
    """Five examples in three parts: the last part does not divide by two devices."""
    return Recipe(
        name=name,
        model=name,
        overrides=NETWORKS[name],
        crop_size=16,
        batch_size=5,
        accumulation_steps=3,
        num_steps=2,
        learning_rate=1e-3,
        epsilon=1e-3,
        clip_norm=1.0,
        validate_every=100,
    )


def model_state(folder):
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as file:
        names = [name for name in file.files if name.startswith("model/")]
        return np.concatenate([file[n].ravel().astype("float64") for n in names])


@pytest.mark.jax
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_two_devices_of_jax_give_the_weights_of_one(tmp_path, name):
    pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    store(tmp_path / "arrays", count=4, size=16)
    flag = "--xla_force_host_platform_device_count=2"
    command = [sys.executable, "-c", SCRIPT, name, tmp_path / "arrays", tmp_path]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flag},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    one, two = (model_state(tmp_path / strategy) for strategy in ("none", "mirrored"))
    assert np.linalg.norm(two - one) <= 1e-6 * np.linalg.norm(one)
