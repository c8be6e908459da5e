"""Tests of `tools/make_preset.py`: which weights of a run become the preset."""

import json

import numpy as np
import pytest

from tests.testing import run_tool
from tf_defocus.models import create_model, presets, weights

OVERRIDES = {"base_filters": 4, "num_blocks": 1}


@pytest.fixture
def run(tmp_path):
    """A run whose last weights are all 1 and whose best ones are all 2."""
    folder = tmp_path / "run"
    folder.mkdir()
    config = {"model": "kpac_2level", "overrides": OVERRIDES}
    config |= {"recipe": {"name": "a_recipe"}, "data": {"dataset": "some"}}
    (folder / presets.RUN_CONFIG).write_text(json.dumps(config))
    model = create_model("kpac_2level", **OVERRIDES)
    names = (presets.RUN_WEIGHTS, presets.RUN_BEST_WEIGHTS)
    for value, name in enumerate(names, start=1):
        model.set_weights([np.full(w.shape, value) for w in model.weights])
        weights.save_weights(model, folder / name)
    return folder


@pytest.mark.parametrize(("options", "value"), [((), 1), (("--best",), 2)])
def test_the_last_or_the_best_weights_become_the_preset(run, tmp_path, options, value):
    folder = tmp_path / "presets"
    given = ["--run", run, "--name", "small", "--folder", folder, *options]
    assert not run_tool(
        "make_preset", *given, "--licence", "CC0", "--description", "Small."
    )
    entry = presets.list_presets(folder)["small"]
    assert (entry["recipe"], entry["licence"]) == ("a_recipe", "CC0")
    for array in presets.load_preset(folder).get_weights():
        np.testing.assert_array_equal(array, value)
