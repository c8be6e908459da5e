"""Measures a model, the input pipeline, or the restoration of a large photograph.

    python tools/benchmark/network.py model --name kpac_3level --baseline dpdnet_single
    python tools/benchmark/network.py model --name ifan --size 1680x1120 --precision \\
        mixed_bfloat16 --baseline ifan --baseline_precision float32
    python tools/benchmark/network.py input --recipe kpac_3level_synthetic \\
        --arrays FOLDER
    python tools/benchmark/network.py restore --name kpac_3level --size 6000x4000

Times are medians over `--repeats` after one call that is not counted. Two models are
timed in turns, so that a busy machine slows both. Peak memory is the high water of the
process' resident set; the highest of anything before it counts where the system cannot
reset it. Weights are fresh: they do not alter the time.
"""

import concurrent.futures
import functools
import importlib
import json
import statistics
import time

from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import cost

MODES = ("model", "input", "restore")
_NAME = flags.DEFINE_string("name", "kpac_3level", "Model of `tf_defocus.list_models`.")
_BASELINE = flags.DEFINE_string("baseline", None, "model: second model, for the ratio.")
_OVERRIDE = flags.DEFINE_multi_string(
    "override", [], "Constructor argument of the models: --override base_filters=16."
)
_PRECISIONS = ["float32", "mixed_bfloat16"]
_PRECISION = flags.DEFINE_enum("precision", "float32", _PRECISIONS, "Of the model.")
_BASELINE_PRECISION = flags.DEFINE_enum(
    "baseline_precision", None, _PRECISIONS, "Of the baseline [that of the model]."
)
_SIZE = flags.DEFINE_string("size", "1680x1120", "WIDTHxHEIGHT [px].")
_REPEATS = flags.DEFINE_integer("repeats", 5, "Calls counted.", lower_bound=1)
_CROP_SIZE = flags.DEFINE_integer("crop_size", 128, "Of a training step [px].")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Of a training step.")
_RECIPE = flags.DEFINE_string("recipe", None, "input: a recipe instead of --name.")
_ARRAYS = flags.DEFINE_string("arrays", None, "input: folder of stored arrays.")
_JSON = flags.DEFINE_string("json", None, "File for the results.")


def measure_model():
    """Latency and memory of the network, and of a training step.

    Returns:
        dict: `seconds`, `memory_mib` above the process with the model in it,
        `train_seconds`, `train_memory_mib`; with a baseline also its `seconds`, and
        `ratio`, the model's seconds over the baseline's.
    """
    from tf_defocus.training.tasks import create_trainee

    model = _create_model(_NAME.value, _PRECISION.value)
    forward = _forward(model)
    memory = cost.PeakMemory()
    forward()
    results = {"parameters": model.count_params()}
    # What is measured later shares the memory that TensorFlow keeps.
    results["memory_mib"] = memory.read()
    calls = {"": forward}
    if _BASELINE.value:
        precision = _BASELINE_PRECISION.value or _PRECISION.value
        calls["baseline_"] = _forward(_create_model(_BASELINE.value, precision))
        calls["baseline_"]()
    seconds = cost.median_seconds(calls.values(), _REPEATS.value)
    results |= {f"{who}seconds": value for who, value in zip(calls, seconds)}
    if _BASELINE.value:
        results["ratio"] = seconds[0] / seconds[1]
    step, batch = _train_step(create_trainee(model, _recipe()), _recipe())
    memory = cost.PeakMemory()
    step(batch)
    results["train_memory_mib"] = memory.read()
    results["train_seconds"] = cost.median_seconds(
        [functools.partial(step, batch)], _REPEATS.value
    )[0]
    return results


def measure_input():
    """Speed of `make_batch`, and how long training steps wait for it.

    Returns:
        dict: `samples_per_second` of one thread, `step_seconds` with the next batch
        made meanwhile, `waiting_share` of those that was spent waiting.

    Raises:
        ValueError: if --arrays is missing.
    """
    from tf_defocus.data.arrays import StoredArrays
    from tf_defocus.data.batches import make_batch
    from tf_defocus.training.tasks import create_trainee

    if not _ARRAYS.value:
        raise ValueError("input needs --arrays, the folder of stored arrays")
    recipe, arrays = _recipe(), StoredArrays(_ARRAYS.value)
    model = _create_model(recipe.model, recipe.precision, recipe.overrides)
    trainee = create_trainee(model, recipe)
    make = functools.partial(make_batch, arrays, recipe, kinds=trainee.view_names)
    batch = make(step=0)
    seconds = [
        cost.time_call(functools.partial(make, step=i)) for i in range(_REPEATS.value)
    ]
    step, _ = _train_step(trainee, recipe, batch)
    step(batch)
    waits, totals = [], []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make, step=1)
        for index in range(_REPEATS.value):
            start = time.perf_counter()
            batch = upcoming.result()
            waits.append(time.perf_counter() - start)
            upcoming = pool.submit(make, step=index + 2)
            step(batch)
            totals.append(time.perf_counter() - start)
    return {
        "samples_per_second": recipe.batch_size / statistics.median(seconds),
        "step_seconds": statistics.median(totals),
        "waiting_share": sum(waits) / sum(totals),
    }


