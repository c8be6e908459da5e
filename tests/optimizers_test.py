"""Tests of `tf_defocus.optimizers`."""

import keras
import numpy as np
import pytest

from tests import testing
from tf_defocus.optimizers import DelayedDecay, RectifiedAdam, create_schedule

ATOL = 1e-6  # float32 rounding over 200 steps of size 1e-2


def trajectory(optimizer, initial, gradients):
    variable = keras.Variable(initial)
    optimizer.build([variable])
    states = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
        states.append(keras.ops.convert_to_numpy(variable))
    return np.stack(states)


def reference_optimizer(weight_decay):
    return RectifiedAdam(1e-2, 0.9, 0.99, epsilon=1e-8, weight_decay=weight_decay)


@pytest.mark.parametrize("case, weight_decay", [("plain", None), ("wd", 0.01)])
def test_rectified_adam_follows_the_recorded_trajectory(case, weight_decay):
    vectors = testing.reference_file("tfa_0_23.npz")
    actual = trajectory(
        reference_optimizer(weight_decay),
        vectors[f"{case}_init"],
        vectors[f"{case}_grads"],
    )
    np.testing.assert_allclose(actual, vectors[f"{case}_trajectory"], atol=ATOL)


@pytest.mark.parametrize("case, weight_decay", [("plain", None), ("wd", 0.01)])
def test_rectified_adam_follows_the_golden_trajectory(case, weight_decay):
    golden = np.load(testing.golden_file("rectified_adam.npz"), allow_pickle=False)
    actual = trajectory(
        reference_optimizer(weight_decay),
        golden[f"{case}_init"],
        golden[f"{case}_grads"],
    )
    np.testing.assert_allclose(actual, golden[f"{case}_trajectory"], atol=ATOL)


def naive_rectified_adam(value, gradients, rate, beta_1, beta_2, decay):
    """Algorithm 2 of Liu et al. in float64, written step by step."""
    mean = square = np.zeros_like(value)
    rho_inf = 2 / (1 - beta_2) - 1
    for t, gradient in enumerate(gradients, 1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        step = mean / (1 - beta_1**t)
        if rho >= 5:
            rectification = (rho - 4) * (rho - 2) * rho_inf
            rectification /= (rho_inf - 4) * (rho_inf - 2) * rho
            step = step * np.sqrt(rectification)
            step = step / (np.sqrt(square / (1 - beta_2**t)) + 1e-8)
        value = value * (1 - rate * decay) - rate * step
    return value


def test_rectified_adam_matches_algorithm_2(rng):
    initial = rng.normal(size=(3, 2)).astype("float32")
    gradients = rng.normal(size=(12, 3, 2)).astype("float32")
    optimizer = RectifiedAdam(2e-3, 0.9, 0.999, weight_decay=0.1)
    actual = trajectory(optimizer, initial, gradients)[-1]
    expected = naive_rectified_adam(
        initial.astype("float64"), gradients, 2e-3, 0.9, 0.999, 0.1
    )
    # 1 - 0.999^t keeps four digits in float32; twelve steps move by up to 2e-2.
    np.testing.assert_allclose(actual, expected, atol=5e-6, rtol=2e-6)


def test_rectified_adam_decays_no_excluded_variable():
    optimizer = RectifiedAdam(0.1, weight_decay=0.5)
    decayed, excluded = keras.Variable([1.0]), keras.Variable([1.0], name="bias")
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build([decayed, excluded])
    optimizer.apply([keras.ops.zeros(1), keras.ops.zeros(1)])
    np.testing.assert_allclose([float(decayed[0]), float(excluded[0])], [0.95, 1.0])


def test_rectified_adam_survives_its_config():
    optimizer = RectifiedAdam(
        create_schedule("step", 1e-4, 10, boundaries=(4,)),
        beta_1=0.8,
        beta_2=0.95,
        epsilon=1e-6,
        weight_decay=0.02,
        global_clipnorm=0.5,
    )
    clone = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(optimizer)
    )
    assert type(clone) is RectifiedAdam
    assert clone.get_config() == optimizer.get_config()


def test_step_schedule_multiplies_after_each_boundary():
    schedule = create_schedule("step", 1e-4, 600, boundaries=(500, 550))
    rates = [float(schedule(step)) for step in (0, 500, 501, 550, 551)]
    np.testing.assert_allclose(rates, [1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5], rtol=1e-6)


def test_step_schedule_takes_a_factor_of_each_piece():
    schedule = create_schedule("step", 0.4, 9, boundaries=(3, 5), factor=(0.5, 0.1))
    rates = [float(schedule(step)) for step in (0, 3, 4, 5, 6)]
    np.testing.assert_allclose(rates, [0.4, 0.4, 0.2, 0.2, 0.04], rtol=1e-6)


def test_constant_schedule_never_changes():
    schedule = create_schedule("constant", 3e-4, 100)
    rates = [float(schedule(step)) for step in (0, 100, 101, 5000)]
    np.testing.assert_allclose(rates, 3e-4, rtol=1e-6)


def test_linear_schedule_reaches_zero():
    schedule = create_schedule("linear", 0.2, 100, hold_steps=20)
    rates = [float(schedule(step)) for step in (0, 20, 60, 100, 130)]
    np.testing.assert_allclose(rates, [0.2, 0.2, 0.1, 0, 0], atol=1e-7)


def test_cosine_schedule_holds_then_reaches_its_end():
    schedule = create_schedule(
        "cosine", 3e-4, 300, hold_steps=100, final_learning_rate=1e-6
    )
    rates = [float(schedule(step)) for step in (0, 100, 200, 300, 400)]
    expected = [3e-4, 3e-4, (3e-4 + 1e-6) / 2, 1e-6, 1e-6]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_delayed_decay_survives_its_config():
    schedule = create_schedule("linear", 0.2, 100, hold_steps=20)
    clone = DelayedDecay.from_config(schedule.get_config())
    assert clone.get_config() == schedule.get_config()
    assert float(clone(60)) == float(schedule(60))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("exponential", 1.0, 10), "decay='exponential'"),
        (("linear", 1.0, 10, (), 0.5, 10), "hold_steps=10"),
    ],
)
def test_bad_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_schedule(*arguments)
