"""DPDNet's official tensors: `NN/kernel`, `NN/bias`, NN in layer creation order.

Layouts are Keras' already. The authors' HDF5 files were trained on blue, green, red
images; `read_hdf5` returns the tensors of the same function on red, green, blue.
"""

from tf_defocus.conversion import keras_hdf5
from tf_defocus.conversion.assignment import nothing_skipped, numbered

CONVOLUTIONS = 24

is_skipped = nothing_skipped


def assignments(model):
    """Every official tensor, in the order the authors' layers were made."""
    stages = (*model.encoder, *model.decoder)
    return numbered(
        [*(layer for stage in stages for layer in stage), model.colors, model.mixing]
    )


def read_hdf5(path):
    """Reads the authors' Keras file, its colours reordered to red, green, blue.

    Args:
        path: path of an `.hdf5` file of weights or of a whole model, whose convolutions
            are named `conv2d_<n>`, in creation order.

    Returns:
        Dict official name -> array, as `load_official` takes it.

    Raises:
        ValueError: if the file does not hold 24 convolutions.
    """
    arrays = keras_hdf5.read_convolutions(path, CONVOLUTIONS, "DPDNet")
    return keras_hdf5.swap_red_and_blue(arrays, "00", [f"{CONVOLUTIONS - 1:02d}"])
