"""On JAX, devices that share a batch give the weights of one."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.testing import ROOT
from tf_defocus.configs import Recipe

# Three examples in two parts: the second part does not divide by two devices.
RECIPE = Recipe(
    name="test_jax_devices",
    model="dpdnet_single",
    overrides={"base_filters": 2, "dropout_rate": 0.4},
    crop_size=16,
    batch_size=3,
    accumulation_steps=2,
    num_steps=2,
    learning_rate=1e-3,
    epsilon=1e-3,
    clip_norm=1.0,
    validate_every=100,
)
# Compiling takes nearly all of the time, twice: not so thoroughly.
XLA_FLAGS = (
    "--xla_force_host_platform_device_count=2",
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
)
SCRIPT = """
import sys, jax
assert jax.device_count() == 2
from tests.training.jax_devices_test import RECIPE
from tf_defocus.training import loop
arrays, output = sys.argv[1:]
for strategy in ("none", "mirrored"):
    run = f"{output}/{strategy}"
    loop.train(RECIPE, run, arrays, strategy=strategy, uneven=True)
"""


def model_state(folder):
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as file:
        values = [file[n] for n in file.files if n.startswith("model/")]
        # Not the state of the random numbers, which is larger than all weights.
        weights = [v.ravel() for v in values if v.dtype == np.float32]
        return np.concatenate(weights).astype("float64")


@pytest.mark.jax
@pytest.mark.slow
def test_two_devices_of_jax_give_the_weights_of_one(tmp_path):
    pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    store(tmp_path / "arrays", count=4, size=16)
    flags = " ".join(XLA_FLAGS)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "arrays", tmp_path],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    one, two = (model_state(tmp_path / strategy) for strategy in ("none", "mirrored"))
    assert np.linalg.norm(two - one) <= 1e-6 * np.linalg.norm(one)
