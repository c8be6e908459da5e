"""NRKNet's official tensors: the authors' module tree.

Their images hold blue, green, red: `to_rgb` gives the tensors of the same function of
red, green, blue. Batch counters are of no use here.
"""

import numpy as np

from tf_defocus.conversion.assignment import (
    Assignment,
    batch_counters_skipped,
    torch_convolution,
    torch_transposed_convolution,
)

COLOURS = 3
_LIFT = "feat_extract.0.main.0.weight"
_SUM = "SummationLayer.conv"
_KERNELS = "GCM.kernels"

is_skipped = batch_counters_skipped


def assignments(model):
    """Yields every official tensor."""
    for level, (convolution, units) in enumerate(model.encoder):
        yield _reflected(f"feat_extract.{level}", convolution)
        yield from _units(f"Encoder.{level}", units)
    yield _reflected("bottleneck.0", model.bottleneck[0])
    yield from _units("bottleneck.1", model.bottleneck[1])
    for position, upsample in zip((4, 3), model.upsampling):
        yield Assignment(
            f"feat_extract.{position}.main.0.weight",
            upsample.kernel,
            torch_transposed_convolution,
        )
    for position, units in zip((2, 1, 0), model.decoder):
        yield from _units(f"Decoder.{position}", units)
    yield from _prediction(model.prediction)
    yield Assignment(_KERNELS, model.blur.bank.half_kernels, _half_kernels)
    yield Assignment(f"{_SUM}.weight", model.blur.kernel, torch_convolution)
    yield Assignment(f"{_SUM}.bias", model.blur.bias)


def to_rgb(arrays):
    """The tensors of the same function on red, green, blue images.

    Args:
        arrays: dict official name -> array, of the authors' files.

    Returns:
        The same, colours reversed where images enter, are blurred and leave.
    """
    weight = np.asarray(arrays[f"{_SUM}.weight"])
    kernels = np.asarray(arrays[_KERNELS])
    by_colour = weight.reshape(COLOURS, -1, COLOURS)
    triples = kernels.reshape(-1, COLOURS, *kernels.shape[1:])
    return {
        **arrays,
        _LIFT: np.asarray(arrays[_LIFT])[:, ::-1],
        f"{_SUM}.weight": by_colour[::-1, :, ::-1].reshape(weight.shape),
        f"{_SUM}.bias": np.asarray(arrays[f"{_SUM}.bias"])[::-1],
        _KERNELS: triples[:, ::-1].reshape(kernels.shape),
    }


def _prediction(layer):
    yield _reflected("APU.conv", layer.convolution)
    root, normalization = "APU.conv.main.1", layer.normalization
    yield Assignment(f"{root}.weight", normalization.gamma)
    yield Assignment(f"{root}.bias", normalization.beta)
    yield Assignment(f"{root}.running_mean", normalization.moving_mean)
    yield Assignment(f"{root}.running_var", normalization.moving_variance)
    gates = layer.memory.gates
    yield Assignment("APU.conv_atten.conv.weight", gates.kernel, torch_convolution)
    yield Assignment("APU.conv_atten.conv.bias", gates.bias)


def _units(name, chain):
    for index, unit in enumerate(chain.units):
        for part, convolution in enumerate(unit):
            yield _reflected(f"{name}.layers.{index}.main.{part}", convolution)


def _reflected(name, layer):
    kernel = layer.convolution.kernel
    return Assignment(f"{name}.main.0.weight", kernel, torch_convolution)


def _half_kernels(array):
    """(3 * kernels, 1, 1, 2) -> (kernels, 3, 2)."""
    return np.reshape(array, (-1, COLOURS, 2))
