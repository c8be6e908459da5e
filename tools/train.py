"""Trains a recipe: `python tools/train.py --recipe NAME --output FOLDER`.

Data are prepared and decoded on the first run. A run that was stopped, or killed,
continues from its folder's checkpoint when the same command is given again. Another
dataset than the recipe's is a field to set, and one without a validation split lends a
part of what it has:

    python tools/train.py --recipe kpac_3level_stage_a --set dataset=lfdof \\
        --train_split "train[:95%]" --validation_split "train[95%:]"

Recipes with a perceptual loss, KPAC's and DRBNet's second stages, need VGG-19's
weights, of Keras Applications:
`--vgg19_weights vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5`. What a recipe needs
is looked for before the data are decoded.
"""

import dataclasses
import json
import pathlib

from absl import flags

from tf_defocus import commands, configs
from tf_defocus.training import meeting, workers

# No enum: what only one worker knows, it must be able to tell the others.
_RECIPE = flags.DEFINE_string(
    "recipe", None, f"What to train: {', '.join(configs.list_recipes())}."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the run [runs/RECIPE].")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps prepared data.")
_MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Files that you fetched.")
_ARRAYS = flags.DEFINE_string(
    "arrays", None, "Folder of decoded arrays [DATA_DIR or runs, /arrays/DATASET]."
)
_TRAIN_SPLIT = flags.DEFINE_string("train_split", "train", "Split of the dataset.")
_VALIDATION_SPLIT = flags.DEFINE_string("validation_split", "validation", "Likewise.")
_STRATEGY = flags.DEFINE_enum(
    "strategy", "none", ["none", "mirrored", "multi_worker"], "Devices to train on."
)
_WORKER_HOSTS = flags.DEFINE_list(
    "worker_hosts", None, "host:port of each worker process, the same list for all."
)
_TASK_INDEX = flags.DEFINE_integer("task_index", 0, "Place of this worker in it.")
_UNEVEN = flags.DEFINE_bool(
    "uneven", False, "Let a batch that does not divide give some devices one more."
)
_DATA_WORKERS = flags.DEFINE_integer(
    "data_workers", 0, "Processes that make the batches; 0: one thread.", 0
)
_PIPELINE = flags.DEFINE_enum(
    "pipeline",
    "arrays",
    ["arrays", "tfdata"],
    "Batches from arrays that are decoded once, or by tf.data from TFRecords.",
)
_DETERMINISTIC = flags.DEFINE_bool(
    "deterministic", True, "tfdata: the order of records is that of the seed."
)
_MAX_MINUTES = flags.DEFINE_float("max_minutes", None, "Stop with a checkpoint then.")
_VGG19_WEIGHTS = flags.DEFINE_string(
    "vgg19_weights", None, "VGG-19's weights, for recipes with a perceptual loss."
)
_SET = flags.DEFINE_multi_string(
    "set", [], "Change one field: --set num_steps=2000 --set crop_size=[96,128]."
)


def changed(recipe, assignments):
    """The recipe with fields set from `name=value` texts, in the field's own type.

    Args:
        recipe: `Recipe`.
        assignments: list of str. Text fields take the value as it is, switches true or
            false, all others JSON: `crop_size=[96,128]`, `losses=[["mae",1]]`,
            `overrides={"num_blocks":3}`, `noise_range=[0,0.02]`.

    Raises:
        ValueError: if a text names no field, or its value is not of the field's type.
    """
    fields = {field.name: field for field in dataclasses.fields(recipe)}
    changes = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if name not in fields or not equals:
            raise ValueError(
                f"--set takes name=value, with a name of {sorted(fields)}. "
                f"Received: {text!r}"
            )
        changes[name] = _parse(name, value, getattr(recipe, name))
    return recipe.replace(**changes)


def _parse(name, text, current):
    """The value of a text, of the type that the field holds now."""
    kind = type(current)
    if kind is str:
        return text
    try:
        value = _as_tuples(json.loads(text.lower() if kind is bool else text))
    except ValueError:
        value = None
    if kind is float and type(value) is int:
        value = float(value)
    # a crop is a number or two
    if type(value) is not kind and not (name == "crop_size" and type(value) is tuple):
        raise ValueError(
            f"--set {name} expects a {kind.__name__} such as {json.dumps(current)}. "
            f"Received: {text!r}"
        )
    return value


def _as_tuples(value):
    """Lists as tuples, at every depth, as recipes hold them."""
    if isinstance(value, list):
        return tuple(_as_tuples(item) for item in value)
    return value


def stored_splits(dataset, splits, base, data_dir=None, manual_dir=None):
    """Folders of decoded arrays, made where they are missing.

    Args:
        dataset: str, name or name/config of a folder of `datasets/`.
        splits: names of splits, or of parts of them.
        base: folder of the dataset's arrays, one folder per split in it.
        data_dir, manual_dir: as for `builders.load_examples`.

    Raises:
        ValueError: if the dataset has no such split, no sharp images, or images of
            several sizes.
    """
    from tf_defocus.data import arrays

    base = pathlib.Path(base)
    return [
        arrays.store_arrays(dataset, split, base / split, data_dir, manual_dir)
        for split in splits
    ]


def training_data(recipe):
    """What is trained on and what is validated on, as the flags say."""
    from tf_defocus.data import builders

    name = recipe.dataset
    if builders.is_prepared_folder(name):
        name = "_".join(pathlib.PurePath(name).parts[-2:])
    base = pathlib.Path(_ARRAYS.value or pathlib.Path(_DATA_DIR.value or "runs"))
    base = base if _ARRAYS.value else base / "arrays" / name
    folders = _DATA_DIR.value, _MANUAL_DIR.value
    splits = _TRAIN_SPLIT.value, _VALIDATION_SPLIT.value
    if _PIPELINE.value == "arrays":
        return stored_splits(recipe.dataset, splits, base, *folders)
    from tf_defocus.data.tfdata import Records

    builder = builders.prepare(recipe.dataset, splits[0], *folders)
    records = Records(builder, splits[0], _DETERMINISTIC.value)
    return records, *stored_splits(recipe.dataset, splits[1:], base, *folders)


def train():
    """Prepares, decodes and trains; returns the run."""
    recipe = changed(configs.get_recipe(_RECIPE.value), _SET.value)
    from tf_defocus.training import loop

    if _VGG19_WEIGHTS.value:
        recipe = recipe.replace(vgg19_weights=_VGG19_WEIGHTS.value)
    output = pathlib.Path(_OUTPUT.value or pathlib.Path("runs") / recipe.name)
    loop.check_files(recipe, output)
    return loop.train(
        recipe,
        output,
        *training_data(recipe),
        strategy=_STRATEGY.value,
        max_minutes=_MAX_MINUTES.value,
        uneven=_UNEVEN.value,
        data_workers=_DATA_WORKERS.value,
    )


def main(_):
    """Trains as the flags say, alone or as one of several workers."""
    if _WORKER_HOSTS.value:
        workers.set_worker(_WORKER_HOSTS.value, _TASK_INDEX.value)
    output = _OUTPUT.value or pathlib.Path("runs") / _RECIPE.value
    with meeting.errors_told(workers.find_worker(_STRATEGY.value), output):
        run = train()
    commands.leave_if_stopped(run)


if __name__ == "__main__":
    flags.mark_flag_as_required("recipe")
    commands.run(main)
