"""The one training loop: steps, log, validation, checkpoints that resume exactly.

A checkpoint is an `.npz` of every variable of model and optimizer by path, with the
step. Batches are a function of seed and step alone, so a run that was killed and
resumed gives the weights of one that was not, and a run begun on one backend continues
on the other. The backend's own part, the step, is in `training_tensorflow.py` and
`training_jax.py`.
"""

import concurrent.futures
import dataclasses
import datetime
import importlib
import json
import os
import pathlib
import platform
import time

import keras
import numpy as np
import tqdm

from tf_defocus import presets, weights
from tf_defocus.batches import StoredArrays, make_batch
from tf_defocus.objectives import RestorationObjective
from tf_defocus.optimizers import RectifiedAdam, create_schedule
from tf_defocus.training_tasks import (
    create_network,
    create_trainee,
    without_missing_views,
)

CHECKPOINT = "checkpoint.npz"
MAX_FAILED_STEPS = 5  # in a row; half precision overflows now and then
_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rectified_adam": RectifiedAdam,
}


@dataclasses.dataclass
class Run:
    """Everything a training run changes while it goes on.

    Attributes:
        recipe: `Recipe`.
        folder: pathlib.Path of the run.
        model: `keras.Model`, the network.
        trainee: `keras.Model`, the network, with the tasks that teach it if any.
        optimizer: `keras.optimizers.Optimizer`, built.
        step: int, steps taken.
        best_psnr: float [dB], the highest validation so far, whose averaged weights
            are `weights_best.npz`.
    """

    recipe: object
    folder: pathlib.Path
    model: keras.Model
    trainee: keras.Model
    optimizer: keras.optimizers.Optimizer
    step: int = 0
    best_psnr: float = float("-inf")


def train(
    recipe,
    folder,
    train_arrays,
    validation_arrays=None,
    strategy="none",
    max_minutes=None,
    stop_after=None,
):
    """Trains until the recipe's last step, or until the time is up.

    Args:
        recipe: `Recipe`.
        folder: of the run; a checkpoint found there is continued.
        train_arrays, validation_arrays: folders of `StoredArrays`.
        strategy: "none", or "mirrored" over the visible devices.
        max_minutes: float, stops with a checkpoint then; None for no limit.
        stop_after: int, stops with a checkpoint after so many steps in all; None for
            the recipe's number. The learning rate stays that of the whole run.

    Returns:
        The `Run`, whose folder then holds `weights.npz` (averaged weights),
        `config.json`, so that `Restorer.from_preset` opens it, and, where it was
        validated, `weights_best.npz`, of the highest validation PSNR.

    Raises:
        ValueError: if the folder holds another recipe's checkpoint, or the data lack
            an image that the recipe needs.
        FloatingPointError: if loss or gradient are infinite or NaN in
            `MAX_FAILED_STEPS` steps in a row, or a running statistic is. In fewer such
            steps the gradient counts as zero.
    """
    keras.utils.set_random_seed(recipe.seed)
    backend = importlib.import_module(f"tf_defocus.training_{keras.backend.backend()}")
    arrays = StoredArrays(train_arrays)
    recipe = without_missing_views(recipe, arrays.kinds)
    validation = StoredArrays(validation_arrays) if validation_arrays else None
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    strategy = backend.create_strategy(strategy)
    with strategy.scope():
        run = _create_run(recipe, folder)
    arrays.require(run.trainee.view_names)
    _resume(run)
    _describe(run, strategy, arrays)
    step_function = backend.make_train_step(
        run.trainee, RestorationObjective(recipe), run.optimizer, recipe, strategy
    )
    logger = backend.make_logger(folder)
    last = min(recipe.num_steps, stop_after or recipe.num_steps)
    deadline = time.monotonic() + 60 * max_minutes if max_minutes else float("inf")
    diverged = False
    try:
        _loop(run, step_function, arrays, validation, logger, last, deadline)
    except FloatingPointError:
        diverged = True  # the checkpoint from before it did stays
        raise
    finally:
        if not diverged:
            step_function.synchronize()
            save_checkpoint(run)
    return run


def _create_run(recipe, folder):
    with _dtype_policy(recipe.precision):
        model = create_network(recipe)
        trainee = create_trainee(model, recipe)
    # XLA is slower than TensorFlow's own kernels on CPUs.
    model.jit_compile = keras.backend.backend() == "jax"
    optimizer = create_optimizer(recipe)
    optimizer.build(trainee.trainable_variables)
    return Run(recipe, folder, model, trainee, optimizer)


