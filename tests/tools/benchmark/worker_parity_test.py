"""What the comparison of workers trains, and how it compares."""

import numpy as np
import pytest

from tests.testing import load_tool

tool = load_tool("benchmark.worker_parity")


def test_differences_are_shares_of_the_norm_and_of_the_largest_value(tmp_path):
    kernel, bias = np.array([3.0, -4.0]), np.array([0.0, 12.0])
    states = {"one": (kernel, bias), "other": (kernel, bias + np.array([0.013, 0]))}
    for name, values in states.items():
        (tmp_path / name).mkdir()
        named = zip(("model/kernel", "model/bias", "optimizer/a"), (*values, name))
        np.savez(tmp_path / name / "checkpoint.npz", **dict(named))
    norm, share, worst = tool.compare(tmp_path / "one", tmp_path / "other")
    assert norm == pytest.approx(0.013 / 13)
    assert share == pytest.approx(0.013 / 12)
    assert worst == "bias"


@pytest.mark.slow
def test_a_process_that_fails_is_shown(tmp_path):
    recipe = tool.small_recipe("kpac_2level_stage_a")
    with pytest.raises(ValueError, match="arrays"):
        tool.train([recipe], tmp_path, tmp_path / "arrays", 1)


def test_a_small_recipe_keeps_the_papers_losses_and_tasks():
    for name in tool.SMALL:
        small, paper = tool.small_recipe(name), tool.configs.get_recipe(name)
        assert small.losses == paper.losses and small.tasks == paper.tasks
        assert small.reblurring_weight == paper.reblurring_weight
        assert small.model == paper.model and small.num_steps == 5
