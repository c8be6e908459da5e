"""Named arrays as both protocols carry them, checked before NumPy believes a shape."""

import dataclasses
import math
import struct
from typing import Any

import numpy as np

from tf_defocus.serving.refusals import Refusal

# datatype of the Open Inference Protocol -> NumPy's; BYTES are whole files.
DTYPES = {"UINT8": "uint8", "UINT16": "uint16", "FP32": "float32"}
BYTES = "BYTES"
_LENGTH = struct.Struct("<I")  # before each of the BYTES in a binary message
MAX_DIMENSIONS = 8


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One input or output.

    Attributes:
        name: str.
        datatype: a key of `DTYPES`, or "BYTES".
        values: an array of that dtype; for BYTES a list of bytes.
    """

    name: str
    datatype: str
    values: Any

    @property
    def shape(self) -> list[int]:
        """Of the array; for BYTES how many there are."""
        if self.datatype == BYTES:
            return [len(self.values)]
        return list(self.values.shape)


def from_numbers(name: str, datatype: str, shape: Any, numbers: Any) -> Tensor:
    """An input whose numbers came as a list, flat or nested as the shape.

    Args:
        name: str.
        datatype: str.
        shape: list of int, or None for that of the nested list.
        numbers: list.

    Raises:
        Refusal: if the datatype is not taken, the list holds other things than such
            numbers, or their count is not that of the shape.
    """
    dtype = _dtype(name, datatype)
    try:
        array = np.asarray(numbers)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    whole = dtype.kind == "u"
    if array.dtype.kind not in ("iu" if whole else "iuf") or array.ndim == 0:
        kind = "whole numbers" if whole else "numbers"
        raise Refusal(
            f"{name}: expected {datatype}, lists of {kind} of equal lengths; received "
            "something else"
        )
    if whole and array.size and not 0 <= array.min() <= array.max() <= _most(dtype):
        raise Refusal(
            f"{name}: expected {datatype}, 0 to {_most(dtype)}; received "
            f"{array.min()} to {array.max()}"
        )
    if shape is not None:
        sizes = _sizes(name, shape)
        if math.prod(sizes) != array.size:
            raise Refusal(
                f"{name}: the shape {sizes} has {math.prod(sizes)} values; received "
                f"{array.size}"
            )
        array = array.reshape(sizes)
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        return Tensor(name, datatype, array.astype(dtype))


def from_raw(name: str, datatype: str, shape: Any, raw: bytes) -> Tensor:
    """An input whose values came as bytes, in the order of rows, little-endian.

    Args:
        name: str.
        datatype: str; the elements of "BYTES" each follow their length, 4 bytes.
        shape: list of int.
        raw: bytes.

    Raises:
        Refusal: if the datatype is not taken, or the bytes are not as many as the shape
            says.
    """
    sizes = _sizes(name, shape)
    if datatype == BYTES:
        return Tensor(name, datatype, _elements(name, sizes, raw))
    dtype = _dtype(name, datatype).newbyteorder("<")
    expected = math.prod(sizes) * dtype.itemsize
    if expected != len(raw):
        raise Refusal(
            f"{name}: {datatype} of shape {sizes} has {expected} bytes; received "
            f"{len(raw)}"
        )
    return Tensor(name, datatype, np.frombuffer(raw, dtype).reshape(sizes))


def to_raw(tensor: Tensor) -> bytes:
    """The values of an output as `from_raw` reads them.

    Args:
        tensor: `Tensor`.

    Returns:
        bytes.
    """
    if tensor.datatype == BYTES:
        return b"".join(_LENGTH.pack(len(value)) + value for value in tensor.values)
    little = tensor.values.dtype.newbyteorder("<")
    return np.ascontiguousarray(tensor.values, little).tobytes()


def of_array(name: str, array: np.ndarray) -> Tensor:
    """An output.

    Args:
        name: str.
        array: uint8, uint16 or float32.

    Returns:
        `Tensor`.
    """
    datatype = next(key for key, dtype in DTYPES.items() if dtype == array.dtype)
    return Tensor(name, datatype, array)


def _dtype(name, datatype):
    if datatype not in DTYPES:
        taken = ", ".join((*DTYPES, BYTES))
        raise Refusal(f"{name}: expected datatype {taken}; received {datatype!s:.40}")
    return np.dtype(DTYPES[datatype])


def _most(dtype):
    return np.iinfo(dtype).max


def _sizes(name, shape):
    """The shape as a list of a few numbers that are not negative."""
    is_list = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    if not is_list or any(type(size) is not int or size < 0 for size in shape):
        raise Refusal(
            f"{name}: expected a shape, a list of up to {MAX_DIMENSIONS} sizes; "
            f"received {shape!r:.60}"
        )
    return shape


def _elements(name, sizes, raw):
    values, place = [], 0
    while place < len(raw) and len(values) < math.prod(sizes):
        head = raw[place : place + _LENGTH.size]
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else len(raw)
        place += _LENGTH.size + length
        if place > len(raw):
            raise Refusal(f"{name}: the BYTES end before their length says")
        values.append(raw[place - length : place])
    if place != len(raw) or len(values) != math.prod(sizes) or len(sizes) != 1:
        raise Refusal(
            f"{name}: expected BYTES of shape (batch,), each after its length; "
            f"received shape {sizes} and {len(raw)} bytes"
        )
    return values
