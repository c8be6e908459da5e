"""A run that is scored when it is trained, and whose scores are read the next time."""

import json
import time

from tf_defocus import whole_files
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.training.checkpoints import averaged_weights
from tf_defocus.training.loop import train
from tf_defocus.training.validation import validate


def scores_of_run(
    recipe, folder, train_arrays, validation_arrays, deadline, further_scores
):
    """Trains a recipe and scores it, or reads what it scored.

    Args:
        recipe: `Recipe`.
        folder: pathlib.Path of the run.
        train_arrays, validation_arrays: folders of `StoredArrays`.
        deadline: float [s of `time.monotonic`], when to stop with a checkpoint.
        further_scores: function of model and validation arrays to dict, what is added
            to the scores of `validate`.

    Returns:
        dict of scores, or None if the deadline came first.

    Raises:
        ValueError: if the folder holds the scores of another recipe.
    """
    finished = folder / "scores.json"
    if finished.exists():
        stored = json.loads(finished.read_text())
        if stored.pop("recipe") == recipe.fingerprint():
            return stored
        raise ValueError(
            f"{finished} comes from another budget; give another --output, or the "
            f"options of {folder / 'config.json'}"
        )
    minutes = (deadline - time.monotonic()) / 60
    if minutes <= 0:
        return None
    run = train(recipe, folder, train_arrays, max_minutes=min(minutes, 1e6))
    if run.step < recipe.num_steps:
        return None
    with averaged_weights(run):
        validation = StoredArrays(validation_arrays)
        scores, _ = validate(run.model, validation, len(validation))
        scores.update(further_scores(run.model, validation))
    text = json.dumps({"recipe": recipe.fingerprint(), **scores}, indent=1)
    whole_files.write_text(finished, text)
    return scores
