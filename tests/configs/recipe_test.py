"""Recipes: the papers' numbers, and what identifies a run."""

import dataclasses
import hashlib

import pytest

from tf_defocus import configs
from tf_defocus.models import list_models
from tf_defocus.optimizers import create_schedule
from tf_defocus.training.objectives import RestorationObjective


@pytest.mark.parametrize("name", configs.list_recipes())
def test_recipe_names_a_model_and_known_losses(name):
    recipe = configs.get_recipe(name)
    assert recipe.name == name
    assert recipe.model in list_models()
    terms = tuple(t for t in recipe.losses if t[0] != "perceptual")  # needs a file
    objective = RestorationObjective(recipe.replace(losses=terms))
    scheduled = {name for _, losses in recipe.loss_schedule for name, _ in losses}
    assert set(objective.losses) == (scheduled or dict(terms).keys())


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


def test_models_trained_with_noise_differ_in_the_noise_alone():
    """[KPAC Tab. 8] lower row, 0 to 3 %; GKMNet+ of [GKMNet Tabs. 2, 3]."""
    for noisy, clean, largest in (
        ("kpac_2level_noise_stage_a", "kpac_2level_stage_a", 0.03),
        ("kpac_2level_noise_stage_b", "kpac_2level_stage_b", 0.03),
        ("gkmnet_plus", "gkmnet_paper", 5 / 255),
    ):
        noisy, clean = configs.get_recipe(noisy), configs.get_recipe(clean)
        assert noisy.noise_range == (0.0, largest)
        same = {"name": clean.name, "initial_run": clean.initial_run}
        assert noisy.replace(noise_range=(0.0, 0.0), **same) == clean
    start = configs.get_recipe("kpac_2level_noise_stage_b").initial_run
    assert start == "kpac_2level_noise_stage_a"


def test_dpdnet_holds_the_papers_numbers():
    recipe = configs.get_recipe("dpdnet_dual_paper")
    assert (recipe.batch_size, recipe.crop_size, recipe.num_steps) == (5, 512, 280_000)
    assert (recipe.dataset, recipe.losses) == (
        "dpdd/patches_512_16bit",
        (("mse", 1.0),),
    )
    schedule = create_schedule(
        recipe.decay,
        recipe.learning_rate,
        recipe.num_steps,
        boundaries=recipe.decay_boundaries,
        factor=recipe.decay_factor,
    )
    rates = [float(schedule(epoch * 1400 + 1)) for epoch in (0, 59, 60, 120, 180, 199)]
    expected = [2e-5, 2e-5, 1e-5, 5e-6, 2.5e-6, 2.5e-6]
    assert rates == pytest.approx(expected, rel=1e-6)


def test_fingerprint_follows_what_decides_the_weights_and_nothing_else():
    recipe = configs.get_recipe("kpac_3level_synthetic")
    assert recipe.fingerprint() == recipe.replace(log_every=1).fingerprint()
    for change in ({"seed": 1}, {"learning_rate": 1e-3}, {"overrides": {"levels": 2}}):
        assert recipe.replace(**change).fingerprint() != recipe.fingerprint()


def test_fingerprint_survives_a_field_that_is_added_later():
    @dataclasses.dataclass(frozen=True)
    class Later(configs.Recipe):
        added: tuple = (0.0, 1.0)

    recipe = configs.Recipe("a", "kpac_3level", num_steps=7, seed=3)
    later = Later("a", "kpac_3level", num_steps=7, seed=3)
    # what is hashed, written out: trainings resume by it across versions
    text = '{"model": "kpac_3level", "name": "a", "num_steps": 7, "seed": 3}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert recipe.fingerprint() == later.fingerprint() == expected
    assert later.replace(added=(0.0, 2.0)).fingerprint() != expected
    assert configs.Recipe("a", "gkmnet").fingerprint() != expected


