"""MDP's official tensors: `NN/kernel`, `NN/bias`, NN in layer creation order.

Encoder 00 to 06; early decoders of left 07 to 13, right 14 to 20 and deblurred 21 to
27; late decoders 28 to 34, 35 to 41, 42 to 48. Layouts are Keras' already. The authors'
HDF5 files were trained on blue, green, red images; `read_hdf5` returns the tensors of
the same function on red, green, blue.
"""

from tf_defocus.conversion import keras_hdf5
from tf_defocus.conversion.assignment import nothing_skipped, numbered

CONVOLUTIONS = 49
_COLORS_IN = "00"
_IMAGES_OUT = ("34", "41", "48")

is_skipped = nothing_skipped


def assignments(model):
    """Every official tensor, in the order the authors' layers were made."""
    return numbered(_in_creation_order(model))


def read_hdf5(path):
    """As `dpdnet.read_hdf5`, of 49 convolutions."""
    arrays = keras_hdf5.read_convolutions(path, CONVOLUTIONS, "MDP")
    return keras_hdf5.swap_red_and_blue(arrays, _COLORS_IN, _IMAGES_OUT)


def _in_creation_order(model):
    for convolutions in model.encoder:
        yield from convolutions
    for d in model.early:
        yield from (d.bottleneck, d.up8, d.conv8, d.up4, d.conv4_1, d.conv4_2, d.up2)
    for d in model.late:
        yield from (d.conv2_1, d.conv2_2, d.up1, d.conv1_1, d.conv1_2)
        yield from (d.colors, d.image)
