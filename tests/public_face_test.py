"""What `import tf_defocus` shows, and what it costs."""

import json
import subprocess
import sys

import keras
import lazy_loader
import numpy as np
import pytest

import tf_defocus
from tests.conformance_test import REPRESENTATIVES, registered_classes, small_model
from tests.testing import ROOT
from tf_defocus import models

FRESH_PROCESS = """
import keras, tf_defocus
model = keras.saving.load_model({path!r})
import numpy as np
views = dict(np.load({views!r}))
np.save({output!r}, keras.ops.convert_to_numpy(model(views)["deblurred"]))
"""
REGISTERED = """
import json, keras, tf_defocus
print(json.dumps(sorted(keras.saving.get_custom_objects())))
"""
LIGHT = """
import sys, time
start = time.process_time()
import tf_defocus
names = tf_defocus.list_models() + list(tf_defocus.list_presets())
assert time.process_time() - start < 0.3
assert not {"keras", "tensorflow", "jax"} & set(sys.modules)
print(len(names))
"""


def run(script):
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_a_fresh_process_loads_a_network_from_keras_own_file(tmp_path, rng):
    model = small_model("kpac_3level_dual")
    shape = (1, *model.size_multiple, 3)
    views = {name: rng.random(shape, "float32") for name in model.view_names}
    paths = {name: str(tmp_path / name) for name in ("m.keras", "v.npz", "o.npy")}
    model.save(paths["m.keras"])
    np.savez(paths["v.npz"], **views)
    run(
        FRESH_PROCESS.format(
            path=paths["m.keras"], views=paths["v.npz"], output=paths["o.npy"]
        )
    )
    expected = keras.ops.convert_to_numpy(model(views)["deblurred"])
    np.testing.assert_allclose(np.load(paths["o.npy"]), expected, atol=1e-6, rtol=2e-6)


def test_a_fresh_process_knows_every_registered_class():
    known = set(json.loads(run(REGISTERED)))
    expected = {f"tf_defocus>{name}" for name in registered_classes()}
    assert len(expected) > 50
    assert expected <= known


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_load_model_gives_back_every_network(name, tmp_path, rng):
    model = small_model(name)
    model.save(tmp_path / "m.keras")
    loaded = tf_defocus.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model)
    for weight, other in zip(loaded.weights, model.weights):
        np.testing.assert_array_equal(weight, other)


def test_load_model_says_that_there_is_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"no\.keras"):
        tf_defocus.load_model(tmp_path / "no.keras")


def test_names_are_listed_without_keras_at_once():
    assert int(run(LIGHT)) > 15


def test_every_public_name_is_there_and_shown():
    assert dir(tf_defocus) == tf_defocus.__all__ == sorted(tf_defocus.__all__)
    for module in (tf_defocus, models, tf_defocus.layers, tf_defocus.ops):
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        assert not missing


def test_stubs_hold_what_the_rooms_hold():
    stub = lazy_loader.attach_stub("tf_defocus.models", models.__file__)[2]
    networks = {models.named.network_class(n).__name__ for n in models.list_models()}
    assert networks <= set(stub)
    assert set(registered_classes("layers")) == set(tf_defocus.layers.__all__)
