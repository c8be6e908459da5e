"""RDPD's recipe: the released code's numbers."""

from tf_defocus import configs


def test_recipe_holds_the_numbers_of_the_real_half():
    recipe = configs.get_recipe("rdpd_paper")
    assert (recipe.batch_size, recipe.crop_size, recipe.num_steps) == (8, 512, 49_000)
    assert recipe.decay_boundaries == (14_000, 28_000, 42_000)
    assert (recipe.learning_rate, recipe.decay_factor) == (5e-5, 0.5)
    assert (recipe.losses, recipe.epsilon) == ((("mse", 1.0),), 1e-7)
    assert recipe.dataset == "dpdd/full_8bit" and recipe.augmentation == "default"
