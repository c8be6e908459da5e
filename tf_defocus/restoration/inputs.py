"""The views of a photograph as arrays that keep the contract, or why they do not."""

import os

import numpy as np

from tf_defocus.images import levels

DTYPES = ("uint8", "uint16", "float32")
EXPECTED = "Expected an array (height, width, 3)"


def as_views(given, expected):
    """What was given, as NumPy arrays that a network can be fed with.

    Args:
        given: dict, name -> array, tensor of any framework, or RGB picture of Pillow's;
            None for a view that is not given.
        expected: tuple of str, names of the views that the network wants.

    Returns:
        dict, name -> (height, width, 3) uint8, uint16 or float32 in [0, 1], all alike,
        in the machine's byte order.

    Raises:
        ValueError: if a view is missing, not wanted, not alike the others, no such
            array, not finite, or on another scale than 0 to 1.
    """
    views = {name: _as_array(view) for name, view in given.items() if view is not None}
    if set(views) != set(expected):
        raise ValueError(
            f"Expected the views {', '.join(expected)}. "
            f"Received: {', '.join(views) or 'none'}"
        )
    _check_alike(views)
    for name, view in views.items():
        if view.dtype.kind == "f":
            try:
                levels.check_range(view)
            except ValueError as error:
                raise ValueError(f"The input {name} is wrong: {error}") from error
    return views


def _as_array(view):
    kind = type(view).__name__
    if isinstance(view, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{EXPECTED}. Received: a path; read it with images.read_image"
        )
    if hasattr(view, "pixels"):
        raise ValueError(f"{EXPECTED}. Received: {kind}; give its `pixels`")
    if hasattr(view, "getbands") and view.mode != "RGB":
        raise ValueError(
            f'{EXPECTED}. Received: a picture of mode {view.mode}; .convert("RGB") it'
        )
    try:
        array = np.asarray(view)
    except Exception as error:  # each framework has its own for what it cannot copy
        raise ValueError(f"{EXPECTED}. Received: {kind}; {error}") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_alike(views):
    shapes = {name: tuple(view.shape) for name, view in views.items()}
    dtypes = {name: str(view.dtype) for name, view in views.items()}
    shape, dtype = next(iter(shapes.values())), next(iter(dtypes.values()))
    if len(set(shapes.values())) > 1 or len(set(dtypes.values())) > 1:
        listed = (f"{name} {shapes[name]} {dtypes[name]}" for name in views)
        raise ValueError(f"Views must be alike. Received: {', '.join(listed)}")
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"{EXPECTED}. Received: shape={shape}{_remedy(shape)}")
    if dtype not in DTYPES:
        raise ValueError(
            f"Expected uint8, uint16 or float32. Received: dtype={dtype}; convert it, "
            "floats to float32 in [0, 1]"
        )


def _remedy(shape):
    if len(shape) == 4:
        return "; give one photograph of the batch at a time"
    if len(shape) == 3 and shape[0] == 3:
        return "; move the channels last"
    if len(shape) == 2 or shape[2:] == (1,):
        return "; repeat the grey channel three times"
    if shape[2:] == (4,):
        return "; take the alpha channel off"
    return ""
