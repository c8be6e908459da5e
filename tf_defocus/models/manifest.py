"""What stands in a folder of presets, and whether it is whole; found without Keras.

A folder of presets holds `manifest.json`:

    {"presets": {"kpac_3level": {"model": "kpac_3level", "overrides": {},
                                 "file": "kpac_3level.npz", "sha256": "...",
                                 "card": "kpac_3level.md", "inputs": ["blurred"],
                                 "description": "...", "licence": "..."}}}

and, beside it, one `.npz` and one model card per preset. The folder of the shipped
presets is the one that TF_DEFOCUS_CHECKPOINTS names, else `_checkpoints` inside the
installed package, else `checkpoints` beside it in a source tree.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

FOLDER_VARIABLE = "TF_DEFOCUS_CHECKPOINTS"
MANIFEST = "manifest.json"
MAX_JSON_BYTES = 2**22


class PresetError(ValueError):
    """A preset is unknown, incomplete or damaged: one line with the remedy."""


def checkpoints_folder() -> pathlib.Path:
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


def list_presets(
    folder: str | os.PathLike | None = None,
) -> dict[str, dict[str, Any]]:
    """The presets of a folder.

    Args:
        folder: str or path, or None for the shipped ones.

    Returns:
        dict, name -> entry of the manifest, sorted; empty if there is no manifest.

    Raises:
        PresetError: if the manifest cannot be understood.
    """
    path = pathlib.Path(folder or checkpoints_folder()) / MANIFEST
    if not path.is_file():
        return {}
    entries = read_json(path).get("presets")
    if not isinstance(entries, dict):
        raise PresetError(f'{path} has no "presets"; restore the file')
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise PresetError(
                f"{path}: {name[:100]!r} must be an object; restore the file"
            )
    return dict(sorted(entries.items()))


def verify_preset(name: str, folder: str | os.PathLike | None = None) -> pathlib.Path:
    """Checks that a preset's file is there and has the sha256 of the manifest.

    Args:
        name: str, of `list_presets(folder)`.
        folder: str or path of the presets, or None for the shipped ones.

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
    check_sha256(path, entry["sha256"])
    return path


def check_sha256(path: str | os.PathLike, expected: str) -> None:
    """Refuses a file that has changed.

    Raises:
        PresetError: if its sha256 is another.
    """
    digest = sha256(path)
    if digest != expected:
        raise PresetError(
            f"{path} is damaged: expected sha256 {expected}, received {digest}; "
            "get the file again"
        )


def sha256(path: str | os.PathLike) -> str:
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """The object of a small JSON file.

    Raises:
        PresetError: if it is missing, too large or holds no object.
    """
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
