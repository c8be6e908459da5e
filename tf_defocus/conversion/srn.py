"""SRN's official variables: `g_net/<layer>/weights:0`, `.../biases:0`.

Layouts are Keras' already.
"""

from tf_defocus.conversion.assignment import Assignment, nothing_skipped

is_skipped = nothing_skipped


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
