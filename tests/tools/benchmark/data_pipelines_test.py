"""Every way of making batches makes the same number of the same examples."""

import contextlib
import types

import pytest

from tests.data.batches_test import store
from tests.testing import load_tool
from tf_defocus.configs import Recipe

tool = load_tool("benchmark.data_pipelines")
RECIPE = Recipe(name="test", model="kpac_2level", crop_size=16, batch_size=3)


@pytest.mark.parametrize("way", [way for way in tool.WAYS if way != "tfdata"])
def test_a_way_is_measured_in_examples_per_second(tmp_path, monkeypatch, way):
    store(tmp_path / "arrays")
    monkeypatch.setattr(tool, "_SECONDS", types.SimpleNamespace(value=0.05))
    rate, used = tool.measure(way, RECIPE, tmp_path)
    assert rate > 1 and 0 <= used < 1
    with contextlib.closing(tool.make_batches(way, RECIPE, tmp_path)) as batches:
        assert next(batches)["blurred"].shape == (3, 16, 16, 3)
