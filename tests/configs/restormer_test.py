"""Restormer's recipes hold the paper's numbers, and the code's where they differ."""

import pytest

from tf_defocus import configs
from tf_defocus.data.batches import scheduled_crop
from tf_defocus.optimizers import create_schedule


def rates(recipe, steps):
    schedule = create_schedule(
        recipe.decay,
        recipe.learning_rate,
        recipe.num_steps,
        hold_steps=recipe.hold_steps,
        final_learning_rate=recipe.final_learning_rate,
    )
    return [float(schedule(step)) for step in steps]


def test_crops_grow_as_the_paper_says():
    recipe = configs.get_recipe("restormer_paper")
    starts = [0, 92_000, 156_000, 204_000, 240_000, 276_000]
    sizes = [(128, 64), (160, 40), (192, 32), (256, 16), (320, 8), (384, 8)]
    assert [scheduled_crop(recipe, step)[:2] for step in starts] == sizes
    before = [step - 1 for step in (*starts[1:], recipe.num_steps)]
    assert [scheduled_crop(recipe, step)[:2] for step in before] == sizes
    assert (recipe.optimizer, recipe.weight_decay) == ("adamw", 1e-4)
    assert (recipe.clip_norm, recipe.losses) == (0.01, (("mae", 1.0),))


def test_the_rate_falls_at_once_in_the_paper_and_late_in_the_code():
    steps = (0, 92_000, 150_000, 196_000, 300_000)
    paper = rates(configs.get_recipe("restormer_paper"), steps)
    assert paper[0] == pytest.approx(3e-4) and paper[-1] == pytest.approx(1e-6)
    assert paper[2] == pytest.approx((3e-4 + 1e-6) / 2, rel=1e-4)
    code = rates(configs.get_recipe("restormer_released"), steps)
    assert code[:2] == pytest.approx([3e-4, 3e-4]) and code[-1] == pytest.approx(1e-6)
    assert code[3] == pytest.approx((3e-4 + 1e-6) / 2, rel=1e-4)


def test_only_the_released_recipe_turns_dual_pixel_views():
    assert configs.get_recipe("restormer_dual_paper").augmentation_options == {}
    released = configs.get_recipe("restormer_dual_released")
    assert released.augmentation_options == {"as_published": True}
    assert released.dataset == "dpdd/patches_512_16bit"
