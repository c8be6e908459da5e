"""KPAC's official tensors: `NNN|<variable name>`, NNN the place in the saved list.

Layouts are Keras' already. A dilated kernel that five branches share is saved once and
has no bias.
"""

from tf_defocus.conversion import naming
from tf_defocus.conversion.assignment import Assignment, nothing_skipped

_ROOT = "deblur_net/"

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor, in the order of the saved list."""
    for index, (name, variable) in enumerate(_in_saved_order(model)):
        yield Assignment(f"{index:03d}|{_ROOT}{name}:0", variable)


def named(arrays, model):
    """Gives the saved list its names.

    Args:
        arrays: dict "000", "001", ... -> array, of `read_tensorlayer`. A kernel that
            branches share stands once.
        model: KPAC of the file's configuration.

    Returns:
        dict official name -> array, as `load_official` takes it, which compares every
        shape: of a list without names nothing else can be compared.

    Raises:
        ValueError: if the list has another length.
    """
    names = [a.name for a in assignments(model)]
    places = [f"{index:03d}" for index in range(len(names))]
    if sorted(arrays) != places:
        raise ValueError(
            f"{model.name} has a list of {len(names)} tensors without names. Received: "
            f"{len(arrays)} tensors, named {naming.listing(sorted(arrays)[:3])}"
        )
    return {name: arrays[place] for name, place in zip(names, places)}


def _in_saved_order(model):
    for level, (first, second) in enumerate(model.encoder):
        code = ("c0", "c2", "c3", "c4")[level]
        yield from _convolution(f"deblur/{code}", first)
        yield from _convolution(f"deblur/{code}_2", second)
    for index, block in enumerate(model.blocks):
        yield from _block(index, block)
    for index, layer in enumerate(model.fusion, start=1):
        yield from _convolution(f"deblur/cm_{index}", layer)
    codes = ("d0", "d1", "d2")[3 - model.levels :]
    merging = [*model.merging, model.residual]
    for code, upsample, merge in zip(codes, model.upsampling, merging):
        yield f"deblur/{code}/W_deconv2d", upsample.kernel
        yield f"deblur/{code}/b_deconv2d", upsample.bias
        yield from _convolution(f"deblur/{code}_2", merge)


def _convolution(name, layer):
    yield f"{name}/W_conv2d", layer.kernel
    yield f"{name}/b_conv2d", layer.bias


def _block(index, block):
    yield f"dc1/{index}/filter", block.atrous.kernels[0]
    for part, layer in enumerate(block.scale.hidden, start=1):
        yield f"sca_dc{part}/{index}/filter", layer.kernel
        yield f"sca_dc{part}/{index}/b", layer.bias
    yield from _convolution(f"sca_c2/{index}", block.scale.weighting)
    yield from _convolution(f"sha_c1/{index}", block.shape.squeeze)
    yield from _convolution(f"sha_c2/{index}", block.shape.excite)
    yield from _convolution(f"cf/{index}", block.fusion)
