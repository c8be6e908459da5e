"""GKMNet's official tensors: the authors' module tree, without its Gaussian bank.

The bank is fixed and not saved; batch counters are of no use here.
"""

from tf_defocus.conversion.assignment import (
    Assignment,
    batch_counters_skipped,
    torch_convolution,
    torch_transposed_convolution,
)

_BLOCKS = {
    "in_block": "full_in",
    "conv_block1_1": "half_in",
    "conv_block2_1": "quarter_in",
    "bottle_neck_1": "bottleneck",
    "conv_block3_1": "half_out",
    "conv_block4_1": "full_out",
}
_GATES = {1: "cw", 2: "hc", 3: "hw"}  # by the pooled axis

is_skipped = batch_counters_skipped


def assignments(model):
    """Yields every official tensor of a model with the released bank and ConvLSTM.

    Raises:
        ValueError: if the model has parts that were never released.
    """
    whole = model.recurrent and model.gaussian_mixture and not model.further_steps
    if model.trainable_gaussians or not whole:
        raise ValueError(
            "The authors' tensors fit a fixed bank with a ConvLSTM. Received: "
            f"trainable_gaussians={model.trainable_gaussians}, "
            f"recurrent={model.recurrent}, gaussian_mixture={model.gaussian_mixture}, "
            f"share_iterations={model.share_iterations}"
        )
    for official, ours in _BLOCKS.items():
        yield from _block(official, getattr(model.attention, ours))
    prediction = model.attention.prediction
    yield from _normalized("APU.conv.conv", prediction, "convolution", "normalization")
    yield from _convolution("APU.conv_atten.conv", prediction.memory.gates)
    yield from _convolution("SumLayer.conv", model.summation)


def _block(name, block):
    if block.normalize:
        head = torch_convolution
        if block.resampling == "up":
            head = torch_transposed_convolution
        yield from _normalized(
            f"{name}.conv", block, "head", "head_normalization", head
        )
    else:
        yield from _convolution(f"{name}.conv.0", block.head)
    for part, (convolution, normalization) in zip(("conv", "conv1"), block.residuals):
        yield from _convolution(f"{name}.res_block.{part}.0", convolution)
        yield from _normalization(f"{name}.res_block.{part}.1", normalization)
    for gate in block.attention.gates:
        root = f"{name}.ta.{_GATES[gate.pooled_axis]}.conv"
        yield Assignment(
            f"{root}.conv.weight", gate.convolution.kernel, torch_convolution
        )
        yield from _normalization(f"{root}.bn", gate.normalization)


def _normalized(name, owner, convolution, normalization, layout=torch_convolution):
    yield from _convolution(f"{name}.0", getattr(owner, convolution), layout)
    yield from _normalization(f"{name}.1", getattr(owner, normalization))


def _convolution(name, layer, layout=torch_convolution):
    yield Assignment(f"{name}.weight", layer.kernel, layout)
    yield Assignment(f"{name}.bias", layer.bias)


def _normalization(name, layer):
    yield Assignment(f"{name}.weight", layer.gamma)
    yield Assignment(f"{name}.bias", layer.beta)
    yield Assignment(f"{name}.running_mean", layer.moving_mean)
    yield Assignment(f"{name}.running_var", layer.moving_variance)
