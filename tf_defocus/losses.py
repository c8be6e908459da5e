"""Losses the papers train with that Keras does not have.

Mean absolute and mean squared errors are Keras' own. Every loss takes sharp images and
outputs of a network as (batch, height, width, 3) float in [0, 1] and is averaged over
the batch. What weighs and sums them is the training recipe, not this file.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_defocus.array_files import hdf5, npz
from tf_defocus.ops.colors import to_caffe_colors
from tf_defocus.ops.image_spectrum import full_transform, transform_modulus
from tf_defocus.ops.structural_similarity import structural_similarity
from tf_defocus.ops.tensor import Tensor

# Convolutions of each block of VGG-19 up to the layer the perceptual loss looks at.
VGG19_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512))


@keras.saving.register_keras_serializable(package="tf_defocus")
class CharbonnierLoss(keras.losses.Loss):
    """Mean of sqrt((sharp - deblurred)^2 + epsilon^2), a smooth absolute error.

    Args:
        epsilon: float, width of the parabola around zero, in units of the image.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Reference:
        Charbonnier et al., "Two deterministic half-quadratic regularization
        algorithms for computed imaging", ICIP 1994.
    """

    def __init__(
        self,
        epsilon: float = 1e-3,
        reduction: str = "sum_over_batch_size",
        name: str = "charbonnier",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.epsilon = epsilon

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        squared = ops.square(y_true - y_pred) + self.epsilon**2
        return ops.mean(ops.sqrt(squared), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="tf_defocus")
class FourierLoss(keras.losses.Loss):
    """Mean modulus of the difference's unnormalised Fourier transform.

    Args:
        reduction, name, dtype: as in `keras.losses.Loss`.

    Reference:
        [Mao et al., 2023](https://arxiv.org/abs/2111.11745).
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "fourier",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return ops.mean(transform_modulus(y_pred - y_true), axis=-1)


@keras.saving.register_keras_serializable(package="tf_defocus")
class FourierPartsLoss(keras.losses.Loss):
    """Mean |real| plus mean |imaginary part| of the same transform.

    Args:
        reduction, name, dtype: as in `keras.losses.Loss`.

    Reference:
        [Cho et al., 2021](https://arxiv.org/abs/2108.05054), Eq. 6.
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "fourier_parts",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        real, imaginary = full_transform(y_pred - y_true)
        return ops.mean(ops.abs(real) + ops.abs(imaginary), axis=-1)


@keras.saving.register_keras_serializable(package="tf_defocus")
class EdgeLoss(CharbonnierLoss):
    """Charbonnier distance of what a Laplacian pyramid's finest level holds.

        image - G(4 Z(G(image)));  Z keeps every second row and column, the rest zeros
        G: (.05, .25, .4, .25, .05) along each axis, the border repeated

    Args:
        epsilon, reduction, name, dtype: as in `CharbonnierLoss`.

    Reference:
        [Zamir et al., 2021](https://arxiv.org/abs/2102.02808), Eq. 4.
    """

    def __init__(
        self, epsilon: float = 1e-3, name: str = "edge", **kwargs: Any
    ) -> None:
        super().__init__(epsilon=epsilon, name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return super().call(_finest_edges(y_true), _finest_edges(y_pred))


def _finest_edges(images):
    rows, columns = (
        ops.cast(ops.arange(side) % 2 == 0, images.dtype)
        for side in ops.shape(images)[1:3]
    )
    kept = rows[:, None, None] * columns[:, None]
    return images - _smoothed(4 * kept * _smoothed(images))


def _smoothed(images):
    for axis in (1, 2):
        size = ops.shape(images)[axis]
        taps = (
            weight
            * ops.take(images, ops.clip(ops.arange(size) + i, 0, size - 1), axis=axis)
            for i, weight in enumerate((0.05, 0.25, 0.4, 0.25, 0.05), start=-2)
        )
        images = sum(taps)
    return images


@keras.saving.register_keras_serializable(package="tf_defocus")
class SSIMLoss(keras.losses.Loss):
    """One minus the structural similarity, 11x11 Gaussian window [GKMNet Sec. 4].

    Images must measure at least 11 px on both sides. The window stays inside them.

    Args:
        reduction, name, dtype: as in `keras.losses.Loss`.

    Reference:
        [Quan et al., 2021](https://arxiv.org/abs/2111.00454).
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "ssim_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return 1 - structural_similarity(y_pred, y_true, window="gaussian")


@keras.saving.register_keras_serializable(package="tf_defocus")
class PSNRLoss(keras.losses.Loss):
    """Minus the PSNR [dB] of each image: 10 log10(mean squared error + epsilon).

    An image of 40 dB that gains one decibel counts as much as one of 25 dB that does,
    where absolute errors, averaged over the batch, hardly see the first.

    Args:
        epsilon: float, mean squared error below which an image counts less: 2.5e-5
            is 46 dB.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Reference:
        [Chen et al., 2021](https://arxiv.org/abs/2105.06086).
    """

    def __init__(
        self,
        epsilon: float = 2.5e-5,
        reduction: str = "sum_over_batch_size",
        name: str = "psnr_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.epsilon = epsilon

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        return 10 * ops.log10(error + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="tf_defocus")
class PerceptualLoss(keras.losses.Loss):
    """Mean squared distance of VGG-19 `conv4_4` features after ReLU [KPAC Sec. 4].

    Images are clamped to [0, 1], scaled to [0, 255] and turned to BGR, and the mean of
    ImageNet is taken off, so features have the scale of the Caffe model (hundreds):
    KPAC weighs this loss by 7e-4. The network is frozen and always computes in float32.

    Args:
        weights_path: str, the file with VGG-19's weights: the Keras Applications
            `vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5`, or an `.npz` with
            `conv1_1/kernel` (height, width, in, out), `conv1_1/bias`, ...,
            `conv4_4/bias`.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file lacks a layer or a layer has another shape.

    Reference:
        [Son et al., 2021](https://arxiv.org/abs/2108.09108);
        [Johnson et al., 2016](https://arxiv.org/abs/1603.08155), Eq. 2;
        [Simonyan and Zisserman, 2015](https://arxiv.org/abs/1409.1556), column E.
    """

    def __init__(
        self,
        weights_path: str | os.PathLike,
        reduction: str = "sum_over_batch_size",
        name: str = "perceptual",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.weights_path = os.fspath(weights_path)
        self.features = vgg19_conv4_4(read_vgg19_weights(self.weights_path))

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        expected = ops.stop_gradient(self.features(vgg_input(y_true)))
        squared = ops.square(self.features(vgg_input(y_pred)) - expected)
        return ops.mean(squared, axis=(1, 2, 3))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weights_path": self.weights_path}


def vgg_input(image: Tensor) -> Tensor:
    """What VGG-19 takes of an image.

    Args:
        image: (batch, height, width, 3) RGB, clipped to [0, 1].

    Returns:
        The same shape, float32: BGR in [0, 255] less the mean colour.
    """
    return to_caffe_colors(ops.clip(ops.cast(image, "float32"), 0, 1))


def vgg19_conv4_4(weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> keras.Model:
    """The frozen VGG-19 up to `conv4_4` and its ReLU.

    Args:
        weights: dict, layer name (`conv1_1` ... `conv4_4`) -> (kernel, bias).

    Returns:
        keras.Model: (batch, height, width, 3) -> (batch, height/8, width/8, 512).
    """
    inputs = features = keras.Input((None, None, 3))
    for block, widths in enumerate(VGG19_BLOCKS, 1):
        if block > 1:
            features = keras.layers.MaxPooling2D(2, dtype="float32")(features)
        for index, width in enumerate(widths, 1):
            features = keras.layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                dtype="float32",
                name=f"conv{block}_{index}",
            )(features)
    model = keras.Model(inputs, features, name="vgg19_conv4_4", trainable=False)
    for name, (kernel, bias) in weights.items():
        model.get_layer(name).set_weights([kernel, bias])
    return model


def read_vgg19_weights(
    path: str | os.PathLike, blocks: Sequence[Sequence[int]] = VGG19_BLOCKS
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads `conv1_1` to `conv4_4` of VGG-19 from a local file.

    Args:
        path: str, an `.h5` file of Keras Applications or an `.npz`; see
            `PerceptualLoss`.
        blocks: channels of the layers of each block, where more are wanted.

    Returns:
        dict, layer name -> (kernel (3, 3, in, out) float32, bias (out,) float32).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file lacks a layer or a layer has another shape.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"No VGG-19 weights at {path!r}; put the Keras Applications file "
            "'vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5' there."
        )
    read = _read_npz if path.endswith(".npz") else _read_keras_applications
    arrays, weights, channels = read(path), {}, 3
    for block, widths in enumerate(blocks, 1):
        for index, width in enumerate(widths, 1):
            name = f"conv{block}_{index}"
            expected = (3, 3, channels, width), (width,)
            found = tuple(a.shape for a in arrays.get(name, ()))
            if found != expected:
                raise ValueError(
                    f"{path!r} must hold {name} with kernel and bias of shapes "
                    f"{expected}. Received: {found or 'no such layer'}"
                )
            weights[name], channels = arrays[name], width
    return weights


def _read_npz(path):
    """`conv1_1/kernel`, `conv1_1/bias`, ... -> dict of (kernel, bias)."""
    arrays = npz.read_arrays(path)
    names = {key.rpartition("/")[0] for key in arrays}
    return {
        name: (arrays[f"{name}/kernel"], arrays[f"{name}/bias"])
        for name in names
        if f"{name}/kernel" in arrays and f"{name}/bias" in arrays
    }


def _read_keras_applications(path):
    """`block1_conv1` holding a kernel and a bias, ... -> dict of (kernel, bias).

    The depth of the arrays below their layer differs between versions of Keras.
    """
    layers = {}
    arrays = hdf5.read_datasets(path, lambda name: "block" in name)
    for full, array in arrays.items():
        layer = full.removeprefix("model_weights/").partition("/")[0]
        name = layer.replace("block", "conv").replace("_conv", "_")
        layers.setdefault(name, []).append(array)
    return {
        name: tuple(sorted(found, key=np.ndim, reverse=True))
        for name, found in layers.items()
    }
