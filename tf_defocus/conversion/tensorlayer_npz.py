"""Reads TensorLayer's files: a list of arrays without names, or arrays by name."""

from tf_defocus.array_files import npz
from tf_defocus.conversion import numpy_pickle, plain_pickle

_LIST = "params"


def read_tensorlayer(path):
    """The tensors of a file of TensorLayer 1.

    Args:
        path: path of the `.npz`.

    Returns:
        dict, name -> array. The tensors of a list (`save_npz`) are named by their
        place, "000", "001", ...

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one line, if it is no such file, or holds anything but arrays of
            numbers; nothing is executed.
    """
    if _LIST not in npz.read_headers(path):
        return npz.open_arrays(path)
    shape, data = npz.read_object_bytes(path, _LIST)
    content, _ = plain_pickle.load(data, names=numpy_pickle.NAMES)
    arrays = getattr(content, "value", None)
    if not isinstance(arrays, list) or shape != (len(arrays),):
        raise ValueError(f"{path} holds no list of arrays under {_LIST!r}")
    return {f"{index:03d}": array for index, array in enumerate(arrays)}
