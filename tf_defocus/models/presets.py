"""Trained weights by name: a preset of a folder (`manifest`), or of a training run.

The folder of a training run (`config.json` and `weights.npz`) serves as a preset too.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

from tf_defocus import whole_files
from tf_defocus.array_files import npz
from tf_defocus.models import hub, plans, weights
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.models.manifest import (
    FOLDER_VARIABLE,
    MANIFEST,
    PresetError,
    check_sha256,
    checkpoints_folder,
    list_presets,
    read_json,
    sha256,
    verify_preset,
)
from tf_defocus.models.named import create_model, list_models

RUN_CONFIG, RUN_WEIGHTS = "config.json", "weights.npz"
RUN_BEST_WEIGHTS = "weights_best.npz"  # of the highest validation
SCALES = "scales.npz"  # of a run; of a preset with its name before it
CARDS = ("card.md", hub.CARD)  # of a converted checkpoint, of a preset of a hub


@dataclasses.dataclass(frozen=True)
class FoundPreset:
    """A preset on the disk, its hash compared; nothing of it is loaded yet.

    Attributes:
        name: str.
        config: dict, `model`, `overrides` and what else is told of it.
        weights: path of its `.npz`.
        card: path of its model card, or None.
        scales: path of the choice of sizes calibrated for it, or None.
    """

    name: str
    config: dict[str, Any]
    weights: pathlib.Path
    card: pathlib.Path | None
    scales: pathlib.Path | None


def load_preset(name_or_folder: str | os.PathLike) -> RestorationNetwork:
    """Builds the model of a preset and fills it with verified weights.

    Args:
        name_or_folder: str or path. A name of `list_presets()`; a folder with a
            manifest of one preset; the folder of a training run, of a converted
            checkpoint or of a preset as it stands on a hub; or `hf://user/name` and
            `hf://user/name@revision`, which is fetched first (`hub.download_preset`).

    Returns:
        A built `keras.Model`.

    Raises:
        PresetError: for an unknown name, a missing or damaged file, a wrong sha256, or
            weights that do not fit the model.
    """
    return _build(find_preset(name_or_folder))


def find_preset(name_or_folder: str | os.PathLike) -> FoundPreset:
    """Where the files of a preset are; arguments and errors as of `load_preset`."""
    if str(name_or_folder).startswith(hub.PREFIX):
        return _find_run(hub.download_preset(str(name_or_folder)))
    if str(name_or_folder) in list_presets():
        return _find_entry(checkpoints_folder(), str(name_or_folder))
    folder = pathlib.Path(name_or_folder)
    if (folder / MANIFEST).is_file():
        names = list(list_presets(folder))
        if len(names) != 1:
            raise PresetError(
                f"{folder} holds the presets {', '.join(names) or 'none'}; expected "
                f"one. Set {FOLDER_VARIABLE}={folder} and give a name"
            )
        return _find_entry(folder, names[0])
    if (folder / RUN_CONFIG).is_file():
        return _find_run(folder)
    known = ", ".join(list_presets()) or "none installed"
    raise PresetError(
        f"{name_or_folder} is neither a preset ({known}) nor a folder with {MANIFEST} "
        f"or {RUN_CONFIG}"
    )


def load_run(folder: str | os.PathLike, best: bool = False) -> RestorationNetwork:
    """Builds the model of a training run.

    Args:
        folder: str or path, of the run.
        best: bool, with the weights of the highest validation instead of the last.

    Returns:
        A built `keras.Model`.

    Raises:
        PresetError: if the folder holds no such run or weights, or if they have
            another sha256 than its `config.json` says.
    """
    return _build(_find_run(pathlib.Path(folder), best))


def _find_entry(folder, name):
    path = verify_preset(name, folder)
    entry = list_presets(folder)[name]
    card = entry.get("card")
    card = folder / card if isinstance(card, str) and "/" not in card else None
    return FoundPreset(name, entry, path, card, _existing(folder / f"{name}_{SCALES}"))


def _find_run(folder, best=False):
    config = read_json(folder / RUN_CONFIG)
    path = folder / (RUN_BEST_WEIGHTS if best else RUN_WEIGHTS)
    if not (best or path.is_file()) and (folder / hub.WEIGHTS).is_file():
        path = folder / hub.WEIGHTS
    if "weights_sha256" in config and path.is_file():  # converted, or of a hub
        check_sha256(path, config["weights_sha256"])
    cards = [path for path in map(folder.joinpath, CARDS) if path.is_file()]
    card = cards[0] if cards else None
    return FoundPreset(folder.name, config, path, card, _existing(folder / SCALES))


def _existing(path):
    return path if path.is_file() else None


def save_preset(
    model: RestorationNetwork,
    folder: str | os.PathLike,
    name: str,
    overrides: dict[str, Any] | None = None,
    dtype: str = "float16",
    **details: Any,
) -> dict[str, Any]:
    """Adds a model's weights to a folder of presets.

    Args:
        model: built network of `create_model`, with its own name.
        folder: str or path, made if absent.
        name: str, the preset's name; an entry of that name is replaced.
        overrides: dict given to `create_model` beside the name.
        dtype: str, how the weights are stored.
        **details: more of the entry, such as `description` or `licence` (JSON values).

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
        "sha256": sha256(path),
        "card": f"{name}.md",
        "inputs": list(model.view_names),
        **details,
    }
    entries = list_presets(folder) | {name: entry}
    text = json.dumps({"presets": dict(sorted(entries.items()))}, indent=2) + "\n"
    whole_files.write_text(folder / MANIFEST, text)
    return entry


def _build(found):
    """The model of a preset, filled; nothing larger than its file is made."""
    name, overrides = found.config.get("model"), found.config.get("overrides", {})
    path = found.weights
    try:
        plans.check_overrides(name, overrides)
        if set(overrides) - {"variant"}:  # a named configuration is known to be small
            plans.check_count(overrides, len(npz.read_headers(path)))
            plan = plans.plan_model(name, **overrides)
            weights.check_shapes(name, weights.shapes(plan), path)
        model = create_model(name, **overrides)
        weights.load_weights(model, path)
    except Exception as error:  # a file may give a constructor anything
        reason = " ".join(str(error).split())[:1000]
        raise PresetError(f"{path} cannot be loaded: {reason}") from error
    model.scale_choice = found.scales
    return model
