"""The training step on TensorFlow: one device, several, several machines' devices.

Keras' own `fit` clips each device's gradient before the reduction and refuses to
accumulate under a strategy; here the order is: sum over accumulations, sum over
devices, clip, apply. Batch normalisation takes its moments over all devices. The
result does not depend on how a batch was divided.
"""

import contextlib
import functools
import hashlib
import importlib.util

import numpy as np
import tensorflow as tf

from tf_defocus.layers.common import moments_over_devices
from tf_defocus.training.log import JsonLinesLogger
from tf_defocus.training.workers import WorkerLostError

# What collective operations end with where another worker is gone.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def create_strategy(name):
    """A `tf.distribute` strategy.

    Args:
        name: str, "none"; "mirrored", all visible devices; "multi_worker", those of
            all the processes that `TF_CONFIG` names.

    Raises:
        ValueError: if the name is another.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU")
        devices = devices or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise ValueError(
        f"strategy must be 'none', 'mirrored' or 'multi_worker'. Received: {name!r}"
    )


def make_train_step(model, objective, optimizer, recipe, strategy):
    """The step of a recipe.

    Args:
        model: built `keras.Model`.
        objective: function (outputs, batch, step) -> (loss, dict of scalars).
        optimizer: built optimizer, without clipping of its own.
        recipe: `Recipe`.
        strategy: of `create_strategy`; model and optimizer were made in its scope.

    Returns:
        A `TensorFlowStep`.

    Raises:
        ValueError: if the batch does not divide among devices and accumulations.
    """
    parts = recipe.accumulation_steps * strategy.num_replicas_in_sync
    for size in (batch_size for _, _, batch_size in recipe.crops):
        if size % parts:
            near = [n for n in (size // parts * parts, -(-size // parts) * parts) if n]
            raise ValueError(
                f"batch_size must divide by accumulation_steps x devices = {parts}; "
                f"{' or '.join(map(str, near))} would. Received: batch_size={size}"
            )
    return TensorFlowStep(model, objective, optimizer, recipe, strategy)


class TensorFlowStep:
    """Takes one step per call: batch of NumPy arrays in, dict of floats out."""

    def __init__(self, model, objective, optimizer, recipe, strategy):
        self.model = model
        self.objective = objective
        self.optimizer = optimizer
        self.recipe = recipe
        self.strategy = strategy
        self.run = tf.function(self._distributed_step)

    @property
    def share(self):
        """(first, last, devices): this process feeds the devices from `first` up to,
        not with, `last`; the batch's row r goes to device r % devices.
        """
        devices = self.strategy.num_replicas_in_sync
        here = devices // self._workers
        place = self.strategy.cluster_resolver.task_id if self._workers > 1 else 0
        return place * here, (place + 1) * here, devices

    def __call__(self, batch):
        first, last, _ = self.share

        def share(context):
            place = context.replica_id_in_sync_group - first
            return {k: tf.constant(v[place :: last - first]) for k, v in batch.items()}

        shares = self.strategy.experimental_distribute_values_from_function(share)
        with without_remapping(), self._lost_worker_named():
            return {k: float(v) for k, v in self.run(shares).items()}

    def any_worker(self, wish):
        """Whether any process has the wish; all get the same answer, at one step."""
        return wish if self._workers == 1 else bool(np.any(self._gather([[wish]])))

    def require_agreement(self, facts):
        """Refuses to go on where the processes do not hold the same facts.

        Args:
            facts: dict of str, what they are called -> anything that has a text.

        Raises:
            ValueError: on all of them, naming what differs.
        """
        if self._workers == 1:
            return
        digests = [
            int.from_bytes(hashlib.sha256(str(fact).encode()).digest()[:4], "big")
            for fact in facts.values()
        ]
        rows = self._gather([digests])
        differing = [n for n, column in zip(facts, rows.T) if len(set(column)) > 1]
        if differing:
            mine = {name: facts[name] for name in differing}
            raise ValueError(
                f"the workers differ in {', '.join(differing)}. This one has: {mine}"
            )

    @property
    def _workers(self):
        resolver = self.strategy.cluster_resolver
        spec = resolver.cluster_spec().as_dict() if resolver else {}
        return max(1, sum(map(len, spec.values())))

    def _gather(self, rows):
        """(processes x their devices, columns) of every process' row of integers."""
        value = self.strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant(rows, tf.int64)
        )
        with self._lost_worker_named():
            return self.strategy.gather(value, axis=0).numpy()

    @contextlib.contextmanager
    def _lost_worker_named(self):
        try:
            yield
        except _LOST as error:
            if self._workers == 1:
                raise
            reason = str(error).splitlines()[0][:200]
            raise WorkerLostError(
                "another worker ended or cannot be reached; start all of them again by "
                f"the same command, they go on from the last checkpoint ({reason})"
            ) from error

    def synchronize(self):
        """Nothing to do: the variables are the state."""

    def _distributed_step(self, shares):
        scalars = self.strategy.run(self._replica_step, (shares,))
        mean = tf.distribute.ReduceOp.MEAN
        return {k: self.strategy.reduce(mean, v, axis=None) for k, v in scalars.items()}

    def _replica_step(self, batch):
        replicas = self.strategy.num_replicas_in_sync
        context = tf.distribute.get_replica_context()
        with self._shared_moments(context, replicas):
            gradients, scalars = self._accumulate(batch)
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        gradients = [g / replicas for g in gradients]  # of the mean over the batch
        norm = tf.linalg.global_norm(gradients)
        # A gradient that is not finite counts as zero: the weights stay finite.
        gradients = [
            tf.where(tf.math.is_finite(norm), g, tf.zeros_like(g)) for g in gradients
        ]
        if self.recipe.clip_norm > 0:
            limit = self.recipe.clip_norm
            factor = limit / tf.maximum(norm, limit)
            factor = tf.where(tf.math.is_finite(norm), factor, 1.0)
            gradients = [g * factor for g in gradients]
        # The optimizer sums over the devices once more.
        shares = [g / replicas for g in gradients]
        self.optimizer.apply(shares, self.model.trainable_variables)
        return {**scalars, "gradient_norm": norm}

    def _shared_moments(self, context, replicas):
        """Batch moments are those of the whole batch, whatever device holds a part."""
        if replicas == 1:
            return contextlib.nullcontext()
        mean = functools.partial(context.all_reduce, tf.distribute.ReduceOp.MEAN)
        return moments_over_devices(mean, replicas)

    def _accumulate(self, batch):
        """Gradients and scalars of this device's share, averaged over its parts."""
        parts = self.recipe.accumulation_steps
        variables = [v.value for v in self.model.trainable_variables]
        total, scalars = None, []
        for part in range(parts):
            piece = {k: v[part::parts] for k, v in batch.items()}
            views = {k: piece[k] for k in self.model.view_names}
            with tf.GradientTape() as tape:
                outputs = self.model(views, training=True)
                loss, terms = self.objective(outputs, piece, self.optimizer.iterations)
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            total = (
                gradients
                if total is None
                else [a + b for a, b in zip(total, gradients)]
            )
            scalars.append({"loss": loss, **terms})
        mean = {k: tf.add_n([s[k] for s in scalars]) / parts for k in scalars[0]}
        return [g / parts for g in total], mean


