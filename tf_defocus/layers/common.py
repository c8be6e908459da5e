"""Layers that two networks or more use."""

from typing import Any

import keras
from keras import layers, ops

from tf_defocus.layers.shared_batches import current_share
from tf_defocus.ops.image_convolution import convolve_to_image
from tf_defocus.ops.tensor import Tensor


@keras.saving.register_keras_serializable(package="tf_defocus")
class UnbiasedBatchNormalization(layers.BatchNormalization):
    """Batch normalisation whose running variance is the unbiased one.

        running_variance <- momentum * running_variance
                            + (1 - momentum) * n / (n - 1) * batch_variance

    n values per channel; the batch itself is still normalised by its biased variance.
    Keras' own layer keeps the biased value in both places. The framework that GKMNet
    and K3DN were published in does the above, with the defaults below.

    Args:
        momentum: float in [0, 1), share of the old statistics that an update keeps.
        epsilon: float, added to the variance.
        **kwargs: of `keras.layers.BatchNormalization`, except `renorm` and
            `synchronized`.

    Call arguments:
        inputs: (batch, ..., channels), any rank.
        training: bool; True normalises by the batch and updates the statistics.
        batch_statistics: bool; True normalises by the batch at inference too, and
            updates nothing.

    Returns:
        The shape of `inputs`.

    Raises:
        ValueError: if `renorm` or `synchronized` is asked for.

    Reference:
        [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167), Algorithm 2.
    """

    def __init__(
        self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any
    ) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        if self.renorm or self.synchronized:
            raise ValueError(
                "UnbiasedBatchNormalization has no renorm and no synchronized mode. "
                f"Received: renorm={self.renorm}, synchronized={self.synchronized}"
            )

    def add_weight(self, *args: Any, trainable: bool = True, **kwargs: Any) -> Tensor:
        """A weight; all devices compute the same statistics, and send none of them."""
        if not trainable:
            kwargs["aggregation"] = "only_first_replica"
        return super().add_weight(*args, trainable=trainable, **kwargs)

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        batch_statistics: bool = False,
    ) -> Tensor:
        values = ops.cast(inputs, "float32")  # float16 sums of squares overflow
        updating = training and self.trainable
        if updating or batch_statistics:
            mean, variance = self._moments(values, updating)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        if updating:
            self._update(values, mean, variance)
        outputs = ops.batch_normalization(
            values,
            mean=ops.cast(mean, "float32"),
            variance=ops.cast(variance, "float32"),
            axis=self.axis,
            offset=self.beta,
            scale=self.gamma,
            epsilon=self.epsilon,
        )
        return ops.cast(outputs, self.compute_dtype)

    def _moments(self, values, updating):
        """Of the whole batch, the shares of other devices included in training."""
        share = current_share()
        if share is None or not updating:
            return ops.moments(values, axes=self._reduction_axes)
        mean = share.mean(ops.mean(values, axis=self._reduction_axes))
        squares = ops.square(values - mean)  # of the last axis, this layer's
        return mean, share.mean(ops.mean(squares, axis=self._reduction_axes))

    def _update(self, values, mean, variance):
        shape, share = ops.shape(values), current_share()
        count = 1
        for axis in self._reduction_axes:
            count = count * shape[axis]
        if share is not None:
            count = count // ops.shape(share.rows)[0] * share.size
        count = ops.cast(count, "float32")
        unbiased = variance * count / ops.maximum(count - 1, 1)
        for running, batch in (
            (self.moving_mean, mean),
            (self.moving_variance, unbiased),
        ):
            running.assign(running * self.momentum + batch * (1 - self.momentum))


def normalized_convolution(convolution, normalization, inputs, mode):
    """`normalization(convolution(inputs))`; one pass over the pixels at inference.

    Normalising by running statistics is a scale and a shift per channel, which the
    kernel and the bias take in before they meet the image.

    Args:
        convolution: built `keras.layers.Conv2D` or `Conv2DTranspose` with a bias and
            without activation, "channels_last".
        normalization: built `UnbiasedBatchNormalization` of the last axis.
        inputs: (batch, height, width, channels).
        mode: dict, its call arguments: `training`, `batch_statistics`.

    Returns:
        (batch, height, width, filters), in the convolution's compute dtype.
    """
    updating = mode["training"] and normalization.trainable
    if updating or mode["batch_statistics"]:
        return normalization(convolution(inputs), **mode)
    kernel, bias, gamma, beta, mean, variance = (
        ops.cast(part, "float32")
        for part in (
            convolution.kernel,
            convolution.bias,
            normalization.gamma,
            normalization.beta,
            normalization.moving_mean,
            normalization.moving_variance,
        )
    )
    scale = gamma / ops.sqrt(variance + normalization.epsilon)
    bias = ops.cast((bias - mean) * scale + beta, convolution.compute_dtype)
    inputs = ops.cast(inputs, convolution.compute_dtype)
    if isinstance(convolution, layers.Conv2DTranspose):
        kernel = ops.cast(kernel * scale[:, None], convolution.compute_dtype)
        outputs = ops.conv_transpose(
            inputs, kernel, strides=convolution.strides, padding=convolution.padding
        )
    else:
        kernel = ops.cast(kernel * scale, convolution.compute_dtype)
        outputs = convolution.convolution_op(inputs, kernel)
    return ops.add(outputs, ops.reshape(bias, (1, 1, 1, -1)))


def rectified_convolution(filters, kernel_size, **kwargs):
    """Convolution that keeps the size, with ReLU: He's initial weights."""
    return layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        **kwargs,
    )


def evenly_padded_convolution(filters, kernel_size, strides=1, **kwargs):
    """Convolution that keeps the size; with strides its caller pads all sides alike."""
    padding = "same" if strides == 1 else "valid"
    return layers.Conv2D(
        filters, kernel_size, strides=strides, padding=padding, **kwargs
    )


def doubling_convolution(filters, **kwargs):
    """Transposed 4x4 convolution to twice the size."""
    return layers.Conv2DTranspose(filters, 4, strides=2, padding="same", **kwargs)


def uniform_initializer():
    """Kernels drawn from U(-1, 1) / sqrt(inputs of a filter), PyTorch's default."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def uniform_initializers(fan_in):
    """Kernel and bias drawn from U(-1, 1) / sqrt(fan_in), PyTorch's default.

    Args:
        fan_in: int, numbers that one output is summed from.

    Returns:
        dict, arguments of a convolution or dense layer.
    """
    limit = fan_in**-0.5
    return {
        f"{name}_initializer": keras.initializers.RandomUniform(-limit, limit)
        for name in ("kernel", "bias")
    }


def convolution_to_image(convolution, features):
    """What a convolution to few channels computes, by `ops.convolve_to_image`.

    Args:
        convolution: `keras.layers.Conv2D` without stride that keeps the size.
        features: (batch, height, width, channels), even sizes.

    Returns:
        (batch, height, width, filters), in the convolution's compute dtype.
    """
    if not convolution.built:
        return convolution(features)
    dtype = convolution.compute_dtype
    kernel = ops.cast(convolution.kernel, dtype)
    outputs = convolve_to_image(ops.cast(features, dtype), kernel)
    if convolution.use_bias:
        outputs = outputs + ops.cast(convolution.bias, dtype)
    return convolution.activation(outputs)
