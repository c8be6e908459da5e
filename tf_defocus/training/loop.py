"""The one training loop: steps, log, validation, checkpoints that resume exactly.

Batches are a function of seed and step alone, so a run that was killed and resumed
gives the weights of one that was not. The backend's own part, the step, is in
`tensorflow_step.py` and `jax_step.py`.
"""

import contextlib
import functools
import hashlib
import importlib
import os
import pathlib
import time
import typing

import keras
import numpy as np
import tqdm

from tf_defocus import __version__, whole_files
from tf_defocus.configs import Recipe
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batch_processes import batches_in_processes
from tf_defocus.data.batches import batches_in_thread, scheduled_crop
from tf_defocus.losses import read_vgg19_weights
from tf_defocus.models import presets
from tf_defocus.models.precision import layers_in
from tf_defocus.optimizers import RectifiedAdam, create_schedule
from tf_defocus.training import meeting
from tf_defocus.training.checkpoints import (
    Run,
    averaged_weights,
    describe,
    keep_best,
    resume,
    save_checkpoint,
)
from tf_defocus.training.interruption import stop_requests
from tf_defocus.training.log import SilentLogger
from tf_defocus.training.objectives import RestorationObjective, loss_names
from tf_defocus.training.tasks import (
    check_start,
    create_network,
    create_trainee,
    without_missing_views,
)
from tf_defocus.training.validation import validate
from tf_defocus.training.workers import find_worker

if typing.TYPE_CHECKING:
    from tf_defocus.data.tfdata import Records

MAX_FAILED_STEPS = 5  # in a row; half precision overflows now and then
_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rectified_adam": RectifiedAdam,
}


