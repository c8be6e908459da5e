"""The layers of a Keras 2 file; its convolutions in the order they were made."""

import re

import numpy as np

from tf_defocus.array_files import hdf5

_NAME = re.compile(r"conv2d(?:_(\d+))?")  # given by Keras, which counts
_WHOLE_MODEL, _OPTIMIZER = "model_weights/", "optimizer_weights/"


def read_convolutions(path, count, network):
    """Reads the kernels and biases of all the 2-D convolutions of a file.

    Args:
        path: path of an `.hdf5` file of weights or of a whole model.
        count: int, how many convolutions the network has.
        network: str, its name, for the message.

    Returns:
        Dict `NN/kernel` (height, width, in, out) or `NN/bias` -> `StoredArray`, NN in
        creation order from 00.

    Raises:
        ValueError: if the file is damaged or holds another number of them.
    """
    layers = read_layers(path)
    found = [match for match in map(_NAME.fullmatch, layers) if match]
    if len(found) != count:
        raise ValueError(
            f"A {network} file holds {count} layers named conv2d or conv2d_<n>. "
            f"Received: {len(found)} in {path}"
        )
    arrays = {}
    names = [m[0] for m in sorted(found, key=lambda match: int(match[1] or 0))]
    for index, name in enumerate(names):
        if set(layers[name]) != {"kernel", "bias"}:
            raise ValueError(
                f"{name} of a {network} file holds a kernel and a bias. "
                f"Received: {sorted(layers[name])} in {path}"
            )
        for kind, array in layers[name].items():
            arrays[f"{index:02d}/{kind}"] = array
    return arrays


def read_layers(path):
    """The tensors of every layer of a file.

    Args:
        path: path of an `.hdf5` file of weights or of a whole model.

    Returns:
        Dict layer name -> dict of "kernel", "bias", "recurrent_kernel" ... ->
        `StoredArray`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no HDF5 file, is damaged or points outside itself.
    """
    found = hdf5.open_datasets(path, lambda n: not n.startswith(_OPTIMIZER))
    layers = {}
    for name, array in found.items():
        layer = name.removeprefix(_WHOLE_MODEL).partition("/")[0]
        kind = name.rpartition("/")[2].removesuffix(":0")
        layers.setdefault(layer, {})[kind] = array
    return layers


def swap_red_and_blue(arrays, first, last):
    """The same function of red, green, blue, made of one of blue, green, red.

    Args:
        arrays: dict of `read_convolutions`.
        first: str, number of the layer that sees the images, three channels each.
        last: numbers of the layers that make images.

    Returns:
        Dict of the same names.
    """
    kernel = np.asarray(arrays[f"{first}/kernel"])
    views = np.split(kernel, kernel.shape[2] // 3, axis=2)
    swapped = {
        f"{first}/kernel": np.concatenate([view[:, :, ::-1] for view in views], axis=2)
    }
    for name in (f"{layer}/{kind}" for layer in last for kind in ("kernel", "bias")):
        swapped[name] = np.asarray(arrays[name])[..., ::-1]
    return {**arrays, **swapped}
