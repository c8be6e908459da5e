"""From official tensors to variables: layouts, and a loader that fails loudly."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from tf_defocus.conversion import naming


def identity(array):
    """Keras' own layout."""
    return array


def torch_convolution(array):
    """(out, in, height, width) -> (height, width, in, out)."""
    return np.transpose(array, (2, 3, 1, 0))


def torch_transposed_convolution(array):
    """(in, out, height, width) -> (height, width, out, in)."""
    return np.transpose(array, (2, 3, 1, 0))


def torch_convolution_3d(array):
    """(out, in, depth, height, width) -> (depth, height, width, in, out).

    Of a transposed one, (in, out, ...) -> (..., out, in).
    """
    return np.transpose(array, (2, 3, 4, 1, 0))


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


def nothing_skipped(name, model):
    """The `is_skipped` of a network whose authors' file holds nothing else."""
    del name, model
    return False


def batch_counters_skipped(name, model):
    """The `is_skipped` that leaves batch normalisation's counters, read by nobody."""
    del model
    return name.endswith(".num_batches_tracked")


def numbered(layers):
    """Yields `NN/kernel` and `NN/bias` of layers, NN counting from 00."""
    for index, layer in enumerate(layers):
        yield Assignment(f"{index:02d}/kernel", layer.kernel)
        yield Assignment(f"{index:02d}/bias", layer.bias)


def fill(assignments, arrays):
    """Assigns every array to its variable.

    Args:
        assignments: iterable of `Assignment`.
        arrays: mapping official name -> array; each must be used exactly once.

    Raises:
        ValueError: naming the tensors that are missing, left over or misshapen, ten at
            most, and what to do where that is known. Nothing is assigned then.
    """
    assignments = list(assignments)
    match(assignments, arrays)
    for a in assignments:
        a.variable.assign(a.layout(np.asarray(arrays[a.name])))


def match(assignments, arrays):
    """Compares the shapes of tensors with the variables that are to take them.

    Args:
        assignments, arrays: of `fill`; the variables need no values, and no number of
            a `StoredArray` is read.

    Raises:
        ValueError: as `fill` does.
    """
    names = [a.name for a in assignments]
    missing = sorted(set(names) - set(arrays))
    unused = sorted(set(arrays) - set(names), key=str)
    if missing or unused:
        remedy = naming.cure(arrays, names) or "check its name and arguments"
        raise ValueError(
            f"The tensors do not match the model; {remedy}. Missing: "
            f"{naming.listing(missing)}. Unused: {naming.listing(unused)}."
        )
    for a in assignments:
        _check_shape(a, np.shape(arrays[a.name]))


def _check_shape(assignment, shape):
    expected = tuple(assignment.variable.shape)
    try:  # on one number, whatever the shape
        found = assignment.layout(np.broadcast_to(np.float32(0), shape)).shape
    except (ValueError, IndexError):  # other axes than the layout moves
        found = None
    if found != expected:
        raise ValueError(
            f"{assignment.name} must have shape {expected} in Keras layout. "
            f"Received: {shape if found is None else found}"
        )