def test_fingerprint_of_a_run_that_starts_from_another_is_as_it_was():
    recipe = configs.Recipe("a", "kpac_3level", initial_run="b")
    text = (
        '{"initial_weights": "runs/b/weights.npz", "model": "kpac_3level", "name": "a"}'
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert recipe.fingerprint() == expected


def test_recipes_are_frozen_and_unknown_names_refused():
    with pytest.raises(dataclasses.FrozenInstanceError):
        configs.get_recipe("kpac_3level_synthetic").seed = 3
    with pytest.raises(ValueError, match="kpac_3level_synthetic"):
        configs.get_recipe("kpac")


def test_unknown_losses_are_refused():
    with pytest.raises(ValueError, match="gan"):
        RestorationObjective(configs.Recipe("a", "kpac_3level", losses=(("gan", 1.0),)))


def test_k3dn_trains_twice_with_declared_choices():
    first = configs.get_recipe("k3dn_large_stage1")
    assert (first.optimizer, first.learning_rate, first.batch_size) == (
        "adamw",
        3e-4,
        4,
    )
    assert first.losses == (("charbonnier", 1.0),) and first.reblurring_weight == 0.1
    assert [side % step for side, step in zip(first.crop_size, (144, 112))] == [0, 0]
    second = configs.get_recipe("k3dn_large_stage2")
    assert second.second_stage and second.reblurring_weight == 0
    assert second.initial_run == "k3dn_large_stage1"
    assert second.starting_weights("/r") == "/r/k3dn_large_stage1/weights.npz"
    assert second.replace(initial_weights="a.npz").starting_weights("/r") == "a.npz"
    assert second.overrides == {"reblurring": False, "variant": "released"}
    assert first.overrides["variant"] == "released"


def test_k3dn_trains_end_to_end_as_its_paper_says():
    """[K3DN Eq. 18]: one stage of all parts; Tables 2 to 5 differ where they say."""
    joint = configs.get_recipe("k3dn_lightweight_joint")
    assert joint.overrides == {} and not joint.second_stage and not joint.initial_run
    assert joint.reblurring_weight == 0.1
    differs = {
        "k3dn_lightweight_ddd_syn": {"dataset": "ddd_syn"},
        "k3dn_lightweight_rdpd": {"dataset": "rdpd"},
        "k3dn_lightweight_without_srp": {
            "overrides": {"sharp_region_preservation": False}
        },
        "k3dn_lightweight_64_kernels": {"overrides": {"num_kernels": 64}},
        "k3dn_lightweight_psf_alone": {
            "overrides": {"sharp_region_preservation": False, "reblurring": False},
            "reblurring_weight": 0.0,
        },
    }
    for name, changes in differs.items():
        assert configs.get_recipe(name) == joint.replace(name=name, **changes)


def test_gkmnet_alternates_as_the_paper_says():
    recipe = configs.get_recipe("gkmnet_paper")
    epochs = [(step / 87, losses[0][0]) for step, losses in recipe.loss_schedule]
    assert epochs == [
        (0, "mse"),
        (1000, "ssim"),
        (1500, "mse"),
        (2000, "ssim"),
        (2500, "mse"),
    ]
    assert recipe.num_steps == 261_000 and recipe.scale_weights == (1, 1, 1)
    released = configs.get_recipe("gkmnet_released").loss_schedule
    turns = [(step // 87, losses[0][0]) for step, losses in released]
    assert turns[:4] == [(0, "mse"), (1000, "ssim"), (1100, "mse"), (1200, "ssim")]
    assert turns[-1] == (3900, "mse") and len(turns) == 31


def test_srns_rate_falls_by_a_power_of_what_remains():
    recipe = configs.get_recipe("srn_paper")
    schedule = create_schedule(
        recipe.decay, recipe.learning_rate, recipe.num_steps, power=recipe.decay_power
    )
    rates = [float(schedule(recipe.num_steps * share)) for share in (0, 0.5, 1)]
    assert rates == pytest.approx([1e-4, 1e-4 * 0.5**0.3, 0], abs=1e-9)
