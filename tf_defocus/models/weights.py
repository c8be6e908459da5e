"""A model's weights as one `.npz`: arrays by variable path, nothing pickled."""

import os
import zipfile
from collections.abc import Iterable, Mapping

import keras
import numpy as np

from tf_defocus import whole_files
from tf_defocus.array_files import npz


def variable_names(model: keras.Model) -> list[str]:
    """Path of each of the model's weights without the model's own name."""
    names = []
    for variable in model.weights:
        root, _, rest = variable.path.partition("/")
        names.append(rest if root == model.name else variable.path)
    return names


def save_weights(
    model: keras.Model, path: str | os.PathLike, dtype: str | None = None
) -> None:
    """Writes every weight; the file appears only when it is whole.

    Args:
        model: built `keras.Model`.
        path: of the `.npz`.
        dtype: str, storage type such as "float16", or None for the weights' own.
    """
    named = zip(variable_names(model), model.weights)
    arrays = ((name, keras.ops.convert_to_numpy(weight)) for name, weight in named)
    write_arrays(path, ((n, a.astype(dtype or a.dtype, copy=False)) for n, a in arrays))


def write_arrays(
    path: str | os.PathLike, named: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Writes arrays one by one; the file appears only when it is whole.

    Args:
        path: of the `.npz`.
        named: iterable of (name, array). `numpy.savez_compressed` would need all of
            them at once.
    """
    with (
        whole_files.open_whole(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, array in named:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Fills a model from a file of `save_weights`.

    Raises:
        ValueError: if the file is damaged, or a tensor is missing, left over or
            misshapen; nothing is assigned then.
    """
    check_shapes(model.name, shapes(model), path)
    arrays = read_weights(path)
    for name, weight in zip(variable_names(model), model.weights):
        weight.assign(arrays.pop(name).astype(weight.dtype, copy=False))


def shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    """Variable name -> shape of each of the model's weights."""
    return dict(zip(variable_names(model), (tuple(w.shape) for w in model.weights)))


def check_shapes(
    name: str, shapes: Mapping[str, tuple[int, ...]], path: str | os.PathLike
) -> None:
    """Compares what a file's headers say with the weights of a model.

    Args:
        name: str, of the model.
        shapes: dict, variable name -> shape, of `shapes`.
        path: of the `.npz`.

    Raises:
        ValueError: if the file is damaged, or a tensor is missing, left over,
            misshapen or not of numbers.
    """
    found = npz.read_headers(path)
    missing, unused = sorted(set(shapes) - set(found)), sorted(set(found) - set(shapes))
    if missing or unused:
        raise ValueError(
            f"{path} does not fit {name}; give the model that made it. Missing: "
            f"{listing(missing)}. Unused: {listing(unused)}"
        )
    for key, expected in shapes.items():
        if found[key][0] != expected:
            raise ValueError(
                f"{key} in {path} must have shape {expected}. Received: {found[key][0]}"
            )


def listing(names: Iterable[str], most: int = 10) -> str:
    """At most ten names of a list in one line, and how many more there are."""
    shown = ", ".join(str(name)[:100] for name in names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{shown}{more}" if shown else "none"


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Mapping variable name -> array of a `.npz`, without unpickling anything."""
    return npz.read_arrays(path)


def initialize_from(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Starts a model from the weights of a related one.

    A kernel that sees several views where the other saw one starts as the mean of the
    views through the other's kernel. All else must fit.

    Args:
        model: built `keras.Model`.
        arrays: mapping variable name -> array, of `read_weights`.

    Raises:
        ValueError: if a tensor is missing or fits in neither way.
    """
    for name, weight in zip(variable_names(model), model.weights):
        if name not in arrays:
            raise ValueError(f"The weights to start from lack {name}")
        array, shape = arrays[name].astype(weight.dtype), tuple(weight.shape)
        if array.shape != shape and len(shape) == 4 and shape[2] % array.shape[2] == 0:
            views = shape[2] // array.shape[2]
            array = np.concatenate([array] * views, axis=2) / views
        if array.shape != shape:
            raise ValueError(
                f"{name} must have shape {shape} or fewer inputs. "
                f"Received: {array.shape}"
            )
        weight.assign(array)
