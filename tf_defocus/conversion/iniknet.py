"""INIKNet's official tensors: the authors' module tree.

PyTorch layouts. The frequency of a kernel's two sines is one scalar under two names.
The authors read their files as blue, green, red; `to_rgb` gives the tensors of the same
function of red, green, blue.
"""

import numpy as np

from tf_defocus.conversion.assignment import (
    Assignment,
    nothing_skipped,
    torch_convolution,
    torch_linear,
    torch_transposed_convolution,
)

COLOURS = 3
_DIRECTIONS = {"left2right": "to_fine", "right2left": "to_coarse"}

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor of an `INIKNet`."""
    unet = model.features
    parts = [("Encoder", i, part) for i, part in enumerate(unet.encoder)]
    parts += [("Decoder", i, part) for i, part in enumerate(unet.decoder)]
    for index, (stage, number, (entrance, units)) in enumerate(parts):
        name = f"unet.feat_extract.{index}.main.0.weight"
        yield Assignment(name, entrance.convolution.kernel, torch_convolution)
        yield from _units(f"unet.{stage}.{number}", units)
    for index, rise in enumerate(unet.rises, start=1):
        name = f"unet.up{index}.main.0.weight"
        yield Assignment(name, rise.kernel, torch_transposed_convolution)
    yield from _scales("lstms_basis_select", model.basis_scales)
    yield from _scales("lstms_scale_select", model.size_scales)
    yield from _convolution("scale_select", model.size_selection)
    yield from _convolution("basis_select", model.basis_selection)
    yield from _convolution("sum", model.summation)
    for index, basis in enumerate(model.summation.bases):
        yield from _implicit(f"inr_conv.kernelINR_list.{index}.layers", basis)


def to_rgb(arrays):
    """Reverses the colours of the input, of the filtered images and of the output.

    Args:
        arrays: mapping official name -> array of a network trained on blue, green, red.

    Returns:
        dict of the same names: the same function on red, green, blue.
    """
    entrance = "unet.feat_extract.0.main.0.weight"
    bases = np.asarray(arrays["basis_select.weight"]).shape[0]
    mixing = np.asarray(arrays["sum.weight"])
    by_colour = mixing.reshape(COLOURS, -1, COLOURS, bases)[::-1, :, ::-1]
    return {
        **arrays,
        entrance: np.asarray(arrays[entrance])[:, ::-1],
        "sum.weight": by_colour.reshape(mixing.shape),
        "sum.bias": np.asarray(arrays["sum.bias"])[::-1],
    }


def _scales(name, scales):
    for official, ours in _DIRECTIONS.items():
        cell = getattr(scales, ours)
        yield from _units(f"{name}.{official}.cell.layers", cell.units)
        yield from _convolution(f"{name}.{official}.cell.conv", cell.gates)
    yield Assignment(f"{name}.norm.norm.weight", scales.normalisation.gamma)
    yield Assignment(f"{name}.norm.norm.bias", scales.normalisation.beta)


def _units(name, units):
    for index, unit in enumerate(units.units):
        for part, layer in enumerate(unit):
            official = f"{name}.layers.{index}.main.{part}.main.0.weight"
            yield Assignment(official, layer.convolution.kernel, torch_convolution)


def _implicit(name, basis):
    for index, layer in ((0, basis.first), (2, basis.second)):
        yield Assignment(f"{name}.{index}.weight", layer.kernel, torch_linear)
        yield Assignment(f"{name}.{index}.bias", layer.bias)
        yield Assignment(f"{name}.{index + 1}.w0", basis.scale)
    yield Assignment(f"{name}.4.weight", basis.last.kernel, torch_linear)


def _convolution(name, layer):
    yield Assignment(f"{name}.weight", layer.kernel, torch_convolution)
    yield Assignment(f"{name}.bias", layer.bias)
