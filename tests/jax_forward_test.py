"""Networks compute on JAX what they compute on TensorFlow, in another process."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from tests.conformance_test import SMALL, small_model, views_for
from tests.testing import ROOT

NETWORKS = ("drbnet_dual", "restormer")
ON_JAX = """
import json, sys
import numpy as np
import tf_defocus

arrays, outputs = dict(np.load(sys.argv[1])), {}
for name, overrides in json.loads(sys.argv[2]).items():
    model = tf_defocus.create_model(name, **overrides)
    count = len(model.weights)
    model.set_weights([arrays[f"{name}/weights/{i}"] for i in range(count)])
    views = {view: arrays[f"{name}/{view}"] for view in model.view_names}
    outputs[name] = np.asarray(model(views)[model.output_name])
np.savez(sys.argv[3], **outputs)
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """network -> what TensorFlow gives, what JAX gives."""
    pytest.importorskip("jax", reason="needs JAX: pip install tf-defocus[jax]")
    folder, arrays, expected = tmp_path_factory.mktemp("jax"), {}, {}
    for name in NETWORKS:
        keras.utils.set_random_seed(5)
        model = small_model(name)
        # More rows than one strip of Restormer.
        views = views_for(model, np.random.default_rng(5), (5, 3), batch=2)
        weights = {f"weights/{i}": w for i, w in enumerate(model.get_weights())}
        arrays |= {f"{name}/{key}": x for key, x in {**weights, **views}.items()}
        expected[name] = ops.convert_to_numpy(model(views)[model.output_name])
    np.savez(folder / "arrays.npz", **arrays)
    small = json.dumps({name: SMALL[name] for name in NETWORKS})
    command = [sys.executable, "-c", ON_JAX, folder / "arrays.npz", small]
    done = subprocess.run(
        [*map(str, command), str(folder / "outputs.npz")],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "outputs.npz") as outputs:
        return {name: (expected[name], outputs[name]) for name in NETWORKS}


@pytest.mark.jax
@pytest.mark.parametrize("name", NETWORKS)
def test_jax_gives_the_numbers_of_tensorflow(computed, name):
    expected, actual = computed[name]
    scale = max(1.0, float(np.abs(expected).max()))
    assert expected.std() > 0.01
    np.testing.assert_allclose(actual, expected, atol=1e-4 * scale)
