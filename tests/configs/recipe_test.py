"""Recipes: the papers' numbers, and what identifies a run."""

import dataclasses

import pytest

from tf_defocus import configs
from tf_defocus.models import list_models
from tf_defocus.objectives import RestorationObjective


@pytest.mark.parametrize("name", configs.list_recipes())
def test_recipe_names_a_model_and_known_losses(name):
    recipe = configs.get_recipe(name)
    assert recipe.name == name
    assert recipe.model in list_models()
    terms = tuple(t for t in recipe.losses if t[0] != "perceptual")  # needs a file
    assert len(RestorationObjective(recipe.replace(losses=terms)).terms) == len(terms)


def test_kpac_stages_hold_the_papers_numbers():
    first = configs.get_recipe("kpac_3level_stage_a")
    assert (first.num_steps, first.learning_rate, first.batch_size) == (
        200_000,
        1e-4,
        4,
    )
    assert (first.beta_1, first.beta_2, first.crop_size) == (0.9, 0.99, 512)
    second = configs.get_recipe("kpac_3level_stage_b")
    assert (second.num_steps, second.learning_rate) == (100_000, 5e-5)
    assert dict(second.losses) == {"mae": 1.0, "perceptual": 7e-4}


def test_fingerprint_follows_what_decides_the_weights_and_nothing_else():
    recipe = configs.get_recipe("kpac_3level_synthetic")
    assert recipe.fingerprint() == recipe.replace(log_every=1).fingerprint()
    for change in ({"seed": 1}, {"learning_rate": 1e-3}, {"overrides": {"levels": 2}}):
        assert recipe.replace(**change).fingerprint() != recipe.fingerprint()


def test_recipes_are_frozen_and_unknown_names_refused():
    with pytest.raises(dataclasses.FrozenInstanceError):
        configs.get_recipe("kpac_3level_synthetic").seed = 3
    with pytest.raises(ValueError, match="kpac_3level_synthetic"):
        configs.get_recipe("kpac")


def test_unknown_losses_are_refused():
    with pytest.raises(ValueError, match="gan"):
        RestorationObjective(configs.Recipe("a", "kpac_3level", losses=(("gan", 1.0),)))
