"""DMENet's official tensors: TensorFlow's variable names, in Keras' own layouts.

One dictionary holds the estimator and the two networks that only train it. The unused
branch that the authors' encoder has while training is skipped.
"""

from tf_defocus.array_files import npz
from tf_defocus.conversion.assignment import Assignment
from tf_defocus.models.dmenet import DMENet
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator

_ROOTS = {
    DMENet: "main_net/defocus_net/",
    BinaryNetwork: "main_net/binary_net/",
    FeatureDiscriminator: "discriminator/feature/",
}
_UNUSED = ("conv6_1/", "c_logits_1/", "c_logits_2/")
# Older versions of the authors' framework call them:
_OLDER = {"W_conv2d:0": "kernel:0", "b_conv2d:0": "bias:0"}


def is_skipped(name, model):
    """The other networks' tensors are, and the unused branch."""
    others = tuple(root for kind, root in _ROOTS.items() if kind is not type(model))
    unused = tuple(f"{_ROOTS[DMENet]}encoder/{part}" for part in _UNUSED)
    return name.startswith((*others, *unused))


def read_npz(path):
    """Reads the authors' file, a dictionary of arrays by variable name.

    Args:
        path: path of an `.npz` file.

    Returns:
        Dict official name -> array, as `load_official` takes it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no `.npz`, or holds anything but arrays of numbers.
    """
    arrays = npz.open_arrays(path)
    return {_newer(name): array for name, array in arrays.items()}


def assignments(model):
    """Yields every official tensor of a DMENet or of a network that trains it."""
    root = _ROOTS[type(model)]
    if isinstance(model, BinaryNetwork):
        for index, layer in enumerate(model.hidden):
            stage, place = divmod(index, 3)
            yield from _normalized(f"{root}l{stage + 1}", place + 1, layer)
        yield from _convolution(f"{root}l4/c1", model.logits)
    elif isinstance(model, FeatureDiscriminator):
        pairs = zip(model.convolutions, model.normalizations)
        for index, (convolution, normalization) in enumerate(pairs):
            yield Assignment(f"{root}h{index}/c1/kernel:0", convolution.kernel)
            yield from _normalization(f"{root}h{index}/b1", normalization)
        yield Assignment(f"{root}h4/c1/kernel:0", model.logits.kernel)
    else:
        yield from _encoder(f"{root}encoder/", model)
        yield from _decoder(f"{root}decoder/", model)


def _encoder(root, model):
    for convolutions in model.encoder:
        for layer in convolutions:
            yield from _convolution(f"{root}{layer.name}", layer)


def _decoder(root, model):
    for level, head in enumerate(model.heads):
        yield from _normalized(f"{root}u{level}_aux", 1, head.hidden)
        yield from _normalized(f"{root}u{level}_aux", 2, head.map)
    for level in (1, 2, 3):
        for index, layer in enumerate(model.decoder[level], start=1):
            yield from _normalized(f"{root}u{level}", index, layer)
    yield from _normalized(f"{root}u0", "_init", model.decoder[0][0])
    for index, block in enumerate(model.refinement):
        yield from _normalized(f"{root}u0", f"_res{index}", block.shortcut)
        yield from _normalized(f"{root}u0", f"{index}_1", block.first)
        yield from _normalized(f"{root}u0", f"{index}_2", block.second)
    for index, layer in enumerate(model.closing, start=1):
        yield from _normalized(f"{root}uf", index, layer)
    yield from _convolution(f"{root}uf/c3", model.defocus)


def _normalized(scope, suffix, layer):
    yield from _convolution(f"{scope}/c{suffix}", layer.convolution)
    yield from _normalization(f"{scope}/b{suffix}", layer.normalization)


def _convolution(name, layer):
    yield Assignment(f"{name}/kernel:0", layer.kernel)
    yield Assignment(f"{name}/bias:0", layer.bias)


def _normalization(name, layer):
    yield Assignment(f"{name}/beta:0", layer.beta)
    yield Assignment(f"{name}/moving_mean:0", layer.moving_mean)
    yield Assignment(f"{name}/moving_variance:0", layer.moving_variance)


def _newer(name):
    scope, _, last = name.rpartition("/")
    return f"{scope}/{_OLDER.get(last, last)}"
