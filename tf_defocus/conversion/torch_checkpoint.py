"""Reads checkpoints written by `torch.save`, without torch and without running them.

Such a file describes its tensors in a pickle, and a pickle may call anything. The
reader here resolves a handful of names, each to a function of this module or to plain
data, and refuses the file at any other name before that name is imported. Both layouts
are read: the zip archive of today and the older sequence of pickles.
"""

import collections
import math
import os
import pickle
import zipfile

import numpy as np

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
MAX_PICKLE_BYTES = 2**26  # the tensors lie outside the pickle; names take kilobytes
# What crafted or damaged pickles and archives make the standard library raise.
BROKEN_FILE_ERRORS = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
)


def read_torch_checkpoint(path):
    """Reads a `.pth`, `.pt` or `.ckpt` file of tensors.

    Args:
        path: str or path.

    Returns:
        What was saved, usually a dict of name -> array; dicts, lists and plain values
        as they are, tensors and parameters as NumPy arrays of their dtype (read-only;
        tensors that shared memory still do).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such checkpoint, is damaged, holds tensors of an unknown
            type, or names anything but tensors and ordered dicts; nothing is executed.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No checkpoint at {path!r}")
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path)
        return _read_legacy(path)
    except BROKEN_FILE_ERRORS as error:
        raise ValueError(
            f"{path!r} is no readable checkpoint of tensors: {error}; fetch it anew "
            "from its authors, or save its state_dict() alone"
        ) from error


def _read_archive(path):
    """`<name>/data.pkl` beside `<name>/data/<key>`, one file per storage."""
    with zipfile.ZipFile(path) as archive:
        entries = {name.partition("/")[2]: name for name in archive.namelist()}
        if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
            raise ValueError("its numbers are big-endian")
        storages = {}

        def find_storage(key, dtype, count):
            if key not in storages:
                info = archive.getinfo(entries[f"data/{key}"])
                expected = count * np.dtype(dtype).itemsize
                if info.compress_type != zipfile.ZIP_STORED:
                    raise ValueError("its tensors are compressed")
                if info.file_size != expected:
                    raise ValueError(
                        f"storage {key} must hold {expected} bytes, not "
                        f"{info.file_size}"
                    )
                storages[key] = np.frombuffer(archive.read(info), dtype)
            return storages[key]

        info = archive.getinfo(entries["data.pkl"])
        if info.file_size > MAX_PICKLE_BYTES:
            raise ValueError(f"its description takes {info.file_size} bytes")
        with archive.open(info) as file:
            return _TensorUnpickler(file, find_storage).load()


def _read_legacy(path):
    """Magic number, protocol, system, description, keys, then every storage."""
    size, storages = os.path.getsize(path), {}

    def find_storage(key, dtype, count):
        if key not in storages:
            if not 0 <= count * np.dtype(dtype).itemsize <= size:
                raise ValueError(f"storage {key} is larger than the file")
            storages[key] = np.empty(count, dtype)  # filled below
        return storages[key]

    with open(path, "rb") as file:
        head = [_TensorUnpickler(file, find_storage).load() for _ in range(2)]
        if head != [LEGACY_MAGIC, LEGACY_PROTOCOL]:
            raise ValueError("it lacks the mark of such a file")
        if not _TensorUnpickler(file, find_storage).load()["little_endian"]:
            raise ValueError("its numbers are big-endian")
        content = _TensorUnpickler(file, find_storage).load()
        for key in _TensorUnpickler(file, find_storage).load():
            storage = storages.pop(key)
            if int.from_bytes(file.read(8), "little") != storage.size:
                raise ValueError(f"storage {key} must hold {storage.size} numbers")
            if file.readinto(storage) != storage.nbytes:
                raise ValueError(f"storage {key} is cut off")
        if storages:
            raise ValueError(f"storages {sorted(storages)} are missing")
        return content


class _TensorUnpickler(pickle.Unpickler):
    """Resolves tensors and ordered dicts and nothing else.

    What `find_class` hands out are bound methods, strings and a built-in class: a
    pickle can neither call its way out of them nor change them.

    Args:
        file: binary file at the start of a pickle.
        find_storage: function of (key, dtype, count) to a 1-D array.
    """

    def __init__(self, file, find_storage):
        super().__init__(file)
        self._find_storage = find_storage

    def find_class(self, module, name):
        allowed = {
            "collections.OrderedDict": collections.OrderedDict,
            "torch._utils._rebuild_tensor": self._rebuild_tensor,
            "torch._utils._rebuild_tensor_v2": self._rebuild_tensor,
            "torch._utils._rebuild_parameter": self._rebuild_parameter,
            **{f"torch.{key}": dtype for key, dtype in STORAGE_DTYPES.items()},
        }
        if f"{module}.{name}" not in allowed:
            raise ValueError(f"it names {module}.{name}, which no tensor needs")
        return allowed[f"{module}.{name}"]

    def persistent_load(self, pid):
        kind, dtype, key, _device, count, *view = pid
        known = kind == "storage" and dtype in STORAGE_DTYPES.values()
        if (
            not known
            or type(count) is not int
            or any(part is not None for part in view)
        ):
            raise ValueError(f"it refers to {pid!r}")
        return self._find_storage(key, dtype, count)

    def _rebuild_tensor(self, storage, offset, size, stride, *_):
        """A view of a storage, never reaching outside it."""
        steps = [(n - 1) * step for n, step in zip(size, stride, strict=True)]
        numbers = [offset, *size, *stride]
        inside = all(type(n) is int and n >= 0 for n in numbers)
        count = math.prod(size)
        if not inside or (count and offset + sum(steps) >= storage.size):
            raise ValueError(f"a tensor of shape {size} leaves its storage")
        if count > storage.size:
            raise ValueError(f"a tensor of shape {size} repeats its storage")
        strides = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(
            storage[offset:], size, strides, writeable=False
        )

    def _rebuild_parameter(self, tensor, *_):
        return tensor
