"""Learned perceptual image patch similarity (LPIPS v0.1), AlexNet and VGG-16.

    d = sum_l mean_yx w_l . (f_l(image) / |f_l(image)| - f_l(other) / |f_l(other)|)^2

with f_l the features after the ReLU that ends stage l and w_l its linear head. Weights
are not part of this package: they are read from the files of their authors. Without
them there is no score, never a score of zero.

Reference:
    [Zhang et al., 2018](https://arxiv.org/abs/1801.03924), Eq. 1.
"""

import dataclasses
import hashlib
import pathlib
import re

import keras
import numpy as np
from keras import ops

from tf_defocus.conversion.assignment import Assignment, fill, torch_convolution
from tf_defocus.conversion.torch_checkpoint import read_torch_checkpoint

# Of ImageNet, for images in [-1, 1].
CHANNEL_MEAN = (-0.030, -0.088, -0.188)
CHANNEL_DEVIATION = (0.458, 0.448, 0.450)
EPSILON = 1e-10  # added to the norm of a feature vector


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A classification network, cut into the stages whose ends are compared.

    Attributes:
        stages: per stage its convolutions: (index in the official `features`, filters,
            kernel size, stride, padding [px]), each followed by a ReLU.
        pooled: the stages that max pooling with stride 2 precedes.
        pool_size: int [px].
        features_file, heads_file: the authors' names of the two files of weights.
    """

    stages: tuple
    pooled: tuple
    pool_size: int
    features_file: str
    heads_file: str


BACKBONES = {
    "alex": Backbone(
        stages=(
            ((0, 64, 11, 4, 2),),
            ((3, 192, 5, 1, 2),),
            ((6, 384, 3, 1, 1),),
            ((8, 256, 3, 1, 1),),
            ((10, 256, 3, 1, 1),),
        ),
        pooled=(1, 2),
        pool_size=3,
        features_file="alexnet-owt-7be5be79.pth",
        heads_file="alex.pth",
    ),
    "vgg": Backbone(
        stages=(
            ((0, 64, 3, 1, 1), (2, 64, 3, 1, 1)),
            ((5, 128, 3, 1, 1), (7, 128, 3, 1, 1)),
            tuple((index, 256, 3, 1, 1) for index in (10, 12, 14)),
            tuple((index, 512, 3, 1, 1) for index in (17, 19, 21)),
            tuple((index, 512, 3, 1, 1) for index in (24, 26, 28)),
        ),
        pooled=(1, 2, 3, 4),
        pool_size=2,
        features_file="vgg16-397923af.pth",
        heads_file="vgg.pth",
    ),
}


def create_lpips(network="alex"):
    """The distance as a Keras model, with random weights.

    Args:
        network: str, `"alex"` or `"vgg"`.

    Returns:
        keras.Model of [image, other], each (batch, height, width, 3) float32 in
        [-1, 1] and at least 32 px on both sides, to (batch,), at least 0.

    Raises:
        ValueError: if the network is unknown.
    """
    features = _create_features(_backbone(network))
    image, other = (keras.Input((None, None, 3), dtype="float32") for _ in range(2))
    distance = 0
    for stage, (one, two) in enumerate(zip(features(image), features(other))):
        squared = ops.square(_unit_length(one) - _unit_length(two))
        head = keras.layers.Conv2D(
            1, 1, use_bias=False, dtype="float32", name=f"lin{stage}"
        )
        distance += ops.mean(head(squared), axis=(1, 2, 3))
    return keras.Model([image, other], distance, name=f"lpips_{network}")


def load_lpips(folder, network="alex"):
    """The distance with the authors' weights.

    Args:
        folder: holds the network's `features_file` (of torchvision) and `heads_file`
            (of LPIPS, weights v0.1); see `BACKBONES`.
        network: str, `"alex"` or `"vgg"`.

    Returns:
        keras.Model, as `create_lpips`.

    Raises:
        FileNotFoundError: if one of the files is absent.
        ValueError: if the network is unknown, or a file is not the authors'.
    """
    backbone = _backbone(network)
    paths = [pathlib.Path(folder) / backbone.features_file]
    paths.append(pathlib.Path(folder) / backbone.heads_file)
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"LPIPS needs {' and '.join(missing)} in {folder}: put torchvision's "
            f"{backbone.features_file} and LPIPS v0.1's {backbone.heads_file} there, "
            "or leave LPIPS out"
        )
    _check_digest(paths[0])
    arrays = {
        name: array
        for name, array in read_torch_checkpoint(paths[0]).items()
        if name.startswith("features.")  # the classifier is not used
    }
    model = create_lpips(network)
    assign_official(model, {**arrays, **read_torch_checkpoint(paths[1])})
    return model


def assign_official(model, arrays):
    """Fills a model of `create_lpips` with tensors by their official names.

    Args:
        model: keras.Model.
        arrays: mapping, `features.0.weight`, ..., `lin4.model.1.weight` -> array.

    Raises:
        ValueError: if a tensor is missing, left over or misshapen.
    """
    assignments = []
    for layer in model.get_layer("features").layers:
        if isinstance(layer, keras.layers.Conv2D):
            name = layer.name.replace("_", ".")
            assignments += [
                Assignment(f"{name}.weight", layer.kernel, torch_convolution),
                Assignment(f"{name}.bias", layer.bias),
            ]
    for stage in range(5):
        kernel = model.get_layer(f"lin{stage}").kernel
        name = f"lin{stage}.model.1.weight"
        assignments.append(Assignment(name, kernel, torch_convolution))
    fill(assignments, arrays)


def _backbone(network):
    if network not in BACKBONES:
        raise ValueError(
            f"`network` must be one of {', '.join(BACKBONES)}. "
            f"Received: network={network!r}"
        )
    return BACKBONES[network]


def _create_features(backbone):
    """keras.Model: images in [-1, 1] -> the features at the end of each stage."""
    layers = keras.layers
    images = keras.Input((None, None, 3), dtype="float32")
    features = (images - np.float32(CHANNEL_MEAN)) / np.float32(CHANNEL_DEVIATION)
    ends = []
    for stage, convolutions in enumerate(backbone.stages):
        if stage in backbone.pooled:
            pool = layers.MaxPooling2D(backbone.pool_size, 2, dtype="float32")
            features = pool(features)
        for index, filters, kernel_size, stride, padding in convolutions:
            features = layers.ZeroPadding2D(padding, dtype="float32")(features)
            features = layers.Conv2D(
                filters,
                kernel_size,
                stride,
                activation="relu",
                dtype="float32",
                name=f"features_{index}",
            )(features)
        ends.append(features)
    return keras.Model(images, ends, name="features", trainable=False)


def _unit_length(features):
    """Every pixel's feature vector divided by its length."""
    squares = ops.sum(ops.square(features), axis=-1, keepdims=True)
    return features / (ops.sqrt(squares) + EPSILON)


def _check_digest(path):
    """Torchvision's file names end with the first digits of their SHA-256."""
    expected = re.search(r"-([0-9a-f]{8})\.pth$", path.name)[1]
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    received = digest.hexdigest()[:8]
    if received != expected:
        raise ValueError(
            f"{path} is damaged or another file: its SHA-256 must start with "
            f"{expected}; fetch it anew. Received: {received}"
        )
