"""What stands for NumPy's names in a pickle: arrays of numbers, lists of arrays."""

import math

import numpy as np

from tf_defocus.conversion.plain_pickle import Buildable

_KINDS = "biuf"
_MAX_AXES = 8


class _Type(Buildable):
    """`numpy.dtype("f4", ...)`, then a state that gives the byte order."""

    def __init__(self, code, *_):
        if code == "O8":  # references to objects, which only a list of arrays has
            self.dtype = None
            return
        if not isinstance(code, str) or len(code) != 2 or code[0] not in _KINDS:
            raise ValueError("it holds an array that is not of numbers")
        self.dtype = np.dtype(code)

    def set_state(self, state):
        if self.dtype is not None and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(Buildable):
    """An array, which is whole once it has its state."""

    def __init__(self, *_):
        self.value = None

    def set_state(self, state):
        _, shape, kind, columns_first, data = state
        check_shape(shape)
        if kind.dtype is None:
            self.value = _arrays_of(data, shape)
            return
        if isinstance(data, str):  # as Python 2 wrote bytes
            data = data.encode("latin-1")
        if len(data) != math.prod(shape) * kind.dtype.itemsize:
            raise ValueError(f"an array of shape {shape} has {len(data)} bytes")
        order = "F" if columns_first is True else "C"
        self.value = np.frombuffer(data, kind.dtype).reshape(shape, order=order)


def check_shape(shape):
    """Refuses what is no shape.

    Raises:
        ValueError: if it is not.
    """
    sides = type(shape) is tuple and len(shape) <= _MAX_AXES and shape
    if shape != () and not (sides and all(type(n) is int and n >= 0 for n in shape)):
        raise ValueError("a tensor has no proper shape")


def _arrays_of(items, shape):
    if type(items) is not list or shape != (len(items),):
        raise ValueError("its arrays form no list")
    if not all(isinstance(item, _Array) and item.value is not None for item in items):
        raise ValueError("its list holds something besides arrays")
    return [item.value for item in items]


def _scalar(kind, data):
    """A number that NumPy made, such as the best score beside a state dict."""
    if isinstance(data, str):
        data = data.encode("latin-1")
    return np.frombuffer(data, kind.dtype, count=1)[0].item()


def _encode(text, encoding):
    """Bytes, as Python 3 writes them for Python 2."""
    if encoding != "latin1":
        raise ValueError("it holds text in an unknown encoding")
    return text.encode("latin-1")


NAMES = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "_codecs.encode": _encode,
    **{
        f"numpy.{core}.multiarray.{name}": function
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}
