"""The training step on JAX, on one device or several: the same order of operations.

Several devices share a batch by its sharding: the step is written, and computes, as on
one device, batch moments and dropout included; XLA divides the work.

A run's checkpoint holds variables by path, so a run begun on TensorFlow continues here
on a GPU where only JAX is installed, and the other way round.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

from tf_defocus.training.batch_shares import check_batch_sizes
from tf_defocus.training.log import JsonLinesLogger


class Devices:
    """The devices that share a batch.

    Args:
        devices: list of `jax.Device`.
    """

    def __init__(self, devices):
        mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
        spec = jax.sharding.PartitionSpec
        self.num_replicas_in_sync = len(devices)
        self.replicated = jax.sharding.NamedSharding(mesh, spec())
        self.divided = jax.sharding.NamedSharding(mesh, spec("batch"))

    def scope(self):
        """Nothing to enter: the step places variables itself."""
        return contextlib.nullcontext()

    def put(self, images):
        """Lays examples onto the devices.

        Args:
            images: dict of (examples, ...) arrays; all examples on every device, and
                computed there, where they do not divide.
        """
        count = len(next(iter(images.values())))
        even = count % self.num_replicas_in_sync == 0
        return jax.device_put(images, self.divided if even else self.replicated)


def create_strategy(name):
    """One device, or all of this machine.

    Args:
        name: str, "none" or "mirrored".

    Raises:
        ValueError: if the name is another.
    """
    if name not in ("none", "mirrored"):
        raise ValueError(
            "strategy must be 'none' or 'mirrored' on the JAX backend. "
            f"Received: {name!r}"
        )
    devices = jax.local_devices()
    return Devices(devices if name == "mirrored" else devices[:1])


def make_train_step(model, objective, optimizer, recipe, strategy, uneven=False):
    """The step of a recipe; arguments and errors as in `tensorflow_step`."""
    check_batch_sizes(recipe, strategy.num_replicas_in_sync, uneven)
    return JaxStep(model, objective, optimizer, recipe, strategy)


class JaxStep:
    """Takes one step per call: batch of NumPy arrays in, dict of floats out."""

    def __init__(self, model, objective, optimizer, recipe, strategy):
        self.recipe, self.strategy = recipe, strategy
        self.model, self.optimizer = model, optimizer
        self.objective = objective
        self.state = self._read()
        everywhere = strategy.replicated
        self.run = jax.jit(self._step, donate_argnums=0, out_shardings=everywhere)

    def rows(self, batch_size):
        """All rows of a batch: there is one process."""
        return range(batch_size)

    def __call__(self, batch, batch_size=None):
        parts = self.recipe.accumulation_steps
        pieces = [
            self.strategy.put({k: v[part::parts] for k, v in batch.items()})
            for part in range(parts)
        ]
        self.state, scalars = self.run(self.state, pieces)
        return {k: float(v) for k, v in scalars.items()}

    def any_worker(self, wish):
        """The wish: there is one process."""
        return wish

    def wait_for_all(self):
        """Nobody to wait for: there is one process."""

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
                variable.assign(np.array(value))

    def _read(self):
        groups = (
            self.model.trainable_variables,
            self.model.non_trainable_variables,
            self.optimizer.variables,
        )
        state = tuple([np.array(v.value) for v in group] for group in groups)
        return jax.device_put(state, self.strategy.replicated)

    def _step(self, state, pieces):
        weights, others, slots = state
        names = [variable.path for variable in self.optimizer.variables]
        step = slots[names.index(self.optimizer.iterations.path)]
        sizes = [len(piece["sharp"]) for piece in pieces]
        differentiate = jax.value_and_grad(self._loss, has_aux=True)
        total, scalars = None, []
        for piece, size in zip(pieces, sizes):
            weight = size / sum(sizes)
            (loss, (terms, others)), gradients = differentiate(
                weights, others, piece, step
            )
            gradients = [weight * g for g in gradients]
            total = (
                gradients
                if total is None
                else [a + b for a, b in zip(total, gradients)]
            )
            values = {"loss": loss, **terms}
            scalars.append({k: weight * v for k, v in values.items()})
        gradients, norm = self._clip(total)
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        mean = {k: sum(s[k] for s in scalars) for k in scalars[0]}
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
