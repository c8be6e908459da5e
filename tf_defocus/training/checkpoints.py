"""A run, and the checkpoints from which it is resumed exactly.

A checkpoint is an `.npz` of every variable of model and optimizer by path, with the
step: a run begun on one backend continues on the other.
"""

import contextlib
import dataclasses
import datetime
import json
import pathlib
import platform
import signal

import keras
import numpy as np

from tf_defocus import whole_files
from tf_defocus.array_files import npz
from tf_defocus.models import presets, weights

CHECKPOINT = "checkpoint.npz"


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
        best_psnr: float [dB], the highest `validation_psnr_capped`, whose averaged
            weights are `weights_best.npz`.
        data: str, `StoredArrays.fingerprint` of what it learns from.
        stopped_by: signal.Signals that ended it before its last step, or None.
        writes: bool, whether this process writes the run's files; of several workers
            only the first does.
    """

    recipe: object
    folder: pathlib.Path
    model: keras.Model
    trainee: keras.Model
    optimizer: keras.optimizers.Optimizer
    step: int = 0
    best_psnr: float = float("-inf")
    data: str = ""
    stopped_by: signal.Signals | None = None
    writes: bool = True


@contextlib.contextmanager
def averaged_weights(run):
    """Inside, the model holds the averaged weights (its own if none are kept)."""
    variables = run.trainee.trainable_variables
    own = [keras.ops.convert_to_numpy(variable) for variable in variables]
    run.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, own):
            variable.assign(value)


def save_checkpoint(run):
    """Writes the state to resume from, and the averaged weights to use."""
    state = {f"model/{v.path}": v for v in run.trainee.variables}
    state |= {f"optimizer/{v.path}": v for v in run.optimizer.variables}
    state = {k: keras.ops.convert_to_numpy(v) for k, v in state.items()}
    state["step"] = np.int64(run.step)
    state["best_psnr"] = np.float64(run.best_psnr)
    state["recipe"] = np.str_(run.recipe.fingerprint())
    state["data"] = np.str_(run.data)
    with averaged_weights(run):  # on every worker: they are assigned together
        if run.writes:
            _write_state(run, state)


def _write_state(run, state):
    with whole_files.open_whole(run.folder / CHECKPOINT) as file:
        np.savez(file, **state)
    weights.save_weights(run.model, run.folder / presets.RUN_WEIGHTS)


def keep_best(run, psnr):
    """Writes the model's present weights if they validate higher than all before."""
    if psnr > run.best_psnr:
        run.best_psnr = psnr
        if run.writes:
            weights.save_weights(run.model, run.folder / presets.RUN_BEST_WEIGHTS)


def resume(run, arrays):
    """Continues from the checkpoint of the run's folder, if there is one.

    Args:
        run: `Run`.
        arrays: `StoredArrays` to learn from.

    Raises:
        ValueError: if it is damaged, or of another recipe or other data.
    """
    run.data = arrays.fingerprint()
    path = run.folder / CHECKPOINT
    if not path.exists():
        return
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        recipe, step = str(state["recipe"]), int(state["step"])
    except npz.BROKEN_FILE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path} is damaged ({reason}); remove it to begin the run anew, or give "
            "another --output"
        ) from error
    if recipe != run.recipe.fingerprint():
        raise ValueError(
            f"{path} belongs to another recipe or seed. Give the one in "
            f"{run.folder / 'config.json'}, or another --output"
        )
    if str(state.get("data", run.data)) != run.data:
        raise ValueError(
            f"{path} was trained on other data than {arrays.folder} holds now. Give "
            "those, or another --output"
        )
    for variable in run.trainee.variables:
        variable.assign(state[f"model/{variable.path}"])
    for variable in run.optimizer.variables:
        variable.assign(state[f"optimizer/{variable.path}"])
    run.step = step
    run.best_psnr = float(state.get("best_psnr", run.best_psnr))


def describe(run, strategy, arrays):
    """`config.json`: what makes the run, beside its checkpoints."""
    if not run.writes:
        return
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
    whole_files.write_text(run.folder / presets.RUN_CONFIG, text)
