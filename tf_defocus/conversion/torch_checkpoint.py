"""Reads checkpoints written by `torch.save`, without torch and without running them.

Such a file describes its tensors in a pickle, which `plain_pickle` interprets: it knows
a handful of names and refuses the file at any other. Both layouts are read: the zip
archive of today and the older sequence of pickles. The numbers stay in the file.
"""

import dataclasses
import functools
import math
import mmap
import os
import zipfile
from collections.abc import Callable

import numpy as np

from tf_defocus.array_files.npz import BROKEN_FILE_ERRORS
from tf_defocus.array_files.stored_array import StoredArray
from tf_defocus.conversion import numpy_pickle, plain_pickle

STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001


@dataclasses.dataclass(frozen=True)
class _Storage:
    """Numbers in a row, which tensors share; `read` gives their bytes."""

    dtype: np.dtype
    count: int
    read: Callable


def read_torch_checkpoint(path):
    """Reads a `.pth`, `.pt` or `.ckpt` file of tensors.

    Args:
        path: str or path.

    Returns:
        What was saved, usually a dict of name -> array; dicts, lists and plain values
        as they are, tensors and parameters as `StoredArray`s of their dtype.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such checkpoint, is damaged, holds tensors of an unknown
            type, or names anything but tensors and ordered dicts; nothing is executed.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No checkpoint at {path!r}")
    is_archive = _in_one_line(path, zipfile.is_zipfile, path)
    return _in_one_line(path, _read_archive if is_archive else _read_legacy, path)


def _in_one_line(path, function, *arguments):
    """What a function gives; what a damaged file makes it raise as `ValueError`."""
    try:
        return function(*arguments)
    except BROKEN_FILE_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path!r} is no readable checkpoint of tensors: {reason}; fetch it anew "
            "from its authors, or save its state_dict() alone"
        ) from error


def _read_archive(path):
    """`<name>/data.pkl` beside `<name>/data/<key>`, one file per storage."""
    archive = zipfile.ZipFile(path)  # open as long as a tensor of it is
    entries = {i.filename.partition("/")[2]: i for i in archive.infolist()}
    left = os.path.getsize(path)

    def checked(name):
        nonlocal left
        info = entries[name]
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ValueError(f"{name} is compressed or encrypted, as none of torch")
        left -= info.file_size
        if left < 0:
            raise ValueError("its parts take more bytes than the file has")
        return info

    if "byteorder" in entries and archive.read(checked("byteorder")) != b"little":
        raise ValueError("its numbers are big-endian")
    storages = {}

    def find_storage(pid):
        key, dtype, count = _storage(pid)
        if key not in storages:
            name, expected = f"data/{key}", count * dtype.itemsize
            if name not in entries:
                raise ValueError(f"it lacks {name}")
            if entries[name].file_size != expected:
                raise ValueError(
                    f"storage {key} must hold {expected} bytes, not "
                    f"{entries[name].file_size}"
                )
            read = functools.partial(_in_one_line, path, archive.read, checked(name))
            storages[key] = _Storage(dtype, count, read)
        return storages[key]

    if "data.pkl" not in entries:
        raise ValueError("it lacks data.pkl, the description of its tensors")
    description = archive.read(checked("data.pkl"))
    return plain_pickle.load(description, 0, NAMES, find_storage)[0]


def _read_legacy(path):
    """Magic number, protocol, system, description, keys, then every storage."""
    left = os.path.getsize(path)
    if not left:
        raise ValueError("it is empty")
    storages, places = {}, {}

    def find_storage(pid):
        nonlocal left
        key, dtype, count = _storage(pid)
        if key not in storages:
            left -= count * dtype.itemsize
            if left < 0:
                raise ValueError(f"storage {key} is larger than the file")
            size = count * dtype.itemsize
            read = functools.partial(_read_at, path, places, key, size)
            storages[key] = _Storage(dtype, count, read)
        return storages[key]

    head, position = [], 0
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for _ in range(5):
            part, position = plain_pickle.load(data, position, NAMES, find_storage)
            head.append(part)
            if head[0] != LEGACY_MAGIC or head[1:2] not in ([], [LEGACY_PROTOCOL]):
                raise ValueError("it lacks the mark of such a file")
        _, _, system, content, keys = head
        if type(system) is not dict or system.get("little_endian") is not True:
            raise ValueError("its numbers are big-endian")
        places.update(_places(storages, keys, data, position))
    return content


def _places(storages, keys, data, position):
    """Where the numbers of every storage begin, each after its count, by key."""
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise ValueError("it lacks the list of its storages")
    if sorted(keys) != sorted(storages):
        raise ValueError("its storages are not those that its tensors need")
    places = {}
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(data[position : position + 8], "little")
        if count != storage.count:
            raise ValueError(f"storage {key} must hold {storage.count} numbers")
        places[key] = position + 8
        position += 8 + count * storage.dtype.itemsize
        if position > len(data):
            raise ValueError(f"storage {key} is cut off")
    return places


def _read_at(path, places, key, size):
    with open(path, "rb") as file:
        file.seek(places[key])
        return file.read(size)


def _storage(pid):
    """(key, dtype, count) of a reference to a storage."""
    kind, dtype, key, _device, count, *view = pid
    known = type(dtype) is str and dtype in STORAGE_DTYPES.values()
    if (
        not known
        or kind != "storage"
        or type(key) is not str
        or type(count) is not int
        or count < 0
        or any(part is not None for part in view)
    ):
        raise ValueError("it refers to what is no storage")
    return key, np.dtype(dtype), count


def _rebuild_tensor(storage, offset, size, stride, *_):
    """A view of a storage, never reaching outside it."""
    numpy_pickle.check_shape(size)
    numpy_pickle.check_shape(stride)
    if not isinstance(storage, _Storage) or type(offset) is not int or offset < 0:
        raise ValueError("a tensor has no storage")
    steps = [(n - 1) * step for n, step in zip(size, stride, strict=True)]
    count = math.prod(size)
    if count and offset + sum(steps) >= storage.count:
        raise ValueError(f"a tensor of shape {size} leaves its storage")
    if count > storage.count:
        raise ValueError(f"a tensor of shape {size} repeats its storage")

    def read():
        numbers = np.frombuffer(storage.read(), storage.dtype)
        if numbers.size != storage.count:
            raise ValueError("the file was changed while it was read")
        strides = [step * numbers.itemsize for step in stride]
        as_strided = np.lib.stride_tricks.as_strided
        return as_strided(numbers[offset:], size, strides, writeable=False)

    return StoredArray(size, storage.dtype, read)


def _rebuild_parameter(tensor, *_):
    return tensor


def _ordered_dict(pairs=()):
    """A dict; Python 2 gave the pairs at once."""
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], plain_pickle.KEYS):
            raise ValueError("a key is neither a string nor a number")
    return dict(pairs)


def _size(sides):
    numpy_pickle.check_shape(sides)
    return sides


NAMES = {
    **numpy_pickle.NAMES,
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch.Size": _size,
    **{f"torch.{name}": dtype for name, dtype in STORAGE_DTYPES.items()},
}