def train(
    recipe: Recipe,
    folder: str | os.PathLike,
    train_arrays: "str | os.PathLike | Records",
    validation_arrays: str | os.PathLike | None = None,
    strategy: str = "none",
    max_minutes: float | None = None,
    stop_after: int | None = None,
    uneven: bool = False,
    data_workers: int = 0,
) -> Run:
    """Trains until the recipe's last step, or until the time is up.

    Args:
        recipe: `Recipe`.
        folder: of the run; a checkpoint found there is continued.
        train_arrays: folder of `StoredArrays`, or `data.tfdata.Records`.
        validation_arrays: folder of `StoredArrays`, or None.
        strategy: "none"; "mirrored", over the visible devices; "multi_worker", over
            those of all processes that `TF_CONFIG` names, each of which calls this.
        max_minutes: float, stops with a checkpoint then; None for no limit.
        stop_after: int, stops with a checkpoint after so many steps in all; None for
            the recipe's number. The learning rate stays that of the whole run.
        uneven: bool, let a batch that does not divide give some devices one example
            more; the weights are those of one device all the same.
        data_workers: int, processes that make the batches; 0 for one thread. The
            batches are the same.

    Returns:
        The `Run`, whose folder then holds `weights.npz` (averaged weights),
        `config.json`, so that `Restorer.from_preset` opens it, and, where it was
        validated, `weights_best.npz`, of the highest capped validation PSNR. After
        Ctrl-C or SIGTERM it stops with a checkpoint when its step is done, and
        `stopped_by` says so.

    Raises:
        ValueError: if the folder holds the checkpoint of another recipe or of other
            data or a damaged one, another process trains into it, or the data lack an
            image that the recipe needs.
        FloatingPointError: if loss or gradient are infinite or NaN in
            `MAX_FAILED_STEPS` steps in a row, or a running statistic is. In fewer such
            steps the gradient counts as zero.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    last = min(recipe.num_steps, stop_after or recipe.num_steps)
    deadline = time.monotonic() + 60 * max_minutes if max_minutes else float("inf")
    worker = find_worker(strategy)
    with contextlib.ExitStack() as stack:
        with meeting.errors_told(worker, folder):
            if worker.writes:
                stack.enter_context(whole_files.lock_folder(folder))
            arrays = train_arrays
            if isinstance(train_arrays, (str, os.PathLike)):
                arrays = StoredArrays(train_arrays)
            validation = StoredArrays(validation_arrays) if validation_arrays else None
            meeting.meet(worker)
        run, step_function, logger = _prepare(
            recipe, folder, arrays, strategy, worker, uneven
        )
        # After an error the last checkpoint stays: what is at hand may be half a step.
        with stop_requests() as request:
            goes_on = functools.partial(
                _goes_on, run, step_function, last, deadline, request
            )
            batches = _batches(run, arrays, step_function.rows, data_workers)
            with contextlib.closing(batches):
                _loop(run, step_function, batches, validation, logger, last, goes_on)
            step_function.synchronize()
            save_checkpoint(run)
            step_function.wait_for_all()  # the files are there
            meeting.leave_last(worker)
    run.stopped_by = request.signal if run.step < last else None
    return run


def check_files(recipe: Recipe, folder: str | os.PathLike) -> None:
    """Refuses a recipe whose files are not there, before any data are decoded.

    Args:
        recipe: `Recipe`.
        folder: of the run, beside which the run to start from lies.

    Raises:
        FileNotFoundError: if the weights to start from or VGG-19's are not there.
        ValueError: if VGG-19's are no such weights.
    """
    check_start(recipe, pathlib.Path(folder).parent)
    if "perceptual" not in loss_names(recipe):
        return
    if not os.path.isfile(recipe.vgg19_weights):
        raise FileNotFoundError(
            f"{recipe.name} trains with the perceptual loss: --vgg19_weights FILE, the "
            "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 of Keras Applications. "
            f"Received: {recipe.vgg19_weights!r}"
        )
    read_vgg19_weights(recipe.vgg19_weights)


def _batches(run, arrays, rows, data_workers):
    views = run.trainee.view_names
    if not isinstance(arrays, StoredArrays):
        return arrays.batches(run.recipe, views, rows, run.step)
    if data_workers:
        return batches_in_processes(
            arrays, run.recipe, views, rows, run.step, data_workers
        )
    return batches_in_thread(arrays, run.recipe, views, rows, run.step)


def _prepare(recipe, folder, arrays, strategy, worker, uneven):
    """The run as its last checkpoint left it, its step and its log."""
    keras.utils.set_random_seed(recipe.seed)
    step_module = f"tf_defocus.training.{keras.backend.backend()}_step"
    backend = importlib.import_module(step_module)
    recipe = without_missing_views(recipe, arrays.kinds)
    strategy = backend.create_strategy(strategy)
    with strategy.scope():
        run = _create_run(recipe, folder)
    run.writes = worker.writes
    arrays.require(run.trainee.view_names)
    resume(run, arrays)
    step_function = backend.make_train_step(
        run.trainee,
        RestorationObjective(recipe),
        run.optimizer,
        recipe,
        strategy,
        uneven,
    )
    _require_agreement(run, step_function)
    describe(run, strategy, arrays)
    step_function.wait_for_all()  # the first one has written
    _require_same_folder(run, step_function)
    make_logger = backend.make_logger if run.writes else SilentLogger
    return run, step_function, make_logger(folder, run.step)


def _require_agreement(run, step_function):
    """Refuses workers that would not train the same network, before they write."""
    step_function.require_agreement(
        {
            "recipe": run.recipe.fingerprint(),
            "data": run.data,
            "versions": (__version__, keras.version(), np.__version__),
            "steps in the folder of the run": run.step,
        }
    )


def _require_same_folder(run, step_function):
    """Refuses workers that do not see what the first one wrote."""
    config = run.folder / presets.RUN_CONFIG
    seen = config.read_bytes() if config.exists() else b""
    digest = hashlib.sha256(seen).hexdigest()[:8]
    step_function.require_agreement({"folder of the run": f"{config.name} {digest}"})


def _goes_on(run, step_function, last, deadline, request):
    wish = time.monotonic() >= deadline or request.signal is not None
    return run.step < last and not step_function.any_worker(wish)


def _create_run(recipe, folder):
    with layers_in(recipe.precision):
        model = create_network(recipe, folder.parent)
        trainee = create_trainee(model, recipe)
    # XLA is slower than TensorFlow's own kernels on CPUs.
    model.jit_compile = keras.backend.backend() == "jax"
    optimizer = create_optimizer(recipe)
    optimizer.build(trainee.trainable_variables)
    return Run(recipe, folder, model, trainee, optimizer)


def create_optimizer(recipe):
    """The recipe's optimizer, without clipping: the step clips after the reduction."""
    schedule = create_schedule(
        recipe.decay,
        recipe.learning_rate,
        recipe.num_steps,
        boundaries=recipe.decay_boundaries,
        factor=recipe.decay_factor,
        hold_steps=recipe.hold_steps,
        final_learning_rate=recipe.final_learning_rate,
        power=recipe.decay_power,
    )
    return _OPTIMIZERS[recipe.optimizer](
        name=recipe.optimizer,
        learning_rate=schedule,
        beta_1=recipe.beta_1,
        beta_2=recipe.beta_2,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay or None,
        use_ema=recipe.ema_decay > 0,
        ema_momentum=recipe.ema_decay or 0.99,
    )


