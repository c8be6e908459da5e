"""DPDNet's official tensors: `NN/kernel`, `NN/bias`, NN in layer creation order.

Layouts are Keras' already. The authors' HDF5 files were trained on blue, green, red
images; `read_hdf5` returns the tensors of the same function on red, green, blue.
"""

import h5py
import numpy as np

from tf_defocus.conversion.assignment import Assignment

CONVOLUTIONS = 24


def is_skipped(name, model):
    """Nothing is: the network has no other parts."""
    del name, model
    return False


def assignments(model):
    """Yields every official tensor, in the order the authors' layers were made."""
    for index, layer in enumerate(_in_creation_order(model)):
        yield Assignment(f"{index:02d}/kernel", layer.kernel)
        yield Assignment(f"{index:02d}/bias", layer.bias)


def read_hdf5(path):
    """Reads the authors' Keras file, its colours reordered to red, green, blue.

    Args:
        path: path of an `.hdf5` file of weights or of a whole model, whose convolutions
            are named `conv2d_<n>`, in creation order.

    Returns:
        Dict official name -> float32 array, as `load_official` takes it.

    Raises:
        ValueError: if the file does not hold 24 convolutions.
    """
    with h5py.File(path, "r") as file:
        groups = file.get("model_weights", file)
        names = sorted(
            (name for name in groups if name.startswith("conv2d_")),
            key=lambda name: int(name.removeprefix("conv2d_")),
        )
        if len(names) != CONVOLUTIONS:
            raise ValueError(
                f"A DPDNet file holds {CONVOLUTIONS} layers named conv2d_<n>. "
                f"Received: {len(names)} in {path}"
            )
        arrays = {}
        for index, name in enumerate(names):
            for kind in ("kernel", "bias"):
                value = groups[name][name][f"{kind}:0"][()]
                arrays[f"{index:02d}/{kind}"] = value.astype("float32")
    return _swap_red_and_blue(arrays)


def _swap_red_and_blue(arrays):
    """Reverses the input channels of every view, and the output channels."""
    first = arrays["00/kernel"]
    views = np.split(first, first.shape[2] // 3, axis=2)
    last = f"{CONVOLUTIONS - 1:02d}"
    return {
        **arrays,
        "00/kernel": np.concatenate([view[:, :, ::-1] for view in views], axis=2),
        f"{last}/kernel": arrays[f"{last}/kernel"][..., ::-1],
        f"{last}/bias": arrays[f"{last}/bias"][::-1],
    }


def _in_creation_order(model):
    for stage in (*model.encoder, *model.decoder):
        yield from stage
    yield from (model.colors, model.mixing)
