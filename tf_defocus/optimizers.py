"""Optimizers and learning-rate schedules of the reproduced papers.

Keras' own are used wherever they exist. What is here is what Keras lacks: Rectified
Adam (IFAN trains with it) and a rate that is held before it decays (Restormer, K3DN).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_defocus.ops.tensor import Tensor

RECTIFICATION_THRESHOLD = 5.0  # [RAdam Alg. 2]: below it the variance is intractable


@keras.saving.register_keras_serializable(package="tf_defocus")
class RectifiedAdam(keras.optimizers.Optimizer):
    """Adam whose adaptive step is scaled by the certainty of its variance.

        m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
        rho = rho_inf - 2 t b2^t / (1 - b2^t),   rho_inf = 2 / (1 - b2) - 1
        step = r(rho) m^ / (sqrt(v^) + epsilon)   if rho >= 5, else m^

    with m^ and v^ the bias-corrected moments and r the rectification of [RAdam Eq. 5].
    Weight decay is decoupled: a variable shrinks by `learning_rate * weight_decay`
    of itself before each step, biases included unless excluded by
    `exclude_from_weight_decay`.

    Args:
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`.
        beta_1: float in [0, 1), decay of the first moment.
        beta_2: float in [0, 1), decay of the second moment.
        epsilon: float, added to the root of the second moment.
        weight_decay: float or None, decoupled weight decay per unit learning rate.
        name: str, name of the optimizer.
        **kwargs: the other arguments of `keras.optimizers.Optimizer`.

    Reference:
        [Liu et al., 2020](https://arxiv.org/abs/1908.03265), Algorithm 2.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        name: str = "rectified_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs
        )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        dtype = variable.dtype
        gradient = ops.cast(gradient, dtype)
        step = ops.cast(self.iterations + 1, dtype)
        beta_1_power = ops.power(ops.cast(self.beta_1, dtype), step)
        beta_2_power = ops.power(ops.cast(self.beta_2, dtype), step)

        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        self.assign_add(momentum, (gradient - momentum) * (1 - self.beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))

        mean = momentum / (1 - beta_1_power)
        deviation = ops.sqrt(velocity / (1 - beta_2_power))
        rho_inf = 2 / (1 - self.beta_2) - 1
        rho = rho_inf - 2 * step * beta_2_power / (1 - beta_2_power)
        # Bounded from below so that the branch not taken has no root of a negative.
        tractable = ops.maximum(rho, RECTIFICATION_THRESHOLD)
        rectification = ops.sqrt(  # [RAdam Eq. 5]
            (tractable - 4)
            / (rho_inf - 4)
            * ((tractable - 2) / (rho_inf - 2))
            * (rho_inf / tractable)
        )
        update = ops.where(
            rho >= RECTIFICATION_THRESHOLD,
            rectification * mean / (deviation + self.epsilon),
            mean,
        )
        if self.weight_decay is not None and self._use_weight_decay(variable):
            update = update + self.weight_decay * variable
        self.assign_sub(variable, ops.cast(learning_rate, dtype) * update)

    def _apply_weight_decay(self, variables):
        """Does nothing: `update_step` decays, with one rounding instead of two."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class DelayedDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Holds the first rate of a schedule for a while, then runs the schedule.

    Args:
        schedule: `keras.optimizers.schedules.LearningRateSchedule`.
        hold_steps: int, number of steps at the schedule's first rate.
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, hold_steps: int
    ) -> None:
        self.schedule = schedule
        self.hold_steps = hold_steps

    def __call__(self, step: Tensor) -> Tensor:
        return self.schedule(ops.maximum(ops.cast(step, "int32") - self.hold_steps, 0))

    def get_config(self) -> dict[str, Any]:
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "hold_steps": self.hold_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DelayedDecay":
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["hold_steps"])


def create_schedule(
    decay: str,
    learning_rate: float,
    num_steps: int,
    boundaries: Sequence[int] = (),
    factor: float = 0.5,
    hold_steps: int = 0,
    final_learning_rate: float = 0.0,
    power: float = 1.0,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Learning rate as a function of the step.

    Args:
        decay: `"constant"`, `"step"` (times `factor` after each boundary), `"linear"`
            or `"cosine"` (from `learning_rate` to `final_learning_rate`).
        learning_rate: float, the first rate.
        num_steps: int, the step at which `linear` and `cosine` reach their end.
        boundaries: ints, the last step of each piece of `step`.
        factor: float, ratio of neighbouring pieces of `step`; or one number for each
            boundary, the ratio of the piece after it to the first.
        hold_steps: int, steps before `linear` and `cosine` begin to decay.
        final_learning_rate: float, the last rate of `linear` and `cosine`.
        power: float, of the share of the steps that remain, of `linear`.

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: if `decay` is unknown or `hold_steps` leaves no step to decay in.
    """
    schedules = keras.optimizers.schedules
    if decay == "constant":
        return schedules.PiecewiseConstantDecay([num_steps], [learning_rate] * 2)
    if decay == "step":
        if isinstance(factor, (int, float)):
            factor = [factor**i for i in range(1, len(boundaries) + 1)]
        rates = [learning_rate, *(learning_rate * ratio for ratio in factor)]
        return schedules.PiecewiseConstantDecay(list(boundaries), rates)
    if decay not in ("linear", "cosine"):
        raise ValueError(
            "`decay` must be 'constant', 'step', 'linear' or 'cosine'. "
            f"Received: decay={decay!r}"
        )
    if not 0 <= hold_steps < num_steps:
        raise ValueError(
            "`hold_steps` must leave steps to decay in. "
            f"Received: hold_steps={hold_steps}, num_steps={num_steps}"
        )
    decay_steps = num_steps - hold_steps
    if decay == "linear":
        schedule = schedules.PolynomialDecay(
            learning_rate, decay_steps, final_learning_rate, power
        )
    else:
        schedule = schedules.CosineDecay(
            learning_rate, decay_steps, alpha=final_learning_rate / learning_rate
        )
    return DelayedDecay(schedule, hold_steps) if hold_steps else schedule
