"""BaMBNet's official tensors: `layer<l>.<branch>.0.body...`, of both networks alike.

PyTorch layouts. The authors read their files as blue, green, red; `to_rgb` gives the
tensors of the same function of red, green, blue.
"""

import numpy as np

from tf_defocus.conversion.assignment import (
    Assignment,
    nothing_skipped,
    torch_convolution,
)

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor of a `BaMBNet` or a `BlurRadiusNetwork`."""
    yield from _convolution("head.0", model.head)
    yield from _convolution("tail_hard.0", model.tail)
    plain, *deep = model.branches
    for level, layer in enumerate(plain.chain, start=1):
        yield from _convolution(f"layer{level}.0.0", layer)
    for index, branch in enumerate(deep, start=1):
        for level, group in enumerate(branch.chain, start=1):
            yield from _group(f"layer{level}.{index}.0.body", group)


def to_rgb(arrays):
    """Reverses the input channels of both views, and the output channels.

    Args:
        arrays: mapping official name -> array of a network trained on blue, green, red.

    Returns:
        dict of the same names: the same function on red, green, blue.
    """
    head, tail = (np.asarray(arrays[f"{n}.0.weight"]) for n in ("head", "tail_hard"))
    views = [view[:, ::-1] for view in np.split(head, 2, axis=1)]
    return {
        **arrays,
        "head.0.weight": np.concatenate(views, axis=1),
        "tail_hard.0.weight": tail[::-1],
        "tail_hard.0.bias": np.asarray(arrays["tail_hard.0.bias"])[::-1],
    }


def _group(name, group):
    for index, block in enumerate(group.blocks):
        body = f"{name}.{index}.body"
        yield from _convolution(f"{body}.0", block.first)
        yield from _convolution(f"{body}.2", block.second)
        yield from _convolution(f"{body}.3.conv_du.0", block.attention.squeeze)
        yield from _convolution(f"{body}.3.conv_du.2", block.attention.excite)
    yield from _convolution(f"{name}.{len(group.blocks)}", group.closing)


def _convolution(name, layer):
    yield Assignment(f"{name}.weight", layer.kernel, torch_convolution)
    yield Assignment(f"{name}.bias", layer.bias)
