"""Trains a recipe: `python tools/train.py --recipe NAME --output FOLDER`.

Data are prepared and decoded on the first run. A run that was stopped, or killed,
continues from its folder's checkpoint when the same command is given again. Another
dataset than the recipe's is a field to set, and one without a validation split lends a
part of what it has:

    python tools/train.py --recipe kpac_3level_stage_a --set dataset=lfdof \\
        --train_split "train[:95%]" --validation_split "train[95%:]"
"""

import pathlib

from absl import flags

from tf_defocus import commands, configs

_RECIPE = flags.DEFINE_enum("recipe", None, configs.list_recipes(), "What to train.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the run [runs/RECIPE].")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps prepared data.")
_MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Files that you fetched.")
_ARRAYS = flags.DEFINE_string(
    "arrays", None, "Folder of decoded arrays [DATA_DIR or runs, /arrays/DATASET]."
)
_TRAIN_SPLIT = flags.DEFINE_string("train_split", "train", "Split of the dataset.")
_VALIDATION_SPLIT = flags.DEFINE_string("validation_split", "validation", "Likewise.")
_STRATEGY = flags.DEFINE_enum("strategy", "none", ["none", "mirrored"], "Devices.")
_MAX_MINUTES = flags.DEFINE_float("max_minutes", None, "Stop with a checkpoint then.")
_SET = flags.DEFINE_multi_string(
    "set", [], "Change one field of the recipe: --set num_steps=2000 --set seed=1."
)


def changed(recipe, assignments):
    """The recipe with fields set from `name=value` texts, in the field's own type.

    Raises:
        ValueError: if a text names no field or no number.
    """
    changes = {}
    for text in assignments:
        name, _, value = text.partition("=")
        current = getattr(recipe, name, None)
        if not isinstance(current, (bool, int, float, str)):
            raise ValueError(f"--set takes name=value of a recipe. Received: {text!r}")
        if isinstance(current, bool):
            changes[name] = value.lower() in ("1", "true", "yes")
        else:
            changes[name] = type(current)(value)
    return recipe.replace(**changes)


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


def main(_):
    """Prepares, decodes and trains, as the flags say."""
    from tf_defocus.training import loop

    recipe = changed(configs.get_recipe(_RECIPE.value), _SET.value)
    base = pathlib.Path(_ARRAYS.value or pathlib.Path(_DATA_DIR.value or "runs"))
    base = base if _ARRAYS.value else base / "arrays" / recipe.dataset
    splits = _TRAIN_SPLIT.value, _VALIDATION_SPLIT.value
    loop.train(
        recipe,
        _OUTPUT.value or pathlib.Path("runs") / recipe.name,
        *stored_splits(
            recipe.dataset, splits, base, _DATA_DIR.value, _MANUAL_DIR.value
        ),
        strategy=_STRATEGY.value,
        max_minutes=_MAX_MINUTES.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("recipe")
    commands.run(main)
