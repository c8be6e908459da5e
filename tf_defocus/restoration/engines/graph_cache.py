"""Converted graphs, kept in the user's cache and told apart by all they depend on.

    $TF_DEFOCUS_CACHE/engines/<digest>/card.json    what it is, sha256 of every file
                                      /graph.onnx   or graph.xml and graph.bin

The digest is of the weights, the network's configuration, this package's sources, the
stage and the versions of what converted it. A graph whose files are not those of its
card is made again.
"""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tf_defocus import __version__, models
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.models.manifest import read_json, sha256
from tf_defocus.ops.build import cache_directory

CARD = "card.json"
SCRATCH = ".new-"
ABANDONED = 24 * 3600  # [s], no conversion takes so long; a killed one leaves its files
MAX_GRAPHS = 60  # older ones are removed; one is as large as its network's weights
_ROOMS = ("layers", "models", "ops", "restoration/engines")


def describe(network: RestorationNetwork, packages: tuple[str, ...]) -> dict[str, Any]:
    """What a graph or a measurement of a network depends on, but for its weights.

    Args:
        network: the network.
        packages: names of the packages that convert and run it.

    Returns:
        dict that JSON can hold.
    """
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "network": f"{type(network).__module__}.{type(network).__qualname__}",
        "config": _readable(network.get_config()),
        "tf_defocus": __version__,
        "sources": _digest_of_sources(),
        "keras": keras.version(),
        "versions": versions,
    }


def digest_of_weights(network: RestorationNetwork) -> str:
    """sha256 of every weight, in order, with shapes and dtypes."""
    digest = hashlib.sha256()
    for weight in network.weights:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{weight.path} {array.shape} {array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def digest(description: dict[str, Any]) -> str:
    """Short name of a description."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cached_graph(
    description: dict[str, Any], make: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """The folder of a graph; made, and kept, if it is not there or damaged.

    Args:
        description: dict, all that the graph depends on.
        make: function that writes the graph's files into an empty folder. What it
            raises is passed on, and nothing is kept.

    Returns:
        Path of the folder.

    Raises:
        OSError: if the cache cannot be written; the line names TF_DEFOCUS_CACHE.
    """
    root = engines_folder()
    folder = root / digest(description)
    if is_whole(folder):
        os.utime(folder)
        return folder
    with tempfile.TemporaryDirectory(dir=root, prefix=SCRATCH) as scratch:
        made = pathlib.Path(scratch) / "graph"
        made.mkdir()
        make(made)
        files = {path.name: sha256(path) for path in sorted(made.iterdir())}
        card = {"files": files, **description}
        (made / CARD).write_text(json.dumps(card, indent=2) + "\n")
        if not is_whole(folder):  # another process may have made it meanwhile
            if folder.exists():
                os.rename(folder, pathlib.Path(scratch) / "damaged")
            os.rename(made, folder)
    _remove_oldest(root, folder)
    return folder


def is_whole(folder: pathlib.Path) -> bool:
    """Whether a folder holds a card and exactly the files that it tells of."""
    try:
        files = read_json(folder / CARD)["files"]
        names = {path.name for path in folder.iterdir()} - {CARD}
        return names == set(files) and all(
            sha256(folder / name) == expected for name, expected in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def engines_folder() -> pathlib.Path:
    """The folder of everything about engines in the user's cache, made if absent.

    Raises:
        OSError: if it cannot be made or written; the line names TF_DEFOCUS_CACHE.
    """
    folder = cache_directory() / "engines"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise OSError(
            f"Converted graphs cannot be kept in {folder} ({error.strerror}); set "
            "TF_DEFOCUS_CACHE to a folder that can be written"
        ) from error


def _remove_oldest(root, newest):
    graphs = [path for path in root.iterdir() if (path / CARD).is_file()]
    graphs.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    old = [folder for folder in graphs[MAX_GRAPHS:] if folder != newest]
    old += [folder for folder in root.glob(f"{SCRATCH}*") if _is_abandoned(folder)]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder):
    try:
        return time.time() - folder.stat().st_mtime > ABANDONED
    except FileNotFoundError:  # its process has just ended
        return False


def _readable(config):
    """A configuration as JSON says it; the dtype policy counts elsewhere."""
    kept = {key: value for key, value in config.items() if key != "dtype"}
    return json.loads(json.dumps(kept, default=str))


def _digest_of_sources():
    package = pathlib.Path(models.__file__).parents[1]
    total = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()
