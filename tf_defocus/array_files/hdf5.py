"""Arrays in HDF5 files, looked at before they are read.

An HDF5 file may point into other files (external links, external and virtual storage),
may lead its groups in circles and may claim any shape without holding it. Here only
what lies in the file itself counts, uncompressed and whole, as Keras writes it.
"""

import math
import os

import h5py
import numpy as np

from tf_defocus.array_files.stored_array import StoredArray

MAX_DEPTH = 16  # of groups in groups; Keras nests four
MAX_OBJECTS = 2**14


def list_datasets(path):
    """Shapes and types of a file's arrays; no number is read.

    Args:
        path: str or path.

    Returns:
        dict, full name such as "conv2d_1/conv2d_1/kernel:0" -> (shape, dtype).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if it is no such file, is damaged or points outside.
    """
    return _guarded(
        path, lambda file: {n: (d.shape, d.dtype) for n, d in _datasets(file)}
    )


def read_datasets(path, wanted=lambda name: True):
    """The arrays of a file, all of them in memory.

    Args, Returns, Raises:
        As `open_datasets`, but NumPy's arrays.
    """
    return {name: np.asarray(a) for name, a in open_datasets(path, wanted).items()}


def open_datasets(path, wanted=lambda name: True):
    """The arrays of a file, which stay in it until they are used.

    Args:
        path: str or path.
        wanted: function of the full name to bool, which arrays to give.

    Returns:
        dict, full name -> `StoredArray`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if it is no such file, is damaged or points outside.
    """

    def reader(name):
        return lambda: _guarded(path, lambda file: file[name][()])

    found = list_datasets(path)
    return {n: StoredArray(*d, reader(n)) for n, d in found.items() if wanted(n)}


def _guarded(path, read):
    """What `read` makes of the open file; HDF5's complaints as one `ValueError`."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No file at {path!r}")
    try:
        with h5py.File(path, "r") as file:
            return read(file)
    except (
        KeyError,
        MemoryError,
        OSError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path!r} is no readable HDF5 file of arrays: {reason}; get it again"
        ) from error


def _datasets(file):
    """Every array with its full name, checked."""
    left, seen = os.path.getsize(file.filename), 0
    groups = [("", file, 0)]
    while groups:
        prefix, group, depth = groups.pop()
        for name in group:
            full, seen = f"{prefix}{name}", seen + 1
            if seen > MAX_OBJECTS or depth > MAX_DEPTH:
                raise ValueError(f"its groups do not end at {full[:80]}")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{full} is a link to somewhere else")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                left -= _checked_bytes(full, item)
                if left < 0:
                    raise ValueError("its arrays take more than the file holds")
                yield full, item
            elif isinstance(item, h5py.Group):
                groups.append((f"{full}/", item, depth + 1))


def _checked_bytes(name, dataset):
    """Bytes of an array that lies in its own file as it is."""
    properties = dataset.id.get_create_plist()
    if dataset.is_virtual or properties.get_external_count():
        raise ValueError(f"the numbers of {name} lie in another file")
    if properties.get_nfilters():
        raise ValueError(f"{name} is compressed; save it without compression")
    if dataset.shape is None or dataset.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds no numbers")
    expected = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if stored < expected:
        raise ValueError(
            f"{name} claims shape {dataset.shape}, which takes {expected} bytes; the "
            f"file holds {stored} of them"
        )
    return expected