class _dtype_policy:
    """Layers made inside compute in the named precision."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.previous = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.name)

    def __exit__(self, *error):
        keras.config.set_dtype_policy(self.previous)


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


def _loop(run, step_function, arrays, validation, logger, last, deadline):
    recipe, failed = run.recipe, 0
    bar = tqdm.tqdm(total=last, initial=run.step, desc=recipe.name, unit="step")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def prepare(step):
            return pool.submit(make_batch, arrays, recipe, step, run.trainee.view_names)

        upcoming = prepare(run.step)
        while run.step < last and time.monotonic() < deadline:
            batch = upcoming.result()
            upcoming = prepare(run.step + 1)
            scalars = step_function(batch)
            run.step += 1
            bar.update()
            failed = _count_failed(run, step_function, scalars, failed)
            if run.step % recipe.log_every == 0:
                logger.scalars(run.step, scalars)
                bar.set_postfix({k: f"{v:.4f}" for k, v in scalars.items()})
            _milestones(run, step_function, validation, logger, last)
    bar.close()


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
            _keep_best(run, scalars["validation_psnr"])
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


def _keep_best(run, psnr):
    """Writes the model's present weights if they validate higher than all before."""
    if psnr > run.best_psnr:
        run.best_psnr = psnr
        weights.save_weights(run.model, run.folder / presets.RUN_BEST_WEIGHTS)


def validate(model, arrays, count):
    """Mean PSNR of input and output over stored examples.

    Args:
        model: `keras.Model`.
        arrays: `StoredArrays`.
        count: int, the first so many examples.

    Returns:
        (dict of `validation_psnr`, `validation_gain` and, where the circle of confusion
        is known, `validation_gain_blurred` over examples whose mean exceeds 1 px, all
        in dB; pictures (examples, height, 3 * width, 3): blurred, deblurred, sharp).
        The input is the first view where no blurred photograph is stored.
    """
    rows, pictures = [], []
    given = "blurred" if "blurred" in arrays.kinds else model.view_names[0]
    for index in range(min(count, len(arrays))):
        images = arrays.read(index, (*model.view_names, given, "sharp"))
        views = {k: images[k][None] for k in model.view_names}
        deblurred = np.clip(model.predict_on_batch(views)["deblurred"][0], 0, 1)
        sharp = images["sharp"]
        rows.append((_psnr(images[given], sharp), _psnr(deblurred, sharp)))
        if index < 3:
            strip = [images[given], deblurred, sharp]
            pictures.append(np.concatenate(strip, axis=1))
    before, after = np.array(rows).T
    scalars = {
        "validation_psnr": float(after.mean()),
        "validation_gain": float((after - before).mean()),
    }
    if arrays.mean_coc is not None:
        blurred = arrays.mean_coc[: len(rows)] > 1
        scalars["validation_gain_blurred"] = float((after - before)[blurred].mean())
    return scalars, np.stack(pictures)


def _psnr(image, sharp):
    return -10 * np.log10(max(float(np.mean((image - sharp) ** 2)), 1e-12))


class averaged_weights:
    """Inside, the model holds the averaged weights (its own if none are kept)."""

    def __init__(self, run):
        self.run = run

    def __enter__(self):
        variables = self.run.trainee.trainable_variables
        self.own = [keras.ops.convert_to_numpy(v) for v in variables]
        self.run.optimizer.finalize_variable_values(variables)

    def __exit__(self, *error):
        for variable, value in zip(self.run.trainee.trainable_variables, self.own):
            variable.assign(value)


def save_checkpoint(run):
    """Writes the state to resume from, and the averaged weights to use."""
    state = {f"model/{v.path}": v for v in run.trainee.variables}
    state |= {f"optimizer/{v.path}": v for v in run.optimizer.variables}
    state = {k: keras.ops.convert_to_numpy(v) for k, v in state.items()}
    state["step"] = np.int64(run.step)
    state["best_psnr"] = np.float64(run.best_psnr)
    state["recipe"] = np.str_(run.recipe.fingerprint())
    _write(run.folder / CHECKPOINT, lambda file: np.savez(file, **state))
    with averaged_weights(run):
        weights.save_weights(run.model, run.folder / presets.RUN_WEIGHTS)


def _resume(run):
    path = run.folder / CHECKPOINT
    if not path.exists():
        return
    with np.load(path, allow_pickle=False) as state:
        if str(state["recipe"]) != run.recipe.fingerprint():
            raise ValueError(
                f"{path} belongs to another recipe or seed. Give the one in "
                f"{run.folder / 'config.json'}, or another --output"
            )
        for variable in run.trainee.variables:
            variable.assign(state[f"model/{variable.path}"])
        for variable in run.optimizer.variables:
            variable.assign(state[f"optimizer/{variable.path}"])
        run.step = int(state["step"])
        run.best_psnr = float(state.get("best_psnr", run.best_psnr))


def _describe(run, strategy, arrays):
    """`config.json`: what makes the run, beside its checkpoints."""
    description = {
        "model": run.recipe.model,
        "overrides": run.recipe.overrides,
        "recipe": run.recipe.to_dict(),
        "data": arrays.source,
        "backend": keras.backend.backend(),
        "devices": strategy.num_replicas_in_sync,
        "versions": {
            "python": platform.python_version(),
            "keras": keras.version(),
            "numpy": np.__version__,
        },
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(),
    }
    text = json.dumps(description, indent=2)
    _write(run.folder / presets.RUN_CONFIG, lambda file: file.write(text.encode()))


def _write(path, write):
    """Writes beside the file and renames: a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        write(file)
    os.replace(partial, path)
