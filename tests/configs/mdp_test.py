"""MDP's recipes: the paper's numbers."""

from tf_defocus import configs


def test_both_phases_hold_the_papers_numbers():
    first, second = map(configs.get_recipe, ("mdp_views_paper", "mdp_paper"))
    for recipe, epochs, rate in ((first, 60, 3e-4), (second, 80, 6e-4)):
        assert recipe.num_steps == epochs * 350
        assert recipe.learning_rate == rate
        assert recipe.decay_boundaries[:3] == (2800, 5600, 8400)
        assert recipe.decay_boundaries[-1] < recipe.num_steps
        assert (recipe.decay, recipe.decay_factor) == ("step", 0.5)
        assert (recipe.crop_size, recipe.batch_size) == (512, 8)
        assert recipe.losses == (("mse", 1.0),)
    shared = (("mean_view", 0.2), ("view_difference", 0.2))
    assert first.tasks == (("views", 1.0), *shared)
    assert second.tasks == (("views", 0.2), *shared)
    assert first.frozen == ("early_deblurred", "late_deblurred")
    assert second.frozen == ()
