"""LaKDNet's recipes: Restormer's training, and its own loss."""

import pytest

from tf_defocus import configs

SAME = ("crop_schedule", "num_steps", "optimizer", "learning_rate", "decay", "dataset")
SAME += ("final_learning_rate", "weight_decay", "clip_norm", "augmentation")


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("views", ["", "_dual"])
def test_recipe_is_restormers_with_a_fourier_loss(size, views):
    recipe = configs.get_recipe(f"lakdnet_{size}{views}")
    other = configs.get_recipe(f"restormer{views}_paper")
    assert recipe.model == recipe.name
    for field in SAME:
        assert getattr(recipe, field) == getattr(other, field), field
    assert recipe.losses == (("mae", 1.0), ("fourier_parts", 0.1))