@contextlib.contextmanager
def without_remapping():
    """Inside, graphs are computed without TensorFlow's fusion of convolutions.

    TensorFlow 2.21 fuses a convolution, its bias and a LeakyRelu although the gradient
    of the LeakyRelu needs the sum that is then gone. It notices, says "remapper failed:
    ... exist for missing node" and leaves the whole graph as it was.
    """
    kept = tf.config.optimizer.get_experimental_options().get("remapping", True)
    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"remapping": kept})


def make_logger(folder, step):
    """A log of JSON lines in `folder` and, where it is installed, for TensorBoard."""
    if importlib.util.find_spec("tensorboard") is None:
        print("no TensorBoard log: pip install tensorboard; metrics.jsonl is written")
        return JsonLinesLogger(folder, step)
    return TensorBoardLogger(folder, step)


class TensorBoardLogger(JsonLinesLogger):
    """Writes scalars and images of a run for TensorBoard as well."""

    def __init__(self, folder, step=0):
        super().__init__(folder, step)
        self.writer = tf.summary.create_file_writer(str(folder / "tensorboard"))

    def scalars(self, step, values):
        """Logs a dict of floats."""
        super().scalars(step, values)
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def images(self, step, pictures):
        """Logs (examples, height, width, 3) pictures in [0, 1]."""
        with self.writer.as_default(step=step):
            tf.summary.image("blurred, deblurred, sharp", pictures, max_outputs=3)
        self.writer.flush()
