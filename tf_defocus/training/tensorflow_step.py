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

import tensorflow as tf

from tf_defocus.layers.shared_batches import BatchShare, batch_share
from tf_defocus.training.batch_shares import check_batch_sizes, device_pieces
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
        return _all_workers()
    raise ValueError(
        f"strategy must be 'none', 'mirrored' or 'multi_worker'. Received: {name!r}"
    )


@functools.cache
def _all_workers():
    """One for all trainings of this process: TensorFlow joins a cluster once."""
    return tf.distribute.MultiWorkerMirroredStrategy()


def make_train_step(model, objective, optimizer, recipe, strategy, uneven=False):
    """The step of a recipe.

    Args:
        model: built `keras.Model`.
        objective: function (outputs, batch, step) -> (loss, dict of scalars).
        optimizer: built optimizer, without clipping of its own.
        recipe: `Recipe`.
        strategy: of `create_strategy`; model and optimizer were made in its scope.
        uneven: bool, let devices have one example more than others.

    Returns:
        A `TensorFlowStep`.

    Raises:
        ValueError: if the batch does not divide among devices and accumulations.
    """
    check_batch_sizes(recipe, strategy.num_replicas_in_sync, uneven)
    # It would send the gradients again, which all devices have alike by then.
    optimizer._all_reduce_sum_gradients = list
    return TensorFlowStep(model, objective, optimizer, recipe, strategy)


class TensorFlowStep:
    """Takes one step per call: batch of NumPy arrays in, dict of floats out."""

    def __init__(self, model, objective, optimizer, recipe, strategy):
        self.model = model
        self.objective = objective
        self.optimizer = optimizer
        self.recipe = recipe
        self.strategy = strategy
        self._parts = recipe.accumulation_steps
        self._wishes = False  # this process, to stop
        self._wished = False  # any process, when the last step began
        self.run = tf.function(self._distributed_step)

    def rows(self, batch_size):
        """Rows of a batch of that size that this process needs, in its order."""
        devices = self._pieces(batch_size)
        return [row for pieces in devices for piece in pieces for row in piece.rows]

    def _pieces(self, batch_size):
        """Of each device of this process, its pieces."""
        devices = self.strategy.num_replicas_in_sync
        here = devices // self._workers
        place = self.strategy.cluster_resolver.task_id if self._workers > 1 else 0
        return [
            device_pieces(place * here + i, batch_size, self._parts, devices)
            for i in range(here)
        ]

    def __call__(self, batch, batch_size=None):
        """Takes a step.

        Args:
            batch: dict of arrays, those `rows` of a batch.
            batch_size: int, examples of the whole batch; None where this process has
                them all, in order.
        """
        count = len(next(iter(batch.values())))
        devices = iter(self._pieces(batch_size or count))
        order = None if batch_size else self.rows(count)
        used = 0

        def share(_):
            nonlocal used
            parts = []
            for piece in next(devices):
                slots = slice(used, used := used + len(piece.rows))
                mine = slots if order is None else order[slots]
                images = {k: tf.constant(v[mine]) for k, v in batch.items()}
                parts.append({"images": images, **_counts(piece)})
            return tuple(parts), tf.constant(float(self._wishes))

        shares = self.strategy.experimental_distribute_values_from_function(share)
        with without_remapping(), self._lost_worker_named():
            scalars = {k: float(v) for k, v in self.run(shares).items()}
        self._wished = scalars.pop("wishes") > 0
        return scalars

    def any_worker(self, wish):
        """Whether to stop before the next step, the same on all processes.

        Args:
            wish: bool, this process' own, which others hear of in the next step.
        """
        self._wishes = wish
        return wish if self._workers == 1 else self._wished

    def wait_for_all(self):
        """Returns when every process is here."""
        if self._workers > 1:
            self._gather([[0]])

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
        scalars = self.strategy.run(self._replica_step, shares)
        local = self.strategy.experimental_local_results
        return {name: local(value)[0] for name, value in scalars.items()}

    def _replica_step(self, parts, wish):
        """Steps; the scalars are of the whole batch, the same on every device."""
        context = tf.distribute.get_replica_context()
        gradients, scalars = self._accumulate(parts, context)
        scalars["wishes"] = wish
        # TensorFlow sends a list as one message.
        *gradients, values = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [*gradients, tf.stack([*scalars.values()])]
        )
        scalars = dict(zip(scalars, tf.unstack(values)))
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
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return {**scalars, "gradient_norm": norm}

    def _accumulate(self, parts, context):
        """This device's parts of the gradients and scalars of the batch's mean."""
        variables = [v.value for v in self.model.trainable_variables]
        total, scalars = None, []
        for part in parts:
            images, weight = part["images"], part["weight"]
            views = {k: images[k] for k in self.model.view_names}
            with tf.GradientTape() as tape, batch_share(self._share(part, context)):
                outputs = self.model(views, training=True)
                loss, terms = self.objective(outputs, images, self.optimizer.iterations)
                loss = loss * weight
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            total = (
                gradients
                if total is None
                else [a + b for a, b in zip(total, gradients)]
            )
            scalars.append({"loss": loss} | {k: v * weight for k, v in terms.items()})
        return total, {k: tf.add_n([s[k] for s in scalars]) for k in scalars[0]}

    def _share(self, part, context):
        """What layers need to know of the batch that this device has a part of."""
        if self.strategy.num_replicas_in_sync == 1:
            return None
        total = functools.partial(context.all_reduce, tf.distribute.ReduceOp.SUM)
        return BatchShare(total, part["share"], part["places"], part["size"])


def _counts(piece):
    return {
        "share": tf.constant(piece.share, tf.float32),
        "weight": tf.constant(piece.weight, tf.float32),
        "places": tf.constant(piece.places, tf.int32),
        "size": tf.constant(piece.size, tf.int32),
    }


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
