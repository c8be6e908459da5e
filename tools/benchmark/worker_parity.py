"""Compares one process with several workers: the weights after five steps.

    python tools/benchmark/worker_parity.py
    python tools/benchmark/worker_parity.py --recipes ifan_n17,srn_paper --workers 3
    python tools/benchmark/worker_parity.py --recipes gkmnet_paper --reversed

Each network trains by its paper's recipe, losses, tasks, augmentation and dropout
included, but with few channels, small crops and a small batch. Prints of each by how
much the weights and running statistics differ, as a share of their norm, and the tensor
that differs most, as a share of its own largest value; exits with 1 if one norm differs
by more than `--tolerance`.

Adam's epsilon is 1e-3: where a gradient is zero but for rounding, a smaller one makes
a whole step of its sign. What rounding alone does is seen by `--reversed`: in place of
the workers, one process sums the examples of every batch in the other order.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import flags

from tf_defocus import commands, configs
from tf_defocus.markdown_table import markdown_table
from tf_defocus.training.workers import local_environments

_K3DN = {
    "base_filters": 4,
    "encoder_residual_units": 1,
    "num_psf_blocks": 1,
    "window_size": (4, 4),
    "pool_size": (2, 2),
    "pad_scale": (32, 32),
}
# recipe -> arguments that make its network small
SMALL = {
    "kpac_2level_stage_a": {"base_filters": 4, "num_blocks": 1},
    "kpac_3level_dual_stage_a": {"base_filters": 4, "num_blocks": 1},
    "ifan_n17": {"base_filters": 4, "num_iterations": 2},
    "gkmnet_paper": {"num_gaussians": 2, "max_kernel_size": 5},
    "k3dn_tiny_stage1": _K3DN,
    "k3dn_tiny_stage2": _K3DN,
    "dpdnet_single_paper": {"base_filters": 4},
    "drbnet_lfdof": {"base_filters": 2},
    "bambnet_paper": {"base_filters": 4, "reduction": 2},
    "deeprft_paper": {"base_filters": 4, "num_residual_units": 1},
    "iniknet_paper": {
        "base_filters": 4,
        "num_bases": 2,
        "max_kernel_size": 5,
        "num_residual_units": 1,
    },
    "lakdnet_small": {"base_filters": 4, "num_blocks": (1, 1, 1, 1)},
    "mdp_paper": {"base_filters": 4},
    "nrknet_paper": {"base_filters": 4, "num_kernels": 3},
    "rdpd_paper": {"base_filters": 4},
    "restormer_paper": {
        "base_filters": 4,
        "num_blocks": (1, 1, 1, 1),
        "num_heads": (1, 2, 2, 2),
    },
    "srn_paper": {"base_filters": 4},
}
# Whose loss compares structures of 11 px at a quarter of the size.
LARGER_CROPS = {"gkmnet_paper": 48, "nrknet_paper": 48}
CHANGES = {
    "crop_schedule": (),
    "num_steps": 5,
    "learning_rate": 1e-3,
    "epsilon": 1e-3,
    "hold_steps": 0,
    "validate_every": 100,
    "checkpoint_every": 100,
    "log_every": 1,
}
SCRIPT = """
import json, os, sys
from tf_defocus.configs import Recipe
from tf_defocus.training import loop, tensorflow_step
recipes, folder, arrays, order = sys.argv[1:]
rows = tensorflow_step.TensorFlowStep.rows
if order == "reversed":
    tensorflow_step.TensorFlowStep.rows = lambda self, size: rows(self, size)[::-1]
strategy = "multi_worker" if "TF_CONFIG" in os.environ else "none"
for recipe in json.loads(recipes):
    recipe = Recipe(**recipe)
    run = f"{folder}/{recipe.name}"
    loop.train(recipe, run, arrays, strategy=strategy, uneven=True)
