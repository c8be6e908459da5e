"""The sum a step minimises, against sums written out in NumPy."""

import keras
import numpy as np
import pytest

from tf_defocus.configs import Recipe, get_recipe
from tf_defocus.training.objectives import RestorationObjective

RECIPE = Recipe(name="test", model="kpac_2level")


def random_images(seed, size=16):
    rng = np.random.default_rng(seed)
    return rng.random((2, size, size, 3), dtype=np.float32)


def loss_of(recipe, outputs, batch, step=0):
    total, values = RestorationObjective(recipe)(outputs, batch, step)
    return float(total), {k: float(v) for k, v in values.items()}


def test_losses_are_weighted_and_summed():
    sharp, deblurred = random_images(0), random_images(1)
    recipe = RECIPE.replace(losses=(("mae", 2.0), ("mse", 3.0)))
    total, values = loss_of(recipe, {"deblurred": deblurred}, {"sharp": sharp})
    mae = np.abs(sharp - deblurred).mean()
    mse = np.square(sharp - deblurred).mean()
    np.testing.assert_allclose(total, 2 * mae + 3 * mse, rtol=1e-5)
    expected = {"mae": mae, "mse": mse, "psnr": -10 * np.log10(mse)}
    assert set(values) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-5)


def test_charbonnier_is_the_smooth_absolute_error():
    sharp, deblurred = random_images(0), random_images(1)
    recipe = RECIPE.replace(losses=(("charbonnier", 1.0),))
    total, _ = loss_of(recipe, {"deblurred": deblurred}, {"sharp": sharp})
    expected = np.sqrt((sharp - deblurred) ** 2 + 1e-6).mean()
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_scales_are_compared_with_the_sharp_image_of_their_size():
    """A constant image stays constant when it is halved."""
    sharp = np.full((1, 16, 16, 3), 0.5, np.float32)
    outputs = {
        "deblurred": sharp + 0.1,
        "deblurred_half": np.full((1, 8, 8, 3), 0.7, np.float32),
        "deblurred_quarter": np.full((1, 4, 4, 3), 0.1, np.float32),
    }
    recipe = RECIPE.replace(scale_weights=(1.0, 0.5, 0.25))
    total, values = loss_of(recipe, outputs, {"sharp": sharp})
    np.testing.assert_allclose(total, 0.1 + 0.5 * 0.2 + 0.25 * 0.4, rtol=1e-5)
    np.testing.assert_allclose(values["mae"], 0.1, rtol=1e-5)


def test_scheduled_losses_take_turns():
    sharp, deblurred = random_images(0), random_images(1)
    mse, mae = np.square(sharp - deblurred).mean(), np.abs(sharp - deblurred).mean()
    schedule = ((0, (("mse", 1.0),)), (3, (("mae", 2.0),)), (5, (("mse", 4.0),)))
    recipe = RECIPE.replace(loss_schedule=schedule)
    objective = RestorationObjective(recipe)
    for step, expected in (
        (0, mse),
        (2, mse),
        (3, 2 * mae),
        (4, 2 * mae),
        (5, 4 * mse),
    ):
        step = keras.ops.convert_to_tensor(step)
        total, _ = objective({"deblurred": deblurred}, {"sharp": sharp}, step)
        np.testing.assert_allclose(float(total), expected, rtol=1e-5)


def test_the_paper_of_gkmnet_alternates_after_a_thousand_epochs():
    """SSIM from step 87,000 on, squared error again from 130,500 on."""
    sharp, deblurred = random_images(0, 48), random_images(1, 48)
    recipe = get_recipe("gkmnet_paper").replace(scale_weights=(1.0,))
    outputs, batch = {"deblurred": deblurred}, {"sharp": sharp}
    mse = np.square(sharp - deblurred).mean()
    for step, is_mse in ((86_999, True), (87_000, False), (130_500, True)):
        total, values = loss_of(recipe, outputs, batch, step)
        np.testing.assert_allclose(total, mse if is_mse else values["ssim"], rtol=1e-5)
    assert abs(values["ssim"] - mse) > 0.1


def test_tasks_are_weighted_by_their_own_numbers():
    image = np.full((1, 8, 8, 3), 0.5, np.float32)
    outputs = {"deblurred": image}
    for name, error in (("disparity", 0.1), ("reblurring", 0.2)):
        outputs |= {name: image + error, f"{name}_target": image}
    recipe = RECIPE.replace(
        losses=(("mse", 2.0),), disparity_weight=3.0, reblurring_weight=5.0
    )
    total, values = loss_of(recipe, outputs, {"sharp": image})
    np.testing.assert_allclose(total, 2 * (3 * 0.01 + 5 * 0.04), rtol=1e-4)
    np.testing.assert_allclose(values["disparity"], 0.02, rtol=1e-4)


def test_unknown_losses_and_too_many_scales_are_refused():
    with pytest.raises(ValueError, match=r"Unknown losses \['huber'\]"):
        RestorationObjective(RECIPE.replace(losses=(("huber", 1.0),)))
    with pytest.raises(ValueError, match="scale_weights must hold 1 to 4"):
        RestorationObjective(RECIPE.replace(scale_weights=(1.0,) * 5))
