"""Trains a recipe: `python tools/train.py --recipe NAME --output FOLDER`.

Data are prepared and decoded on the first run. A run that was stopped, or killed,
continues from its folder's checkpoint when the same command is given again.
"""

import pathlib

from absl import app, flags

from tf_defocus import configs

_RECIPE = flags.DEFINE_enum("recipe", None, configs.list_recipes(), "What to train.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the run [runs/RECIPE].")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps prepared data.")
_MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Files that you fetched.")
_ARRAYS = flags.DEFINE_string(
    "arrays", None, "Folder of decoded arrays [DATA_DIR or runs, /arrays/DATASET]."
)
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


def main(_):
    from tf_defocus import input_pipeline, training

    recipe = changed(configs.get_recipe(_RECIPE.value), _SET.value)
    base = pathlib.Path(_ARRAYS.value or pathlib.Path(_DATA_DIR.value or "runs"))
    base = base if _ARRAYS.value else base / "arrays" / recipe.dataset
    folders = [
        input_pipeline.store_arrays(
            recipe.dataset, split, base / split, _DATA_DIR.value, _MANUAL_DIR.value
        )
        for split in ("train", "validation")
    ]
    training.train(
        recipe,
        _OUTPUT.value or pathlib.Path("runs") / recipe.name,
        *folders,
        strategy=_STRATEGY.value,
        max_minutes=_MAX_MINUTES.value,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("recipe")
    app.run(main)
