"""DDDNet's official tensors: `Estd.` of the blur estimator, `Esti.` of the rest.

PyTorch layouts, from two files, which `joined` puts together. Layers that the authors
make and never call are left out.
"""

import re

from tf_defocus.conversion.assignment import (
    Assignment,
    torch_convolution,
    torch_convolution_3d,
    torch_transposed_convolution,
)

_NEVER_CALLED = re.compile(
    r"Estd\.features\.|Estd\.matching\.(conv|deconv)[23]a\.|Esti\.conv\."
    r"|Estd\.(feature|matching)\.end\.1\.bn\."
)
_TRUNK = ("start.0", "start.1", "layer1.0", "layer1.1")
_MATCHING = ("start.0", "start.1", "start.2", "conv1a.0", "conv1a.1")


def is_skipped(name, model):
    """What is never called is, and batch counters."""
    del model
    return bool(_NEVER_CALLED.match(name)) or name.endswith(".num_batches_tracked")


def joined(estimator, restorer):
    """The tensors of the authors' two files under one dict's names.

    Args:
        estimator, restorer: mapping name -> array of `Estd.pkl` and `Esti.pkl`, whose
            names begin with "module.".

    Returns:
        dict, as `load_official` takes it.
    """
    files = {"Estd": estimator, "Esti": restorer}
    return {
        f"{part}.{name.removeprefix('module.')}": array
        for part, arrays in files.items()
        for name, array in arrays.items()
    }


def assignments(model):
    """Yields every official tensor of a `DDDNet`."""
    yield from _estimator(model.blur_estimator)
    for index, encoder in enumerate(model.encoders, start=1):
        yield from _encoder(f"Esti.encoder{index}", encoder)
    decoders = zip("123d", (*model.decoders, model.depth_decoder))
    for suffix, decoder in decoders:
        yield from _decoder(f"Esti.decoder{suffix}", decoder)
    yield Assignment("Esti.cam_attention.gamma", model.attention.gamma)
    yield from _convolution("Esti.down.conv", model.difference)


def _estimator(estimator):
    features = estimator.features
    for official, unit in zip(_TRUNK, features.trunk):
        yield from _unit(f"Estd.feature.{official}", unit)
    for branch, unit in zip((1, 3), features.pooled):
        name = f"Estd.feature.branch{branch}.1"
        yield from _unit(name, unit, "0", "1")
    yield from _unit("Estd.feature.end.0", features.merge)
    kernel = features.closing.kernel
    yield Assignment("Estd.feature.end.1.conv.weight", kernel, torch_convolution)
    units = (*estimator.start, *estimator.coarse, estimator.rising, estimator.joined)
    names = (*_MATCHING, "deconv1a.conv1", "deconv1a.conv2")
    for official, unit in zip(names, units):
        yield from _unit(f"Estd.matching.{official}", unit, layout=torch_convolution_3d)
    for index, layer in enumerate((estimator.finer, estimator.costs)):
        name = f"Estd.matching.end.{index}.conv.weight"
        yield Assignment(name, layer.kernel, torch_convolution_3d)
    name = "Estd.matching.end.0.bn"
    yield from _normalisation(name, estimator.finer_normalisation)


def _encoder(name, encoder):
    for index, (entrance, residual) in zip((1, 5, 9), encoder.levels):
        yield from _convolution(f"{name}.layer{index}", entrance)
        yield from _residual_pair(name, index + 1, residual)


def _decoder(name, decoder):
    for index, residual in zip((13, 17, 21), decoder.residuals):
        yield from _residual_pair(name, index, residual)
    for index, rise in zip((16, 20), decoder.rises):
        layer = f"{name}.layer{index}"
        yield from _convolution(layer, rise, torch_transposed_convolution)
    yield from _convolution(f"{name}.layer24", decoder.closing)


def _residual_pair(name, first, pair):
    for index, unit in enumerate(pair.units, start=first):
        for part, layer in zip((0, 2), unit):
            yield from _convolution(f"{name}.layer{index}.{part}", layer)


def _unit(name, unit, convolution="conv", batch_norm="bn", layout=torch_convolution):
    kernel = unit.convolution.kernel
    yield Assignment(f"{name}.{convolution}.weight", kernel, layout)
    yield from _normalisation(f"{name}.{batch_norm}", unit.normalisation)


def _normalisation(name, layer):
    yield Assignment(f"{name}.weight", layer.gamma)
    yield Assignment(f"{name}.bias", layer.beta)
    yield Assignment(f"{name}.running_mean", layer.moving_mean)
    yield Assignment(f"{name}.running_var", layer.moving_variance)


def _convolution(name, layer, layout=torch_convolution):
    yield Assignment(f"{name}.weight", layer.kernel, layout)
    yield Assignment(f"{name}.bias", layer.bias)
