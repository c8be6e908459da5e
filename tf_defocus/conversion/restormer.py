"""Restormer's official tensors: `encoder_level1.0.attn.qkv.weight` and so on.

PyTorch layouts. Where channels become pixels, the official order keeps the four pixels
of a channel together, ours the channels of a pixel: the kernels before are reordered.
"""

import numpy as np

from tf_defocus.conversion.assignment import (
    Assignment,
    nothing_skipped,
    torch_convolution,
)

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor."""
    yield from _convolution("patch_embed.proj", model.patch_embedding)
    for level, blocks in enumerate(model.encoder, start=1):
        name = f"encoder_level{level}" if level < len(model.encoder) else "latent"
        yield from _blocks(name, blocks)
    for level, halving in enumerate(model.halvings, start=1):
        yield from _convolution(f"down{level}_{level + 1}.body.0", halving.convolution)
    for level, doubling in enumerate(model.doublings, start=1):
        name = f"up{level + 1}_{level}.body.0.weight"
        yield Assignment(name, doubling.convolution.kernel, pixels_together)
    for level, reduction in enumerate(model.reductions, start=2):
        yield from _convolution(f"reduce_chan_level{level}", reduction)
    for level, blocks in enumerate(model.decoder, start=1):
        yield from _blocks(f"decoder_level{level}", blocks)
    yield from _blocks("refinement", model.refinement)
    if model.views == 2:
        yield from _convolution("skip_conv", model.skip_convolution)
    yield from _convolution("output", model.output_convolution)


def pixels_together(array):
    """A kernel whose filters become pixels, to our order: all channels of a pixel.

    Args:
        array: (filters, channels, height, width); filter `channel * 4 + pixel`.

    Returns:
        (height, width, channels, filters); filter `pixel * filters/4 + channel`.
    """
    kernel = torch_convolution(array)
    grouped = kernel.reshape(*kernel.shape[:-1], -1, 4)
    return np.swapaxes(grouped, -1, -2).reshape(kernel.shape)


def torch_depthwise_convolution(array):
    """(channels, 1, height, width) -> (height, width, channels, 1)."""
    return np.transpose(array, (2, 3, 0, 1))


def _blocks(name, blocks):
    for index, block in enumerate(blocks):
        prefix = f"{name}.{index}"
        yield from _normalization(f"{prefix}.norm1.body", block.norm1)
        yield Assignment(f"{prefix}.attn.temperature", block.attention.temperature)
        projection = block.attention.projection
        yield from _convolution(f"{prefix}.attn.qkv", projection.pointwise)
        yield from _depthwise(f"{prefix}.attn.qkv_dwconv", projection.depthwise)
        output = block.attention.output_convolution
        yield from _convolution(f"{prefix}.attn.project_out", output)
        yield from _normalization(f"{prefix}.norm2.body", block.norm2)
        projection = block.feed_forward.projection
        yield from _convolution(f"{prefix}.ffn.project_in", projection.pointwise)
        yield from _depthwise(f"{prefix}.ffn.dwconv", projection.depthwise)
        output = block.feed_forward.output_convolution
        yield from _convolution(f"{prefix}.ffn.project_out", output)


def _normalization(name, layer):
    yield Assignment(f"{name}.weight", layer.gamma)
    if layer.center:
        yield Assignment(f"{name}.bias", layer.beta)


def _convolution(name, layer):
    yield Assignment(f"{name}.weight", layer.kernel, torch_convolution)
    if layer.use_bias:
        yield Assignment(f"{name}.bias", layer.bias)


def _depthwise(name, layer):
    yield Assignment(f"{name}.weight", layer.kernel, torch_depthwise_convolution)
    if layer.use_bias:
        yield Assignment(f"{name}.bias", layer.bias)
