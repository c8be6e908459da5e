"""The candidates for KPAC's SSIM, scored on stored images."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.data.batches_test import store
from tests.testing import load_tool
from tf_defocus import metrics
from tf_defocus.evaluation.examples import Example

tool = load_tool("reproduce.kpac_ssim")


def test_every_candidate_is_the_mean_over_the_images(rng):
    pairs = rng.integers(0, 256, (2, 2, 16, 20, 3), dtype=np.uint8)
    examples = [
        Example(str(i), {"blurred": one}, other) for i, (one, other) in enumerate(pairs)
    ]
    found = tool.mean_similarities(examples)
    functions = {
        "kpac": metrics.ssim_uniform,
        "kpac_gaussian": metrics.ssim_gaussian,
        "kpac_uniform_range_2": lambda x, y: metrics.ssim_uniform(x, y, 2.0),
        "kpac_gaussian_range_2": lambda x, y: metrics.ssim_gaussian(x, y, 2.0),
        "kpac_luma": metrics.ssim_luma,
        "kpac_reduced": metrics.ssim_reduced,
        "kpac_volume": metrics.ssim_volume,
    }
    assert set(found) == set(functions)
    for name, function in functions.items():
        expected = np.mean([function(*(pair / 255)) for pair in pairs])
        assert found[name] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="no image"):
        tool.mean_similarities([])


def test_the_nearest_candidate_stands_first(monkeypatch, tmp_path):
    lines = tool.similarity_table({"kpac": 0.725, "kpac_a": 0.81}).splitlines()
    assert lines[2] == "| kpac_a | 0.810 | -0.002 |"
    assert lines[3] == "| kpac | 0.725 | -0.087 |"
    store(tmp_path / "arrays", count=2)
    arrays, output = (
        SimpleNamespace(value=str(tmp_path / name)) for name in ("arrays", "out")
    )
    monkeypatch.setattr(tool, "SET", [SimpleNamespace(value=None), arrays])
    monkeypatch.setattr(tool, "OUTPUT", output)
    tool.main([])
    assert (tmp_path / "out" / "table.md").read_text().count("| kpac") == 7