def _loop(run, step_function, batches, validation, logger, last, goes_on):
    recipe, failed = run.recipe, 0
    bar = tqdm.tqdm(
        total=last,
        initial=run.step,
        desc=recipe.name,
        unit="step",
        disable=not run.writes,
    )
    with bar:
        while goes_on():
            batch_size = scheduled_crop(recipe, run.step)[1]
            scalars = step_function(next(batches), batch_size)
            run.step += 1
            bar.update()
            failed = _count_failed(run, step_function, scalars, failed)
            if run.step % recipe.log_every == 0:
                logger.scalars(run.step, scalars)
                bar.set_postfix({k: f"{v:.4f}" for k, v in scalars.items()})
            _milestones(run, step_function, validation, logger, last)


def _count_failed(run, step_function, scalars, before):
    """Failed steps in a row, with this one.

    Where loss or gradient are not finite, the gradient counted as zero, and training
    goes on, unless the step spoilt running statistics.
    """
    loss, norm = scalars["loss"], scalars["gradient_norm"]
    if np.isfinite(loss) and np.isfinite(norm):
        return 0
    step_function.synchronize()
    statistics = run.trainee.non_trainable_variables
    spoilt = not all(
        np.isfinite(keras.ops.convert_to_numpy(v)).all() for v in statistics
    )
    if before + 1 < MAX_FAILED_STEPS and not spoilt:
        tqdm.tqdm.write(f"step {run.step}: gradient left out, loss {loss}, norm {norm}")
        return before + 1
    raise FloatingPointError(
        f"At step {run.step} the loss is {loss}, the gradient's norm {norm} (not "
        f"finite in {before + 1} steps); lower learning_rate or set clip_norm, and "
        "start from a fresh folder"
    )


def _milestones(run, step_function, validation, logger, last):
    recipe = run.recipe
    if validation is not None and (
        run.step % recipe.validate_every == 0 or run.step == last
    ):
        step_function.synchronize()
        with averaged_weights(run):
            scalars, pictures = validate(run.model, validation, recipe.num_validation)
            keep_best(run, scalars["validation_psnr_capped"])
        logger.scalars(run.step, scalars)
        logger.images(run.step, pictures)
        tqdm.tqdm.write(
            f"step {run.step}: "
            + ", ".join(f"{key} {value:.3f}" for key, value in scalars.items())
        )
    # after the validation, so that a resumed run knows its result
    if run.step % recipe.checkpoint_every == 0 and run.step < last:
        step_function.synchronize()
        save_checkpoint(run)
