"""Float maps of published datasets: PFM and MATLAB files, read whole or refused.

A MATLAB file may hold compressed data, objects and functions. Its size is bounded
before anything is interpreted, only one variable of numbers is read, and nothing is
unpickled.
"""

import io
import math
import pathlib
import re
import struct
import zlib

import numpy as np
from scipy import io as scipy_io

from tf_defocus.data.published_files import DatasetFilesError

_MAX_BYTES = 1 << 28  # of a file, and of what it decompresses to
_MAT_HEADER = 128  # bytes
_MAT_COMPRESSED = 15  # type of an element
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32")


def read_pfm(path):
    """(height, width, 1) float32 of a portable float map, rows from the top.

    The file holds rows from the bottom; a negative scale means little-endian.

    Raises:
        DatasetFilesError: if the file is no grey PFM, is cut off, or holds values that
            are not finite.
    """
    content = _read_bytes(path)
    header = re.match(rb"Pf\s+(\d{1,9})\s+(\d{1,9})\s+(-?[\d.][\d.eE+-]*)\s", content)
    if header is None:
        raise DatasetFilesError(f"Expected a grey PFM file. Received: {path}.")
    width, height, is_little = int(header[1]), int(header[2]), header[3][:1] == b"-"
    if len(content) - header.end() != 4 * width * height:
        raise DatasetFilesError(f"{path}: the PFM data is cut off; get it again.")
    dtype = "<f4" if is_little else ">f4"
    values = np.frombuffer(content, dtype, width * height, header.end())
    if not np.isfinite(values).all():
        raise DatasetFilesError(f"{path}: holds values that are not finite; repair it.")
    return values.reshape(height, width, 1)[::-1].astype(np.float32)


def read_mat(path, variable):
    """(height, width, 1) float32 of a matrix in a MATLAB file of version 5 to 7.2.

    Args:
        path: the file.
        variable: str, name of the matrix.

    Raises:
        DatasetFilesError: if the file is of another version or cut off, holds more than
            256 MiB, or the variable is missing, not a matrix of real numbers, or not
            finite.
    """
    content = _read_bytes(path)
    if content.startswith(_HDF5_SIGNATURE) or content[:10] == b"MATLAB 7.3":
        raise DatasetFilesError(
            f"Expected a MATLAB file of version 7.2 or before. Received: {path} of "
            "version 7.3; save it again with -v7."
        )
    try:
        _check_decompressed(content, path)
        _check_variable(scipy_io.whosmat(io.BytesIO(content)), variable, path)
        values = scipy_io.loadmat(io.BytesIO(content), variable_names=[variable])
    except DatasetFilesError:
        raise
    except Exception as error:  # SciPy raises nearly anything at damaged files
        raise DatasetFilesError(
            f"Expected a MATLAB file. Received: {path} ({error}); get it again."
        ) from error
    values = values[variable]
    if values.ndim != 2 or np.iscomplexobj(values) or not np.all(np.isfinite(values)):
        raise DatasetFilesError(
            f"Expected a matrix of finite numbers. Received: {variable} of {path}, "
            f"{values.shape} {values.dtype}."
        )
    return values.astype(np.float32)[..., None]


def _read_bytes(path):
    path = pathlib.Path(path)
    if path.stat().st_size > _MAX_BYTES:
        raise DatasetFilesError(f"Expected <= {_MAX_BYTES} bytes. Received: {path}.")
    return path.read_bytes()


def _check_variable(described, variable, path):
    """Refuses what is no array of numbers, or is larger than its file can hold."""
    found = {name: (shape, kind) for name, shape, kind in described}
    shape, kind = found.get(variable, ((), ""))
    if kind not in _NUMBERS or math.prod(shape) > _MAX_BYTES:
        raise DatasetFilesError(
            f"Expected numbers called {variable} in {path}. Received: {found}."
        )


def _check_decompressed(content, path):
    """Adds up what the elements of a MATLAB file hold, decompressing no more."""
    if len(content) < _MAT_HEADER:
        raise DatasetFilesError(f"Expected a MATLAB file. Received: {path}.")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise DatasetFilesError(f"Expected a MATLAB 5 file. Received: {path}.")
    position, total = _MAT_HEADER, 0
    while position + 8 <= len(content):
        kind, size = struct.unpack(f"{order}II", content[position : position + 8])
        position += 8
        element = content[position : position + size]
        if len(element) < size:
            raise DatasetFilesError(f"{path}: the file is cut off; get it again.")
        if kind == _MAT_COMPRESSED:
            limit = _MAX_BYTES - total + 1
            total += len(zlib.decompressobj().decompress(element, limit))
        if total > _MAX_BYTES:
            raise DatasetFilesError(
                f"Expected <= {_MAX_BYTES} bytes decompressed. Received: {path}."
            )
        position += size
