"""DRBNet's recipes: the paper's two stages."""

from tf_defocus import configs


def test_light_fields_are_learned_by_pixels_and_photographs_by_features():
    first, second = (configs.get_recipe(f"drbnet_{n}") for n in ("lfdof", "paper"))
    assert (first.dataset, first.losses) == ("lfdof", (("mae", 1.0),))
    assert second.dataset == "dpdd/full_8bit" and "perceptual" in dict(second.losses)
    assert second.initial_run == "drbnet_lfdof"
    assert configs.get_recipe("drbnet_dpdd").initial_run == ""
