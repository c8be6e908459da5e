"""SRN's official variables: `g_net/<layer>/weights:0`, `.../biases:0`.

Layouts are Keras' already. A checkpoint of a training holds Adam's moments and steps
beside them.
"""

from tf_defocus.conversion.assignment import Assignment

_ROOT = "g_net/"
_OF_ADAM = ("/Adam:0", "/Adam_1:0")


def is_skipped(name, model):
    """What only the training needs is."""
    del model
    return not name.startswith(_ROOT) or name.endswith(_OF_ADAM)


def named(arrays):
    """Variables of a checkpoint under the names that TensorFlow 1 prints.

    Args:
        arrays: dict, `g_net/<layer>/weights` -> array.

    Returns:
        dict, as `load_official` takes it.
    """
    return {f"{name}:0": array for name, array in arrays.items()}


def assignments(model):
    """Yields every official variable of an `SRN`."""
    network = model.network
    for level, (entrance, blocks) in enumerate(network.encoder, start=1):
        yield from _convolution(f"enc{level}_1", entrance)
        for index, block in enumerate(blocks, start=2):
            yield from _block(f"enc{level}_{index}", block)
    if network.memory is not None:
        yield from _convolution("convLSTM/LSTM_conv", network.memory.gates)
    for level, blocks in zip((3, 2, 1), network.decoder):
        for index, block in zip((3, 2, 1), blocks):
            yield from _block(f"dec{level}_{index}", block)
    for level, rise in zip((2, 1), network.rises):
        yield from _convolution(f"dec{level}_4", rise)
    yield from _convolution("dec1_0", network.closing)


def _block(name, block):
    yield from _convolution(f"{name}/conv1", block.first)
    yield from _convolution(f"{name}/conv2", block.second)


def _convolution(name, layer):
    yield Assignment(f"g_net/{name}/weights:0", layer.kernel)
    yield Assignment(f"g_net/{name}/biases:0", layer.bias)
