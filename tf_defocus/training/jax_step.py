"""The training step on JAX, for one device: the same order of operations.

A run's checkpoint holds variables by path, so a run begun on TensorFlow continues here
on a GPU where only JAX is installed, and the other way round.
"""

import contextlib

import jax
import jax.numpy as jnp

from tf_defocus.training.log import JsonLinesLogger


class OneDevice:
    """Where JAX puts arrays by default."""

    num_replicas_in_sync = 1

    def scope(self):
        """Nothing to enter: JAX places variables itself."""
        return contextlib.nullcontext()


def create_strategy(name):
    """One device; several are TensorFlow's.

    Raises:
        ValueError: if the name is not "none".
    """
    if name != "none":
        raise ValueError(
            f"strategy must be 'none' on the JAX backend. Received: {name!r}"
        )
    return OneDevice()


def make_train_step(model, objective, optimizer, recipe, strategy):
    """The step of a recipe; arguments as in `tensorflow_step`.

    Raises:
        ValueError: if the batch does not divide into its accumulations.
    """
    del strategy
    sizes = [batch_size for _, _, batch_size in recipe.crops]
    if any(size % recipe.accumulation_steps for size in sizes):
        raise ValueError(
            "batch_size must divide by accumulation_steps = "
            f"{recipe.accumulation_steps}. "
            f"Received: batch_size={', '.join(map(str, sizes))}"
        )
    return JaxStep(model, objective, optimizer, recipe)


class JaxStep:
    """Takes one step per call: batch of NumPy arrays in, dict of floats out."""

    def __init__(self, model, objective, optimizer, recipe):
        self.model = model
        self.objective = objective
        self.optimizer = optimizer
        self.recipe = recipe
        self.state = self._read()
        self.run = jax.jit(self._step, donate_argnums=0)

    def __call__(self, batch):
        self.state, scalars = self.run(self.state, batch)
        return {k: float(v) for k, v in scalars.items()}

    share = (0, 1, 1)  # the whole batch is this process'

    def any_worker(self, wish):
        """The wish: there is one process."""
        return wish

    def require_agreement(self, facts):
        """Nothing to compare: there is one process."""

    def synchronize(self):
        """Copies the state into the variables of model and optimizer."""
        groups = (
            self.model.trainable_variables,
            self.model.non_trainable_variables,
            self.optimizer.variables,
        )
        for variables, values in zip(groups, self.state):
            for variable, value in zip(variables, values):
                # a copy: the next step gives the state's own memory away
                variable.assign(jnp.array(value, copy=True))

    def _read(self):
        groups = (
            self.model.trainable_variables,
            self.model.non_trainable_variables,
            self.optimizer.variables,
        )
        return tuple([jnp.array(v.value, copy=True) for v in g] for g in groups)

    def _step(self, state, batch):
        weights, others, slots = state
        names = [variable.path for variable in self.optimizer.variables]
        step = slots[names.index(self.optimizer.iterations.path)]
        parts = self.recipe.accumulation_steps
        differentiate = jax.value_and_grad(self._loss, has_aux=True)
        total, scalars = None, []
        for part in range(parts):
            piece = {k: v[part::parts] for k, v in batch.items()}
            (loss, (terms, others)), gradients = differentiate(
                weights, others, piece, step
            )
            total = (
                gradients
                if total is None
                else [a + b for a, b in zip(total, gradients)]
            )
            scalars.append({"loss": loss, **terms})
        gradients, norm = self._clip([g / parts for g in total])
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        mean = {k: sum(s[k] for s in scalars) / parts for k in scalars[0]}
        return (weights, others, slots), {**mean, "gradient_norm": norm}

    def _loss(self, weights, others, piece, step):
        views = {k: piece[k] for k in self.model.view_names}
        outputs, others = self.model.stateless_call(
            weights, others, views, training=True
        )
        loss, terms = self.objective(outputs, piece, step)
        return loss, (terms, others)

    def _clip(self, gradients):
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in gradients))
        finite, limit = jnp.isfinite(norm), self.recipe.clip_norm
        # A gradient that is not finite counts as zero: the weights stay finite.
        gradients = [jnp.where(finite, g, 0) for g in gradients]
        if limit > 0:
            factor = jnp.where(finite, limit / jnp.maximum(norm, limit), 1)
            gradients = [g * factor for g in gradients]
        return gradients, norm


def make_logger(folder, step):
    """A log of JSON lines; TensorBoard's writer is TensorFlow's."""
    return JsonLinesLogger(folder, step)
