"""DeepRFT's official tensors: a W and, of 3x3 kernels, a D for every convolution.

PyTorch layouts; W is (out, in, taps). The constant identity that the authors save
beside D is part of our formula. A model of plain kernels takes folded ones, as W.
"""

import numpy as np

from tf_defocus.conversion.assignment import Assignment, torch_transposed_convolution

_DECODERS = "Decoder.{}.layers.{}"
_ENCODERS = "Encoder.{}.layers.{}"


def is_skipped(name, model):
    """The constant identities are."""
    del model
    return name.endswith(".D_diag")


def assignments(model):
    """Yields every official tensor of a `DeepRFT`."""
    for index, layer in enumerate(model.entrances):
        yield from _convolution(f"feat_extract.{index}", layer)
    for index, layer in enumerate(model.upsamplings, start=3):
        name = f"feat_extract.{index}.main.0.weight"
        yield Assignment(name, layer.kernel, torch_transposed_convolution)
    for pattern, stages in ((_ENCODERS, model.encoders), (_DECODERS, model.decoders)):
        for stage, blocks in enumerate(stages):
            for index, block in enumerate(blocks):
                yield from _block(pattern.format(stage, index), block)
    # SCM2 and FAM2 are those of half the size.
    for number, (shallow, mixing), attention in zip(
        (2, 1), model.image_features, model.attentions
    ):
        for index, layer in enumerate(shallow):
            yield from _convolution(f"SCM{number}.main.{index}", layer)
        yield from _convolution(f"SCM{number}.conv", mixing)
        yield from _convolution(f"FAM{number}.merge", attention)
    for stage, fusion in enumerate(model.fusions):
        for index, layer in enumerate(fusion):
            yield from _convolution(f"AFFs.{stage}.conv.{index}", layer)
    for index, layer in enumerate(model.mergings):
        yield from _convolution(f"Convs.{index}", layer)
    names = ("ConvsOut.0", "ConvsOut.1", "feat_extract.5")
    for name, layer in zip(names, model.residuals):
        yield from _convolution(name, layer)


def _block(name, block):
    for index in range(2):
        yield from _convolution(f"{name}.main.{index}", block.spatial[index])
        yield from _convolution(f"{name}.main_fft.{index}", block.spectral[index])


def _convolution(name, layer):
    yield Assignment(f"{name}.main.0.W", layer.kernel, _of_taps)
    if layer.depthwise is not None:
        yield Assignment(f"{name}.main.0.D", layer.depthwise)


def _of_taps(array):
    """(out, in, taps) or (out, in, size, size) -> (size, size, in, out)."""
    out, channels = array.shape[:2]
    size = round(np.prod(array.shape[2:]) ** 0.5)
    return np.transpose(array.reshape(out, channels, size, size), (2, 3, 1, 0))
