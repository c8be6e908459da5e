"""IFAN's official tensors: `Network.<layer>.<weight|bias>`, `reblurNet.RBF...`.

PyTorch layouts. The official filter map holds all iterations' filters, each
`channel * taps + tap`, then all biases; ours holds an iteration's two filters, each
`tap * channels + channel`, and its bias, then the next iteration's.
"""

import dataclasses
import functools

import numpy as np

from tf_defocus.conversion.assignment import (
    Assignment,
    identity,
    torch_convolution,
    torch_transposed_convolution,
)
from tf_defocus.models.ifan import IFAN

_PREFIX = {True: "Network.", False: "reblurNet."}


def is_skipped(name, model):
    """Each of the two networks leaves the other one's tensors."""
    return name.startswith(_PREFIX[not isinstance(model, IFAN)])


def assignments(model):
    """Yields every official tensor of an `IFAN` or a `ReblurringNetwork`."""
    if not isinstance(model, IFAN):
        yield from _reblurring(model)
        return
    if model.adaptive_filters != "iac" or not model.use_disparity:
        raise ValueError(
            "Official tensors exist for adaptive_filters='iac' and use_disparity=True. "
            f"Received: adaptive_filters={model.adaptive_filters!r}, "
            f"use_disparity={model.use_disparity}"
        )
    yield from _encoder("conv", model.feature_encoder)
    yield from _encoder("kconv", model.filter_encoder)
    yield from _trunk("Network.DME", model.disparity_estimator.trunk)
    yield from _convolution("Network.DME.3", model.disparity_estimator.disparity)
    yield from _convolution("Network.conv_DME.0", model.disparity_features)
    yield from _trunk("Network.conv4_4", model.context)
    yield from _trunk("Network.F", model.filter_trunk)
    yield from _predictor("Network.F.3", model.adaptive_convolution)
    yield from _trunk("Network.conv_res", model.reconstruction)
    for level, (upsample, *refine) in zip((3, 2, 1), model.upsampling):
        name = f"Network.upconv{level}"
        yield from _convolution(f"{name}_u.0", upsample, torch_transposed_convolution)
        for part, group in enumerate(refine, start=1):
            yield from _group(f"{name}_{part}", group)
    yield from _convolution("Network.out_res.0", model.residual)


def official_filter_order(num_iterations, filter_size, channels):
    """Where our filter map's channels lie in the official one.

    Returns:
        int array: `ours = official[..., order]`.
    """
    taps = num_iterations * 2 * channels * filter_size
    kernels = np.arange(taps).reshape(num_iterations, 2, channels, filter_size)
    kernels = np.swapaxes(kernels, 2, 3).reshape(num_iterations, -1)
    biases = taps + np.arange(num_iterations * channels).reshape(num_iterations, -1)
    return np.concatenate([kernels, biases], axis=1).ravel()


def _reblurring(model):
    opening, *rest = _trunk("reblurNet.RBF", model.trunk)
    layout = functools.partial(_ordered_inputs, order=_deblurring_order(model))
    yield dataclasses.replace(opening, layout=layout)
    yield from rest
    yield from _predictor("reblurNet.RBF.3", model.adaptive_convolution)


def _deblurring_order(model):
    """Order of the filters that a `ReblurringNetwork` reads.

    The authors' two networks have filters of one size.
    """
    channels = 4 * model.base_filters
    step = (2 * model.filter_size + 1) * channels
    if model.filter_channels % step:
        raise ValueError(
            f"Official tensors exist where filter_channels is a multiple of {step}. "
            f"Received: filter_channels={model.filter_channels}"
        )
    iterations = model.filter_channels // step
    return official_filter_order(iterations, model.filter_size, channels)


def _encoder(prefix, encoder):
    for level, parts in enumerate(encoder.levels, start=1):
        for part, layer in enumerate(parts, start=1):
            yield from _convolution(f"Network.{prefix}{level}_{part}.0", layer)


def _trunk(name, trunk):
    yield from _convolution(f"{name}.0.0", trunk.opening_layer)
    for index, group in enumerate(trunk.groups, start=1):
        yield from _group(f"{name}.{index}", group)
    if trunk.closing_layer is not None:
        closing = f"{name}.{len(trunk.groups) + 1}.0"
        yield from _convolution(closing, trunk.closing_layer)


def _group(name, group):
    for index, (first, second) in enumerate(group.units):
        yield from _convolution(f"{name}.stem.{index}.0", first)
        yield from _convolution(f"{name}.stem.{index}.2", second)


def _convolution(name, layer, layout=torch_convolution):
    yield Assignment(f"{name}.weight", layer.kernel, layout)
    yield Assignment(f"{name}.bias", layer.bias, identity)


def _predictor(name, layer):
    step = layer.bias.shape[0] // layer.num_iterations
    order = official_filter_order(
        layer.num_iterations, layer.filter_size, step // (2 * layer.filter_size + 1)
    )
    yield Assignment(
        f"{name}.weight", layer.kernel, functools.partial(_ordered_kernel, order=order)
    )
    yield Assignment(
        f"{name}.bias", layer.bias, functools.partial(_ordered, order=order)
    )


def _ordered_kernel(array, order):
    return _ordered(torch_convolution(array), order)


def _ordered_inputs(array, order):
    return torch_convolution(array)[:, :, order]


def _ordered(array, order):
    return array[..., order]