def measure_restore():
    """One photograph through the `Restorer`.

    Returns:
        dict: `seconds`, `process_peak_mib` of the whole process and `memory_mib` above
        the process with model and photograph in it.
    """
    import tqdm

    from tf_defocus.restoration.restorer import Restorer

    restorer = Restorer(_create_model(_NAME.value, _PRECISION.value))
    photograph = cost.photograph(*cost.parse_size(_SIZE.value))
    views = dict.fromkeys(restorer.view_names, photograph)
    memory = cost.PeakMemory()
    with tqdm.tqdm(desc="restore", unit="step") as bar:

        def show(done, total):
            bar.total = total
            bar.update(done - bar.n)

        start = time.perf_counter()
        restorer.restore(**views, on_progress=show)
        seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "process_peak_mib": cost.process_memory("VmHWM"),
        "memory_mib": memory.read(),
    }


def _create_model(name, precision, overrides=None):
    import keras

    from tf_defocus.models import create_model
    from tf_defocus.models.precision import layers_in

    with layers_in(precision):
        model = create_model(name, **{**(overrides or {}), **_overrides()})
    # XLA is slower than TensorFlow's own kernels on CPUs.
    model.jit_compile = keras.backend.backend() == "jax"
    return model


def _overrides():
    pairs = [text.partition("=") for text in _OVERRIDE.value]
    try:
        return {name: json.loads(value) for name, _, value in pairs}
    except json.JSONDecodeError as error:
        raise ValueError(
            "--override takes name=value, the value as in JSON. "
            f"Received: {_OVERRIDE.value}"
        ) from error


def _recipe():
    from tf_defocus import configs

    if _RECIPE.value:
        return configs.get_recipe(_RECIPE.value)
    return configs.Recipe(
        name="benchmark",
        model=_NAME.value,
        crop_size=_CROP_SIZE.value,
        batch_size=_BATCH_SIZE.value,
        precision=_PRECISION.value,
    )


def _train_step(trainee, recipe, batch=None):
    """The backend's step, and a batch of noise for it where none is given."""
    import keras
    import numpy as np

    from tf_defocus.data import augmentations
    from tf_defocus.training import loop
    from tf_defocus.training.objectives import RestorationObjective

    step_module = f"tf_defocus.training.{keras.backend.backend()}_step"
    backend = importlib.import_module(step_module)
    optimizer = loop.create_optimizer(recipe)
    optimizer.build(trainee.trainable_variables)
    step = backend.make_train_step(
        trainee,
        RestorationObjective(recipe),
        optimizer,
        recipe,
        backend.create_strategy("none"),
    )
    shape = (recipe.batch_size, *augmentations.crop_shape(recipe.crop_size), 3)
    rng = np.random.default_rng(0)
    kinds = (*trainee.view_names, "sharp")
    return step, batch or {k: rng.random(shape, np.float32) for k in kinds}


def _forward(model):
    """A call of the compiled network on one photograph of --size."""
    return cost.forward_call(model, *cost.parse_size(_SIZE.value))


def run(mode):
    """Measures, prints and, where wanted, writes one mode's report."""
    measure = {
        "model": measure_model,
        "input": measure_input,
        "restore": measure_restore,
    }[mode]
    settings = {flag.name: flag.value for flag in (_NAME, _SIZE, _PRECISION, _REPEATS)}
    settings |= {"baseline": _BASELINE.value, "overrides": _overrides()}
    settings |= {"recipe": _RECIPE.value, "weights": "fresh"}
    machine = cost.describe_machine()
    report = {"mode": mode, "results": measure(), **settings, "machine": machine}
    for part in (machine, report["results"]):
        for key, value in part.items():
            print(
                f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}"
            )
    if _JSON.value:
        cost.write_json(_JSON.value, report)


def main(arguments):
    """Measures one of the modes."""
    if len(arguments) != 2 or arguments[1] not in MODES:
        raise ValueError(f"give one of {', '.join(MODES)}; --help tells the flags")
    run(arguments[1])


if __name__ == "__main__":
    commands.run(main)
