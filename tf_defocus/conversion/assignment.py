"""From official tensors to variables: layouts, and a loader that fails loudly."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np


def identity(array):
    """Keras' own layout."""
    return array


def torch_convolution(array):
    """(out, in, height, width) -> (height, width, in, out)."""
    return np.transpose(array, (2, 3, 1, 0))


def torch_transposed_convolution(array):
    """(in, out, height, width) -> (height, width, out, in)."""
    return np.transpose(array, (2, 3, 1, 0))


def torch_linear(array):
    """(out, in) -> (in, out)."""
    return np.transpose(array)


@dataclasses.dataclass(frozen=True)
class Assignment:
    """One official tensor and the variable that takes it.

    Attributes:
        name: str, official name.
        variable: keras.Variable.
        layout: function from the official layout to the variable's.
    """

    name: str
    variable: keras.Variable
    layout: Callable = identity


def fill(assignments, arrays):
    """Assigns every array to its variable.

    Args:
        assignments: iterable of `Assignment`.
        arrays: mapping official name -> array; each must be used exactly once.

    Raises:
        ValueError: naming the tensors that are missing, left over or misshapen. Nothing
            is assigned then.
    """
    assignments = list(assignments)
    names = [a.name for a in assignments]
    missing = sorted(set(names) - set(arrays))
    unused = sorted(set(arrays) - set(names))
    if missing or unused:
        raise ValueError(
            "The tensors do not match the model; check its name and arguments. "
            f"Missing: {missing or 'none'}. Unused: {unused or 'none'}."
        )
    values = {a.name: a.layout(np.asarray(arrays[a.name])) for a in assignments}
    for a in assignments:
        if values[a.name].shape != tuple(a.variable.shape):
            raise ValueError(
                f"{a.name} must have shape {tuple(a.variable.shape)} in Keras layout. "
                f"Received: {values[a.name].shape}"
            )
    for a in assignments:
        a.variable.assign(values[a.name])
