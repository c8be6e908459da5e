"""Names of trained weights, and the weights behind them, verified.

A folder of presets holds `manifest.json`:

    {"presets": {"kpac_3level": {"model": "kpac_3level", "overrides": {},
                                 "file": "kpac_3level.npz", "sha256": "...",
                                 "card": "kpac_3level.md"}}}

and, beside it, one `.npz` and one model card per preset. The folder of the shipped
presets is the one that TF_DEFOCUS_CHECKPOINTS names, else `_checkpoints` inside the
installed package, else `checkpoints` beside it in a source tree. The folder of a
training run (`config.json` and `weights.npz`) serves as a preset too.
"""

import hashlib
import json
import os
import pathlib

from tf_defocus import npz_file, whole_files
from tf_defocus.models import create_model, list_models, plans, weights

FOLDER_VARIABLE = "TF_DEFOCUS_CHECKPOINTS"
MANIFEST = "manifest.json"
RUN_CONFIG, RUN_WEIGHTS = "config.json", "weights.npz"
RUN_BEST_WEIGHTS = "weights_best.npz"  # of the highest validation
MAX_JSON_BYTES = 2**22


class PresetError(ValueError):
    """A preset is unknown, incomplete or damaged: one line with the remedy."""


def checkpoints_folder():
    """Path of the folder that holds the shipped presets.

    Raises:
        PresetError: if TF_DEFOCUS_CHECKPOINTS names no folder of presets.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        if not (pathlib.Path(named) / MANIFEST).is_file():
            raise PresetError(f"{FOLDER_VARIABLE}={named} holds no {MANIFEST}; fix it")
        return pathlib.Path(named)
    package = pathlib.Path(__file__).resolve().parent.parent
    installed = package / "_checkpoints"
    return installed if installed.is_dir() else package.parent / "checkpoints"


def list_presets(folder=None):
    """The presets of a folder, by default the shipped ones.

    Returns:
        dict, name -> entry of the manifest, sorted; empty if there is no manifest.

    Raises:
        PresetError: if the manifest cannot be understood.
    """
    path = pathlib.Path(folder or checkpoints_folder()) / MANIFEST
    if not path.is_file():
        return {}
    entries = _read_json(path).get("presets")
    if not isinstance(entries, dict):
        raise PresetError(f'{path} has no "presets"; restore the file')
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise PresetError(
                f"{path}: {name[:100]!r} must be an object; restore the file"
            )
    return dict(sorted(entries.items()))


def load_preset(name_or_folder):
    """Builds the model of a preset and fills it with verified weights.

    Args:
        name_or_folder: str or path. A name of `list_presets()`; else a folder with a
            manifest of one preset, or the folder of a training run.

    Returns:
        A built `keras.Model`.

    Raises:
        PresetError: for an unknown name, a missing or damaged file, a wrong sha256, or
            weights that do not fit the model.
    """
    if str(name_or_folder) in list_presets():
        return _load_entry(checkpoints_folder(), str(name_or_folder))
    folder = pathlib.Path(name_or_folder)
    if (folder / MANIFEST).is_file():
        names = list(list_presets(folder))
        if len(names) != 1:
            raise PresetError(
                f"{folder} holds the presets {', '.join(names) or 'none'}; expected "
                f"one. Set {FOLDER_VARIABLE}={folder} and give a name"
            )
        return _load_entry(folder, names[0])
    if (folder / RUN_CONFIG).is_file():
        return load_run(folder)
    known = ", ".join(list_presets()) or "none installed"
    raise PresetError(
        f"{name_or_folder} is neither a preset ({known}) nor a folder with {MANIFEST} "
        f"or {RUN_CONFIG}"
    )


def load_run(folder, best=False):
    """Builds the model of a training run.

    Args:
        folder: str or path, of the run.
        best: bool, with the weights of the highest validation instead of the last.

    Returns:
        A built `keras.Model`.

    Raises:
        PresetError: if the folder holds no such run or weights.
    """
    folder = pathlib.Path(folder)
    config = _read_json(folder / RUN_CONFIG)
    return _build(config, folder / (RUN_BEST_WEIGHTS if best else RUN_WEIGHTS))


def verify_preset(name, folder=None):
    """Checks that a preset's file is there and has the sha256 of the manifest.

    Returns:
        Path of the file.

    Raises:
        PresetError: if not.
    """
    folder = pathlib.Path(folder or checkpoints_folder())
    entry = list_presets(folder)[name]
    if not all(isinstance(entry.get(k), str) for k in ("model", "file", "sha256")):
        raise PresetError(
            f"{folder / MANIFEST}: {name} is incomplete; restore the file"
        )
    path = folder / entry["file"]
    if path.parent != folder or not path.is_file():
        raise PresetError(f"{path} is missing; get the preset {name} again")
    digest = _sha256(path)
    if digest != entry["sha256"]:
        raise PresetError(
            f"{path} is damaged: expected sha256 {entry['sha256']}, received {digest}; "
            "get the file again"
        )
    return path


def save_preset(model, folder, name, overrides=None, dtype="float16", **details):
    """Adds a model's weights to a folder of presets.

    Args:
        model: built network of `create_model`, with its own name.
        folder: str or path, made if absent.
        name: str, the preset's name; an entry of that name is replaced.
        overrides: dict given to `create_model` beside the name.
        dtype: str, how the weights are stored.
        **details: more of the entry, such as `scores` or `licence` (JSON values).

    Returns:
        The entry of the manifest, a dict.
    """
    if model.name not in list_models():
        raise PresetError(f"{model.name} is not one of {', '.join(list_models())}")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    weights.save_weights(model, path, dtype=dtype)
    entry = {
        "model": model.name,
        "overrides": overrides or {},
        "file": path.name,
        "sha256": _sha256(path),
        "card": f"{name}.md",
        **details,
    }
    entries = list_presets(folder) | {name: entry}
    text = json.dumps({"presets": dict(sorted(entries.items()))}, indent=2) + "\n"
    whole_files.write_text(folder / MANIFEST, text)
    return entry


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _load_entry(folder, name):
    path = verify_preset(name, folder)
    return _build(list_presets(folder)[name], path)


def _build(description, path):
    """The model of a description, filled; nothing larger than the file is made."""
    name, overrides = description.get("model"), description.get("overrides", {})
    try:
        plans.check_overrides(name, overrides)
        if overrides:
            plans.check_count(overrides, len(npz_file.read_headers(path)))
            plan = plans.plan_model(name, **overrides)
            weights.check_shapes(name, weights.shapes(plan), path)
        model = create_model(name, **overrides)
        weights.load_weights(model, path)
    except Exception as error:  # a file may give a constructor anything
        reason = " ".join(str(error).split())[:1000]
        raise PresetError(f"{path} cannot be loaded: {reason}") from error
    return model


def _read_json(path):
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError(f"it is larger than {MAX_JSON_BYTES} bytes")
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise PresetError(
            f"{path} cannot be read ({error}); restore the file"
        ) from error
    if not isinstance(content, dict):
        raise PresetError(f"{path} must hold a JSON object; restore the file")
    return content
