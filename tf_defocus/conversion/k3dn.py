"""K3DN's official tensors: the state of the authors' modules, by their names."""

from tf_defocus.conversion.assignment import (
    Assignment,
    batch_counters_skipped,
    torch_convolution,
    torch_convolution_3d,
    torch_linear,
    torch_transposed_convolution,
)

_STEREO_UNITS = ("start.0", "start.1", "layer1.0", "layer1.1")
_MATCHING_UNITS = ("start.0", "start.1", "start.2", "conv1a.0", "conv1a.1")

is_skipped = batch_counters_skipped


def assignments(model):
    """Yields every official tensor.

    Raises:
        ValueError: if the model holds finished kernels in place of their spectra.
    """
    if model.variant != "released":
        raise ValueError(
            "The authors' tensors fit the network as released. Received: "
            f"variant={model.variant!r}"
        )
    if model.frozen_kernels:
        raise ValueError(
            "load_official fills spectra; load first, then call to_inference(). "
            "Received: frozen_kernels=True"
        )
    yield from _image_branch(model)
    for index, block in enumerate(model.psf_blocks):
        yield from _psf_block(f"deblur.{index}", block)
    if model.disparity is not None:
        estimator = _stereo if model.views == 2 else _single_image
        yield from estimator(model.disparity)
        dense = model.disparity.vectors.dense
        yield from _linear("disp.fc.0", dense)
    for index, block in enumerate(model.preservation):
        yield from _preservation(f"srp.{index}", block)


def _image_branch(model):
    for index, layer in enumerate(model.reductions):
        name = f"feat_extract.{index}.main.0.weight"
        yield Assignment(name, layer.kernel, torch_convolution)
    for index, layer in enumerate(model.enlargements, start=3):
        name = f"feat_extract.{index}.main.0.weight"
        yield Assignment(name, layer.kernel, torch_transposed_convolution)
    for index, units in enumerate(model.encoder):
        yield from _residual_units(f"Encoder.{index}", units)
    for index, units in enumerate(model.decoder):
        yield from _residual_units(f"Decoder.{index}", units)
    kernel = model.output_convolution.kernel
    yield Assignment("out.main.0.weight", kernel, torch_convolution)


def _residual_units(name, units):
    for index, unit in enumerate(units.units):
        for part, layer in enumerate(unit):
            official = f"{name}.layers.{index}.main.{part}.main.0.weight"
            yield Assignment(official, layer.kernel, torch_convolution)


def _psf_block(name, block):
    spectra = block.depthwise.half_spectra
    yield Assignment(f"{name}.conv1.weight", spectra, _without_single_axes)
    pointwise = block.pointwise
    for official, variable in (
        ("p", pointwise.permutation),
        ("sign_s", pointwise.signs),
        ("lower", pointwise.lower),
        ("log_s", pointwise.log_scale),
        ("upper", pointwise.upper),
        ("modulation.bias", pointwise.modulation_bias),
    ):
        yield Assignment(f"{name}.conv2.{official}", variable)
    kernel = pointwise.modulation_kernel
    yield Assignment(f"{name}.conv2.modulation.weight", kernel, torch_linear)
    query = block.query
    yield Assignment(f"{name}.inter.to_w", query.tap_weights, _without_single_axes)
    yield from _linear(f"{name}.inter.to_r", query.project)
    yield from _linear(f"{name}.inter.out", query.expand)


def _stereo(estimator):
    features = estimator.features
    for official, unit in zip(_STEREO_UNITS, features.trunk):
        yield from _unit(f"disp.feature.{official}.conv", unit)
    for official, unit in zip(("branch1", "branch3"), features.branches.values()):
        yield from _unit(f"disp.feature.{official}.1.0", unit, batch_norm="1")
    yield from _unit("disp.feature.end.0.conv", features.merge)
    kernel = features.output_convolution.kernel
    yield Assignment("disp.feature.end.1.conv.weight", kernel, torch_convolution)
    for official, unit in zip(_MATCHING_UNITS, estimator.matching):
        name = f"disp.matching.{official}.conv"
        yield from _unit(name, unit, layout=torch_convolution_3d)


def _single_image(estimator):
    for index, unit in enumerate(estimator.trunk):
        yield from _unit(f"disp.model.{index}.conv", unit)


def _unit(name, unit, batch_norm="bn", layout=torch_convolution):
    """A convolution and the batch normalisation beside it."""
    yield Assignment(f"{name}.weight", unit.convolution.kernel, layout)
    parent = name.rsplit(".", 1)[0]
    normalisation = unit.normalisation
    for official, variable in (
        ("weight", normalisation.gamma),
        ("bias", normalisation.beta),
        ("running_mean", normalisation.moving_mean),
        ("running_var", normalisation.moving_variance),
    ):
        yield Assignment(f"{parent}.{batch_norm}.{official}", variable)


def _preservation(name, block):
    for official, layer in (
        ("conv_q", block.query),
        ("conv_k", block.key),
        ("conv_v", block.value),
        ("conv_o.0", block.first),
        ("conv_o.2", block.last),
    ):
        yield Assignment(f"{name}.{official}.weight", layer.kernel, torch_convolution)
        yield Assignment(f"{name}.{official}.bias", layer.bias)
    yield from _residual_units(f"{name}.conv_o.1", block.units)


def _linear(name, layer):
    yield Assignment(f"{name}.weight", layer.kernel, torch_linear)
    yield Assignment(f"{name}.bias", layer.bias)


def _without_single_axes(array):
    """(1, channels, 1, ...) -> (channels, ...)."""
    return array[0, :, 0]
