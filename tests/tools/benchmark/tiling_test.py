"""Tiles against the whole, on networks whose error is known."""

import numpy as np
import pytest
from keras import ops

from tests.testing import load_tool
from tf_defocus.models.base import RestorationNetwork

tool = load_tool("benchmark.tiling")


class AddsItsMean(RestorationNetwork):
    """Adds a tenth of the mean of what it sees: no tile is exact."""

    view_names = ("blurred",)
    size_multiple = (8, 8)
    receptive_field = 1
    exact_tiling = False
    border_margin = 0

    def call(self, inputs):
        blurred = inputs["blurred"]
        mean = ops.mean(blurred, axis=(1, 2), keepdims=True)
        return {"deblurred": 0.9 * blurred + 0.1 * mean}


def test_errors_are_those_of_the_tiles_means():
    ramp = np.linspace(0, 1, 768, dtype="float32")
    views = {"blurred": np.tile(ramp[None, :, None], (96, 1, 3))}
    found = tool.compare(AddsItsMean(), views, tile=512)
    assert (found["tiles"], found["halo"], found["tiled_by_default"]) == (2, 128, False)
    mean_of_left = ramp[:512].mean()
    expected = 255 * 0.1 * abs(mean_of_left - ramp.mean())
    assert found["max_error"] == pytest.approx(expected, rel=1e-3)
    assert found["seam_step"] < 0.05  # blended away


def test_the_photograph_has_all_views_at_the_size():
    views = tool.photograph(60, 40)
    assert sorted(views) == ["blurred", "left", "right"]
    for view in views.values():
        assert view.shape == (40, 60, 3) and view.dtype == np.float32
        assert view.min() >= 0 and view.max() <= 1 and view.std() > 0.1