"""
_RECIPES = flags.DEFINE_list("recipes", sorted(SMALL), "Which to compare.")
_WORKERS = flags.DEFINE_integer("workers", 2, "How many processes.", 2)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Examples of a step.", 1)
_REVERSED = flags.DEFINE_bool(
    "reversed", False, "Compare with batches in reverse; for networks without dropout."
)
_TOLERANCE = flags.DEFINE_float("tolerance", 1e-6, "Of the norm.", 0)


def small_recipe(name, batch_size=4):
    """A paper's recipe, made small."""
    recipe = configs.get_recipe(name)
    start = recipe.initial_run if recipe.second_stage else ""
    return recipe.replace(
        **CHANGES,
        crop_size=LARGER_CROPS.get(name, 32),
        overrides={**recipe.overrides, **SMALL[name]},
        batch_size=batch_size,
        initial_run=start,
    )


def write_arrays(folder):
    """Stored arrays of noise, with both views."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for kind in ("blurred", "left", "right", "sharp"):
        images = rng.integers(0, 65536, (6, 48, 48, 3)).astype(np.uint16)
        np.save(folder / f"{kind}.npy", images)
    (folder / "arrays.json").write_text(json.dumps({"dataset": "noise"}))


def train(recipes, folder, arrays, num_workers, order="as it is"):
    """Trains the recipes one after another, in one process or by several workers.

    Args:
        recipes: list of `Recipe`.
        folder: of the runs.
        arrays: folder of `StoredArrays`.
        num_workers: int, processes.
        order: str, "reversed" takes the examples of a batch in the other order.

    Raises:
        ValueError: with the last lines of a process that failed.
    """
    text = json.dumps([recipe.to_dict() for recipe in recipes])
    command = [sys.executable, "-c", SCRIPT, text, folder, arrays, order]
    processes = [
        subprocess.Popen(
            command,
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in local_environments(num_workers)
    ]
    errors = [process.communicate()[1] for process in processes]
    if any(process.returncode for process in processes):
        raise ValueError("\n".join(error[-1500:] for error in errors))


def compare(one, other):
    """How much two runs' models differ.

    Args:
        one, other: pathlib.Path of the folders of the runs.

    Returns:
        (of all variables together, by norm; of the variable that differs most, by its
        largest value; the name of that).
    """
    states = []
    for folder in (one, other):
        with np.load(folder / "checkpoint.npz", allow_pickle=False) as file:
            states.append(
                {
                    name: file[name].astype("float64")
                    for name in file.files
                    if name.startswith("model/") and "seed_generator" not in name
                }
            )
    first, second = states
    errors = {name: second[name] - value for name, value in first.items()}
    norms = [
        np.sqrt(sum(np.sum(np.square(part)) for part in parts.values()))
        for parts in (errors, first)
    ]
    shares = {
        name: np.abs(error).max() / max(np.abs(first[name]).max(), 1e-30)
        for name, error in errors.items()
    }
    worst = max(shares, key=shares.get)
    return norms[0] / norms[1], shares[worst], worst.removeprefix("model/")


def main(_):
    """Trains, compares, prints."""
    unknown = sorted(set(_RECIPES.value) - set(SMALL))
    if unknown:
        raise ValueError(f"--recipes are some of {sorted(SMALL)}. Received: {unknown}")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_arrays(folder / "arrays")
        recipes = [small_recipe(n, _BATCH_SIZE.value) for n in _RECIPES.value]
        train(recipes, folder / "one", folder / "arrays", 1)
        other = (1, "reversed") if _REVERSED.value else (_WORKERS.value,)
        train(recipes, folder / "other", folder / "arrays", *other)
        for recipe in recipes:
            norm, share, worst = compare(
                folder / "one" / recipe.name, folder / "other" / recipe.name
            )
            rows.append((recipe.name, f"{norm:.1e}", f"{share:.1e}", worst))
    head = ("recipe", "of the norm", "largest of one tensor", "which")
    print(markdown_table(head, rows))
    if any(float(norm) > _TOLERANCE.value for _, norm, *_ in rows):
        raise ValueError(f"some differ by more than {_TOLERANCE.value:g} of the norm")


if __name__ == "__main__":
    commands.run(main)
