"""DRBNet's official tensors: `conv1_1.0.weight`, `upconv3_kernel.0.0.weight` and so on.

PyTorch layouts. The blocks are numbered from the finest, `upconv0`, to the coarsest,
`upconv3`, but their convolutions on the image by their share of the size, `img_d8`.
"""

from tf_defocus.conversion.assignment import (
    Assignment,
    nothing_skipped,
    torch_convolution,
    torch_transposed_convolution,
)

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor."""
    for level, parts in enumerate(model.encoder, start=1):
        for part, layer in enumerate(parts, start=1):
            yield from _convolution(f"conv{level}_{part}.0", layer)
    first, *units, last = model.context
    yield from _convolution("conv4_4.0.0", first)
    for index, unit in enumerate(units, start=1):
        yield from _unit(f"conv4_4.{index}", unit)
    yield from _convolution("conv4_4.3.0", last)
    for level, (doubling, *units) in zip((3, 2, 1), model.decoder):
        name = f"upconv{level}_u.0"
        yield from _convolution(name, doubling, torch_transposed_convolution)
        for index, unit in enumerate(units, start=1):
            yield from _unit(f"upconv{level}_{index}", unit)
    for level, block in zip((3, 2, 1, 0), model.blocks):
        for index, layer in enumerate(block.image_features):
            yield from _convolution(f"img_d{2**level}_feature.{index}.0", layer)
        *hidden, filters = block.filters
        for index, layer in enumerate(hidden):
            yield from _convolution(f"upconv{level}_kernel.{index}.0", layer)
        yield from _convolution(f"upconv{level}_kernel.{len(hidden)}", filters)
        for index, layer in enumerate(block.residual):
            yield from _convolution(f"upconv{level}_res.{index}.0", layer)


def _unit(name, unit):
    yield from _convolution(f"{name}.stem.0.0", unit.first)
    yield from _convolution(f"{name}.stem.0.2", unit.second)


def _convolution(name, layer, layout=torch_convolution):
    yield Assignment(f"{name}.weight", layer.kernel, layout)
    yield Assignment(f"{name}.bias", layer.bias)
