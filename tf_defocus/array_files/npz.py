"""Arrays in `.npz` files, whose headers are looked at before anything is read.

NumPy's own reader allocates what a header asks for and unpacks what a member holds,
however much that is. Here a member must be exactly as large as its header says, and no
object is unpickled.
"""

import math
import os
import struct
import zipfile
import zlib

import numpy as np

from tf_defocus.array_files.stored_array import StoredArray

MAX_NUMBERS = 2**28  # of a file; the largest network here has 5e7
MAX_HEADER_BYTES = 10_000
NUMERIC_KINDS = "biuf"
# What crafted or damaged archives make the standard library and NumPy raise.
BROKEN_FILE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_headers(path):
    """Shapes and types of a file's arrays; no number is read.

    Args:
        path: str or path of the `.npz`.

    Returns:
        dict, name -> (shape, dtype); an object array has dtype "O".

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if it is no such archive or contradicts itself.
    """
    return _guarded(path, lambda archive: dict(_headers(archive)))


def read_arrays(path):
    """The arrays of a file, all of them in memory.

    Args, Returns, Raises:
        As `open_arrays`, but NumPy's arrays.
    """
    return {name: np.asarray(array) for name, array in open_arrays(path).items()}


def open_arrays(path):
    """The arrays of a file, which stay in it until they are used.

    Args:
        path: str or path of the `.npz`.

    Returns:
        dict, name -> `StoredArray`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if the file is damaged, holds Python objects or claims
            more than 2**28 numbers.
    """

    headers = read_headers(path)
    for name, (_, dtype) in headers.items():
        if dtype.kind not in NUMERIC_KINDS:
            raise _unreadable(path, f"{name} holds no numbers, and is not unpickled")
    count = sum(math.prod(shape) for shape, _ in headers.values())
    if count > MAX_NUMBERS:
        raise _unreadable(path, f"it claims {count} numbers")
    archive = zipfile.ZipFile(path)  # open as long as an array of it is

    def reader(name):
        return lambda: _in_one_line(path, lambda: _read_array(archive, f"{name}.npy"))

    return {n: StoredArray(*header, reader(n)) for n, header in headers.items()}


def read_object_bytes(path, name):
    """The pickle of an object array, unread, for a reader that calls nothing.

    Returns:
        (shape, bytes).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if there is no such array, or it is compressed.
    """

    def read(archive):
        shape, dtype = dict(_headers(archive))[name]
        info = archive.getinfo(f"{name}.npy")
        if dtype.kind != "O" or info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} must be an object array that is not compressed")
        with archive.open(info) as file:
            _read_header(file)
            return shape, file.read()

    return _guarded(path, read)


def _guarded(path, read):
    """What `read` makes of the open archive; its complaints as one `ValueError`."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No file at {path!r}")

    def opened():
        with zipfile.ZipFile(path) as archive:
            return read(archive)

    return _in_one_line(path, opened)


def _in_one_line(path, read):
    try:
        return read()
    except BROKEN_FILE_ERRORS as error:
        raise _unreadable(path, error) from error


def _unreadable(path, reason):
    reason = " ".join(str(reason).split())[:300]
    return ValueError(
        f"{os.fspath(path)!r} is no readable .npz archive of arrays: {reason}; get it "
        "again"
    )


def _headers(archive):
    size = os.fstat(archive.fp.fileno()).st_size
    for info in archive.infolist():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{info.filename} is compressed in an unknown way")
        if info.compress_size > size:
            raise ValueError(f"{info.filename} is longer than the file")
        with archive.open(info) as file:
            shape, dtype = _read_header(file)
            expected = file.tell() + math.prod(shape) * dtype.itemsize
        if dtype.kind != "O" and expected != info.file_size:
            raise ValueError(
                f"{info.filename} claims shape {shape}, which takes {expected} bytes, "
                f"not {info.file_size}"
            )
        yield info.filename.removesuffix(".npy"), (shape, dtype)


def _read_header(file):
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"its format version is {version}")
    shape, _, dtype = readers[version](file, max_header_size=MAX_HEADER_BYTES)
    if any(side < 0 for side in shape):
        raise ValueError(f"a shape is {shape}")
    return shape, dtype


def _read_array(archive, name):
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
