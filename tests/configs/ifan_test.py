"""IFAN's recipes: the papers' numbers, and the networks they train."""

import pytest

from tf_defocus import configs
from tf_defocus.layers.ifan_filters import FilterAdaptiveConvolution
from tf_defocus.training.tasks import create_network, create_trainee

# recipe: parameters of the network, and of the reblurring network beside it
COUNTS = {
    "ifan_n8": (9_436_740, 9_849_957),
    "ifan_n17": (10_476_996, 19_139_685),
    "ifan_n26": (11_517_252, 28_429_413),
    "ifan_n35": (12_557_508, 37_719_141),
    "ifan_n44": (13_597_764, 47_008_869),
    "ifan_n8_released": (9_436_740, 9_632_040),
    "ifan_n26_released": (11_517_252, 28_235_709),
    "ifan_n35_released": (12_557_508, 37_719_141),
    "ifan_n44_released": (13_597_764, 47_008_869),
    "ifan_dual": (10_477_860, 19_139_685),
    "ifan_16bit": (10_476_996, 19_139_685),
    "ifan_released": (10_476_996, 19_139_685),
    "ifan_fac": (10_510_020, 19_441_515),
    "ifan_baseline": (10_594_500, 0),
    "ifan_disparity": (10_594_628, 0),
    "ifan_filters": (10_476_868, 0),
    "ifan_filters_disparity": (10_476_996, 0),
    "ifan_filters_reblurring": (10_476_868, 19_139_685),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_recipe_builds_networks_of_the_published_size(name):
    recipe = configs.get_recipe(name)
    network = create_network(recipe)
    trainee = create_trainee(network, recipe)
    reblurring = getattr(trainee, "reblurring", None)
    counts = network.count_params(), reblurring.count_params() if reblurring else 0
    assert counts == COUNTS[name]
    assert getattr(trainee, "disparity", False) == (recipe.disparity_weight > 0)


def test_every_published_configuration_has_a_recipe():
    names = {name for name in configs.list_recipes() if name.startswith("ifan_")}
    assert {name for name in names if "synthetic" not in name} == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_recipe_holds_the_papers_numbers(name):
    recipe = configs.get_recipe(name)
    assert (recipe.num_steps, recipe.batch_size) == (600_000, 8)
    assert (recipe.learning_rate, recipe.decay) == (1e-4, "step")
    assert recipe.decay_boundaries == (500_000, 550_000)
    assert recipe.decay_factor == 0.5
    assert recipe.optimizer == "rectified_adam"
    released = name.endswith("_released")
    assert (recipe.beta_1, recipe.beta_2) == (0.9, 0.999 if released else 0.99)
    assert (recipe.weight_decay, recipe.clip_norm) == (0.01, 0.5)
    assert recipe.losses == (("mse", 1.0),)
    assert recipe.augmentation == "ifan"
    assert {recipe.disparity_weight, recipe.reblurring_weight} <= {0.0, 1.0}


@pytest.mark.parametrize(
    "iterations, crop_size, reblurring",
    [(8, 256, 8), (26, 512, 9), (35, 576, 17), (44, 704, 17)],
)
def test_iterations_have_the_papers_crop_or_what_was_released(
    iterations, crop_size, reblurring
):
    """[IFAN Tab. 4]"""
    recipe = configs.get_recipe(f"ifan_n{iterations}")
    assert recipe.overrides == {"num_iterations": iterations}
    assert recipe.crop_size == 256
    assert recipe.reblurring == {"num_iterations": 17}
    released = configs.get_recipe(f"ifan_n{iterations}_released")
    assert released.overrides == {"num_iterations": iterations, "variant": "released"}
    assert released.crop_size == crop_size
    assert released.reblurring == {"num_iterations": reblurring}


def test_table_5_filters_densely_in_both_networks():
    """[IFAN Tab. 5], with networks a sixteenth as wide."""
    recipe = configs.get_recipe("ifan_fac")
    recipe = recipe.replace(overrides={**recipe.overrides, "base_filters": 2})
    trainee = create_trainee(create_network(recipe), recipe)
    for network in (trainee.network, trainee.reblurring):
        assert isinstance(network.adaptive_convolution, FilterAdaptiveConvolution)
        assert network.adaptive_convolution.filter_size == 11
    assert trainee.reblurring.filter_channels == 121 * 8
    assert not recipe.reblurring


def test_components_are_those_of_table_1():
    rows = {
        name: (
            recipe.overrides.get("adaptive_filters", "iac"),
            recipe.overrides.get("use_disparity", True),
            recipe.disparity_weight,
            recipe.reblurring_weight,
        )
        for name in COUNTS
        for recipe in [configs.get_recipe(name)]
    }
    assert rows["ifan_baseline"] == (None, False, 0, 0)
    assert rows["ifan_disparity"] == (None, True, 1, 0)
    assert rows["ifan_filters"] == ("iac", False, 0, 0)
    assert rows["ifan_filters_disparity"] == ("iac", True, 1, 0)
    assert rows["ifan_filters_reblurring"] == ("iac", False, 0, 1)
    assert rows["ifan_n17"] == ("iac", True, 1, 1)
