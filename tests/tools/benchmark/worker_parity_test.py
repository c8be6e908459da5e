"""Two workers give the weights of one process, for networks of several kinds."""

import pytest

from tests.testing import load_tool

tool = load_tool("benchmark.worker_parity")


@pytest.mark.slow
def test_two_workers_give_the_weights_of_one_process(tmp_path):
    """A plain network, and one with dropout, whose masks must be the whole batch's."""
    tool.write_arrays(tmp_path / "arrays")
    names = ("kpac_2level_stage_a", "dpdnet_single_paper")
    recipes = [tool.small_recipe(name, batch_size=5) for name in names]
    for folder, workers in (("one", 1), ("two", 2)):
        tool.train(recipes, tmp_path / folder, tmp_path / "arrays", workers)
    for name in names:
        norm, share, worst = tool.compare(
            tmp_path / "one" / name, tmp_path / "two" / name
        )
        assert norm <= 1e-6
        assert share <= 1e-5, worst


def test_a_small_recipe_keeps_the_papers_losses_and_tasks():
    for name in tool.SMALL:
        small, paper = tool.small_recipe(name), tool.configs.get_recipe(name)
        assert small.losses == paper.losses and small.tasks == paper.tasks
        assert small.reblurring_weight == paper.reblurring_weight
        assert small.model == paper.model and small.num_steps == 5
