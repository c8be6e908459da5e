"""RDPD's official tensors: `NN/kernel`, `NN/bias`, NN in layer creation order.

Layer 09 is the convolutional LSTM, with a `recurrent_kernel` too. Layouts are Keras'
already. The authors' HDF5 files were trained on blue, green, red images; `read_hdf5`
returns the tensors of the same function on red, green, blue.
"""

import re

import numpy as np

from tf_defocus.conversion import keras_hdf5
from tf_defocus.conversion.assignment import Assignment, nothing_skipped

LAYERS = 24
_LSTM = 9  # its place among the layers
_NAME = re.compile(r"(?:time_distributed|(conv_lstm2d))(?:_(\d+))?")
# Of the first layer: left and right, and the distance from the centre.
_RED_GREEN_BLUE = (2, 1, 0, 5, 4, 3, 6)

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor, in the order the authors' layers were made."""
    for index, layer in enumerate(_in_creation_order(model)):
        yield Assignment(f"{index:02d}/kernel", layer.kernel)
        if index == _LSTM:
            yield Assignment(f"{index:02d}/recurrent_kernel", layer.recurrent_kernel)
        yield Assignment(f"{index:02d}/bias", layer.bias)


def read_hdf5(path):
    """Reads the authors' Keras file, its colours reordered to red, green, blue.

    Args:
        path: path of an `.hdf5` file of weights or of a whole model, whose layers are
            named `time_distributed`, `time_distributed_1`, ... and `conv_lstm2d`.

    Returns:
        Dict official name -> array, as `load_official` takes it.

    Raises:
        ValueError: if the file does not hold 23 such layers and an LSTM.
    """
    tensors_of = keras_hdf5.read_layers(path)
    found = {True: [], False: []}  # the LSTM, the others
    for match in filter(None, map(_NAME.fullmatch, tensors_of)):
        found[bool(match[1])].append((int(match[2] or 0), tensors_of[match[0]]))
    layers = [tensors for _, tensors in sorted(found[False], key=lambda x: x[0])]
    if (len(found[True]), len(layers)) != (1, LAYERS - 1):
        raise ValueError(
            f"An RDPD file holds {LAYERS - 1} layers named time_distributed_<n> and "
            f"one conv_lstm2d. Received: {len(layers)} and {len(found[True])} in {path}"
        )
    layers.insert(_LSTM, found[True][0][1])
    return to_rgb(
        {
            f"{index:02d}/{kind}": value
            for index, tensors in enumerate(layers)
            for kind, value in tensors.items()
        }
    )


def to_rgb(arrays):
    """The same function of red, green, blue, made of one of blue, green, red.

    Args:
        arrays: dict official name -> array.

    Returns:
        Dict of the same names.
    """
    last = f"{LAYERS - 1:02d}"
    return {
        **arrays,
        "00/kernel": np.asarray(arrays["00/kernel"])[:, :, _RED_GREEN_BLUE],
        f"{last}/kernel": np.asarray(arrays[f"{last}/kernel"])[..., ::-1],
        f"{last}/bias": np.asarray(arrays[f"{last}/bias"])[::-1],
    }


def _in_creation_order(model):
    for stage in model.encoder:
        yield from stage
    yield model.lstm
    for stage in model.decoder:
        yield from stage
    yield from (model.colors, model.mixing)
