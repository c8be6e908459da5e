"""Reads TensorFlow's checkpoints, an `.index` beside `.data-...` files, without it.

The index is a sorted table of LevelDB's kind, uncompressed: blocks of (key, value),
each key without what it shares with the one before. The value of a variable is a
protocol buffer: type, shape, file, offset, size. Everything is compared with the sizes
of the files before a number is read; nothing in such files can be executed.

Reference:
    tensorflow/core/util/tensor_bundle/tensor_bundle.h,
    tensorflow/core/protobuf/tensor_bundle.proto.
"""

import math
import os
import pathlib
import struct

import numpy as np

from tf_defocus.array_files.stored_array import StoredArray
from tf_defocus.conversion.numpy_pickle import check_shape

SUFFIX = ".index"
MARK = bytes.fromhex("57fb808b247547db")  # the end of every such table
_FOOTER = 48  # bytes
_MAX_INDEX_BYTES = 2**24
_MAX_SHARDS = 64
DTYPES = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    5: "<i2",
    6: "i1",
    9: "<i8",
    10: "?",
    19: "<f2",
}
# What crafted or damaged files make the standard library and NumPy raise.
BROKEN_FILE_ERRORS = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)
_VARINT, _LENGTHS = 0, {1: 8, 5: 4}  # kinds of fields; others begin with their length


def read_tensorflow_checkpoint(path):
    """The variables of a checkpoint.

    Args:
        path: str or path of the `.index` file; its `.data-...` files lie beside it.

    Returns:
        dict, name of the variable -> `StoredArray`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if it is no such checkpoint, is damaged, or lacks one
            of its files.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No checkpoint at {path}")
    try:
        return dict(_variables(path))
    except BROKEN_FILE_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} is no readable checkpoint: {reason}") from error


def data_files(path):
    """The files that lie beside an index and hold its numbers, those that there are."""
    path = pathlib.Path(path)
    stem = path.name.removesuffix(SUFFIX)
    pattern = f"{stem}.data-"
    return sorted(p for p in path.parent.iterdir() if p.name.startswith(pattern))


def _variables(path):
    if path.stat().st_size > _MAX_INDEX_BYTES:
        raise ValueError("it is too long for an index")
    entries = _table(path.read_bytes())
    header = _fields(next(entries, (b"", b""))[1])
    shards = header.get(1, 1)
    if not 1 <= shards <= _MAX_SHARDS or header.get(2, 0) != 0:
        raise ValueError("it is of another machine, or of too many parts")
    stem = str(path).removesuffix(SUFFIX)
    files = [f"{stem}.data-{i:05d}-of-{shards:05d}" for i in range(shards)]
    for key, value in entries:
        yield key.decode(), _variable(key.decode(), _fields(value), files)


def _variable(name, fields, files):
    if fields.get(1) not in DTYPES or 7 in fields:
        raise ValueError(f"{name[:100]} holds no numbers, or is saved in pieces")
    dtype = np.dtype(DTYPES[fields[1]])
    shape = tuple(_fields(dim).get(1, 0) for dim in _repeated(fields.get(2, b""), 2))
    check_shape(shape)
    file, offset, size = files[fields.get(3, 0)], fields.get(4, 0), fields.get(5, 0)
    if not os.path.isfile(file):
        raise ValueError(f"{os.path.basename(file)} must lie beside it")
    if size != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name[:100]} of shape {shape} cannot take {size} bytes")
    if offset + size > os.path.getsize(file):
        raise ValueError(f"{os.path.basename(file)} is cut off before {name[:100]}")

    def read():
        array = np.fromfile(file, dtype, math.prod(shape), offset=offset)
        if array.nbytes != size:
            raise ValueError(f"{file} was changed while it was read")
        return array.reshape(shape)

    return StoredArray(shape, dtype, read)


def _table(data):
    """Yields every (key, value) of a sorted table."""
    if len(data) < _FOOTER or data[-8:] != MARK:
        raise ValueError("it lacks the mark of such a file")
    footer = data[-_FOOTER:]
    _, position = _handle(footer, 0)  # of a block that is empty
    (offset, size), _ = _handle(footer, position)
    left = len(data)
    for _, handle in _block(data, offset, size):
        (offset, size), _ = _handle(handle, 0)
        left -= size
        if left < 0:
            raise ValueError("its blocks take more bytes than it has")
        yield from _block(data, offset, size)


def _block(data, offset, size):
    """Yields (key, value); after them lie the places where keys are whole."""
    block = data[offset : offset + size]
    if len(block) != size or data[offset + size : offset + size + 1] != b"\0":
        raise ValueError("a block is cut off or compressed")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, position, key = size - 4 * (restarts + 1), 0, b""
    while position < end:
        shared, position = _number(block, position)
        rest, position = _number(block, position)
        length, position = _number(block, position)
        if shared > len(key) or position + rest + length > end:
            raise ValueError("a block breaks off")
        key = key[:shared] + block[position : position + rest]
        position += rest
        yield key, block[position : position + length]
        position += length


def _handle(data, position):
    offset, position = _number(data, position)
    size, position = _number(data, position)
    return (offset, size), position


def _number(data, position):
    """A number of seven bits a byte, the lowest first, and where the next begins."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[position]
        value, position = value | (byte & 127) << shift, position + 1
        if byte < 128:
            return value, position
    raise ValueError("a number does not end")


def _repeated(data, wanted):
    return [value for field, value in _all_fields(data) if field == wanted]


def _fields(data):
    """dict, number of the field -> its last value, of a protocol buffer."""
    return dict(_all_fields(data))


def _all_fields(data):
    position = 0
    while position < len(data):
        tag, position = _number(data, position)
        if tag & 7 == _VARINT:
            value, position = _number(data, position)
        else:
            length = _LENGTHS.get(tag & 7)
            if length is None:
                length, position = _number(data, position)
            value, position = data[position : position + length], position + length
        yield tag >> 3, value
