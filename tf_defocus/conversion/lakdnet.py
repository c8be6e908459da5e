"""LaKDNet's official tensors: `encoder_level1.0.mixer.dense_depth_1.weight` and so on.

PyTorch layouts; where channels become pixels, the order is changed as Restormer's is.
"""

from tf_defocus.conversion.assignment import (
    Assignment,
    nothing_skipped,
    torch_convolution,
)
from tf_defocus.conversion.restormer import (
    pixels_together,
    torch_depthwise_convolution,
)

is_skipped = nothing_skipped


def assignments(model):
    """Yields every official tensor."""
    yield _kernel("embed", model.embedding)
    for level, blocks in enumerate(model.encoder, start=1):
        name = f"encoder_level{level}" if level < len(model.encoder) else "latent"
        yield from _blocks(name, blocks)
    for level, halving in enumerate(model.halvings, start=1):
        yield _kernel(f"down{level}_{level + 1}.body.0", halving.convolution)
    for level, doubling in enumerate(model.doublings, start=1):
        name = f"up{level + 1}_{level}.body.0.weight"
        yield Assignment(name, doubling.convolution.kernel, pixels_together)
    for level, reduction in enumerate(model.reductions, start=2):
        yield _kernel(f"reduce_chan_level{level}", reduction)
    for level, blocks in enumerate(model.decoder, start=1):
        yield from _blocks(f"decoder_level{level}", blocks)
    yield _kernel("output", model.output_convolution)


def _blocks(name, blocks):
    for index, block in enumerate(blocks):
        prefix = f"{name}.{index}"
        yield from _normalization(f"{prefix}.norm1.body", block.norm1)
        for number, (depthwise, pointwise) in enumerate(block.mixer.steps, start=1):
            yield _depthwise(f"{prefix}.mixer.dense_depth_{number}", depthwise)
            point = f"{prefix}.mixer.dense_point_{number}"
            yield _kernel(point, pointwise)
            yield Assignment(f"{point}.bias", pointwise.bias)
        yield from _normalization(f"{prefix}.norm2.body", block.norm2)
        projection = block.feed_forward.projection
        yield _kernel(f"{prefix}.ffn.project_in", projection.pointwise)
        yield _depthwise(f"{prefix}.ffn.dwconv", projection.depthwise)
        output = block.feed_forward.output_convolution
        yield _kernel(f"{prefix}.ffn.project_out", output)


def _normalization(name, layer):
    yield Assignment(f"{name}.weight", layer.gamma)
    yield Assignment(f"{name}.bias", layer.beta)


def _kernel(name, layer):
    return Assignment(f"{name}.weight", layer.kernel, torch_convolution)


def _depthwise(name, layer):
    return Assignment(f"{name}.weight", layer.kernel, torch_depthwise_convolution)
