"""NRKNet's recipes: the released code's numbers, and the paper's reblurring."""

import pytest

from tf_defocus import configs
from tf_defocus.optimizers import create_schedule

EPOCH = 87


def test_the_rate_is_a_half_a_quarter_and_a_tenth():
    recipe = configs.get_recipe("nrknet_paper")
    schedule = create_schedule(
        recipe.decay,
        recipe.learning_rate,
        recipe.num_steps,
        boundaries=recipe.decay_boundaries,
        factor=recipe.decay_factor,
    )
    epochs = (0, 1999, 2000, 3000, 3001, 4000, 4001, 4999)
    rates = [float(schedule(epoch * EPOCH + 1)) for epoch in epochs]
    expected = [1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5, 2.5e-5, 1e-5, 1e-5]
    assert rates == pytest.approx(expected, rel=1e-6)


def test_ssim_takes_turns_as_the_released_code_counts_epochs():
    recipe = configs.get_recipe("nrknet_released")
    for epoch in range(5000):
        step = epoch * EPOCH
        losses = [terms for first, terms in recipe.loss_schedule if first <= step][-1]
        by_ssim = epoch >= 1000 and epoch % 1000 % 200 > 100
        assert (losses == (("ssim", 1.0),)) == by_ssim, epoch
        if not by_ssim:
            assert losses == (("mse", 1.0), ("fourier_parts", 0.1))


def test_the_paper_adds_the_reblurring_that_the_code_leaves_out():
    paper, released = map(configs.get_recipe, ("nrknet_paper", "nrknet_released"))
    series = (("series_quarter", 0.25), ("series_half", 0.5), ("series", 0.75))
    assert released.tasks == series
    assert paper.tasks[:3] == series
    squared = (("mse", 1.0),)
    assert paper.tasks[3:] == (
        ("reblurring_quarter", 0.25, squared),
        ("reblurring_half", 0.5, squared),
        ("reblurring", 0.75, squared),
    )
    assert paper.replace(name="", tasks=()) == released.replace(name="", tasks=())
    assert (paper.num_steps, paper.batch_size, paper.crop_size) == (435_000, 4, 256)
    assert paper.augmentation_options == {"flips_and_rotations": True}
