"""The convolutions of a Keras 2 file, by the order in which they were made."""

import re

import h5py
import numpy as np

_NAME = re.compile(r"conv2d(?:_(\d+))?")  # given by Keras, which counts


def read_convolutions(path, count, network):
    """Reads the kernels and biases of all the 2-D convolutions of a file.

    Args:
        path: path of an `.hdf5` file of weights or of a whole model.
        count: int, how many convolutions the network has.
        network: str, its name, for the message.

    Returns:
        Dict `NN/kernel` (height, width, in, out) or `NN/bias` -> float32 array, NN in
        creation order from 00.

    Raises:
        ValueError: if the file holds another number of them.
    """
    with h5py.File(path, "r") as file:
        groups = file.get("model_weights", file)
        found = [match for match in map(_NAME.fullmatch, groups) if match]
        if len(found) != count:
            raise ValueError(
                f"A {network} file holds {count} layers named conv2d or conv2d_<n>. "
                f"Received: {len(found)} in {path}"
            )
        arrays = {}
        names = [m[0] for m in sorted(found, key=lambda match: int(match[1] or 0))]
        for index, name in enumerate(names):
            for kind in ("kernel", "bias"):
                value = groups[name][name][f"{kind}:0"][()]
                arrays[f"{index:02d}/{kind}"] = value.astype("float32")
    return arrays


def swap_red_and_blue(arrays, first, last):
    """The same function of red, green, blue, made of one of blue, green, red.

    Args:
        arrays: dict of `read_convolutions`.
        first: str, number of the layer that sees the images, three channels each.
        last: numbers of the layers that make images.

    Returns:
        Dict of the same names.
    """
    kernel = arrays[f"{first}/kernel"]
    views = np.split(kernel, kernel.shape[2] // 3, axis=2)
    swapped = {
        f"{first}/kernel": np.concatenate([view[:, :, ::-1] for view in views], axis=2)
    }
    for layer in last:
        for kind in ("kernel", "bias"):
            swapped[f"{layer}/{kind}"] = arrays[f"{layer}/{kind}"][..., ::-1]
    return {**arrays, **swapped}
