"""KPAC's blocks: one kernel at several dilation rates, weighted by two attentions.

An inverse kernel of a larger blur is the scaled inverse kernel of a smaller one, so one
small kernel, dilated, serves every blur size (Son et al., ICCV 2021, Sec. 3).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from tf_defocus.ops.tensor import Shape, Tensor

ACTIVATION = "leaky_relu"  # Keras' default slope, 0.2, is the paper's


@keras.saving.register_keras_serializable(package="tf_defocus")
class KernelSharingAtrousConvolution(layers.Layer):
    """Atrous convolutions that share one kernel [KPAC Eq. 6].

        A_s = lrelu(W *_s h)        W: shared kernel, *_s: convolution at dilation s

    Args:
        filters: int, output channels of each branch.
        kernel_size: int, odd.
        dilation_rates: tuple of int [px], one branch each.
        share_kernels: bool; False gives every branch a kernel of its own (Table 1).

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        List of (batch, height, width, filters), one per dilation rate.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        dilation_rates: Sequence[int],
        share_kernels: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.dilation_rates = tuple(dilation_rates)
        self.share_kernels = share_kernels

    def build(self, input_shape: Shape) -> None:
        count = 1 if self.share_kernels else len(self.dilation_rates)
        size = (self.kernel_size, self.kernel_size)
        self.kernels = [
            self.add_weight(
                name=f"kernel_{i}" if count > 1 else "kernel",
                shape=(*size, input_shape[-1], self.filters),
                initializer=kpac_initializer(),
            )
            for i in range(count)
        ]

    def call(self, inputs: Tensor) -> list[Tensor]:
        kernels = self.kernels * (len(self.dilation_rates) // len(self.kernels))
        return [
            keras.activations.leaky_relu(
                ops.conv(inputs, kernel, padding="same", dilation_rate=rate)
            )  # A_s [KPAC Eq. 6]
            for kernel, rate in zip(kernels, self.dilation_rates)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation_rates": self.dilation_rates,
            "share_kernels": self.share_kernels,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ScaleAttention(layers.Layer):
    """How much of each dilation rate a pixel wants: alpha [KPAC Sec. 4.1].

    Four dilated 5x5 convolutions and one plain one; each scale has a sigmoid of its
    own, the weights of a pixel need not sum to one.

    Args:
        num_scales: int, number of dilation rates.
        widths: tuple of int, channels of the hidden convolutions.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, height, width, num_scales) in (0, 1).
    """

    def __init__(
        self, num_scales: int, widths: Sequence[int] = (32, 32, 16, 16), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_scales = num_scales
        self.widths = tuple(widths)
        self.hidden = [
            convolution(width, 5, dilation_rate=2, name=f"hidden_{i}")
            for i, width in enumerate(self.widths)
        ]
        self.weighting = convolution(num_scales, 5, "sigmoid", name="weighting")

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for layer, width in zip(self.hidden, self.widths):
            layer.build((None, None, None, channels))
            channels = width
        self.weighting.build((None, None, None, channels))

    def call(self, inputs: Tensor) -> Tensor:
        for layer in self.hidden:
            inputs = layer(inputs)
        return self.weighting(inputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_scales": self.num_scales,
            "widths": self.widths,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class ShapeAttention(layers.Layer):
    """Which of the kernels the photograph wants: beta [KPAC Sec. 4.1].

    Reads the mean over the whole image; all dilation rates share its answer, since the
    shape of the blur does not change with its size.

    Args:
        filters: int, channels of an atrous branch.
        hidden_units: int, width between the two fully connected layers.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, 1, 1, filters) in (0, 1).
    """

    def __init__(self, filters: int, hidden_units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.hidden_units = hidden_units
        self.squeeze = convolution(hidden_units, 1, name="squeeze")
        self.excite = convolution(filters, 1, "sigmoid", name="excite")

    def build(self, input_shape: Shape) -> None:
        self.squeeze.build((None, 1, 1, input_shape[-1]))
        self.excite.build((None, 1, 1, self.hidden_units))

    def call(self, inputs: Tensor) -> Tensor:
        pooled = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return self.excite(self.squeeze(pooled))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "hidden_units": self.hidden_units,
        }


@keras.saving.register_keras_serializable(package="tf_defocus")
class KPACBlock(layers.Layer):
    """Kernel-sharing parallel atrous convolutional block [KPAC Eq. 7].

        y = lrelu(V * concat_s(A_s . alpha_s . beta))

    Args:
        filters: int, channels of the output.
        atrous_filters: int, channels of each atrous branch.
        kernel_size: int, size of the shared kernel.
        dilation_rates: tuple of int [px].
        shape_hidden_units: int, hidden width of the shape attention.
        share_kernels, scale_attention, shape_attention: bool, the ablations of the
            paper's Tables 1 and 2.

    Call arguments:
        inputs: (batch, height, width, channels).
        scale_weights: optional replacement of alpha, broadcastable to
            (batch, height, width, number of rates), to study its effect (Fig. 8).
        means: optional (batch, 1, 1, channels), those of the whole image's inputs where
            `inputs` is a part of them only: what the shape attention reads.

    Returns:
        (output (batch, height, width, filters), alpha or None, beta or None).
    """

    def __init__(
        self,
        filters: int,
        atrous_filters: int,
        kernel_size: int = 5,
        dilation_rates: Sequence[int] = (1, 2, 3, 4, 5),
        shape_hidden_units: int = 16,
        share_kernels: bool = True,
        scale_attention: bool = True,
        shape_attention: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.atrous_filters = atrous_filters
        self.kernel_size = kernel_size
        self.dilation_rates = tuple(dilation_rates)
        self.shape_hidden_units = shape_hidden_units
        self.share_kernels = share_kernels
        self.scale_attention = scale_attention
        self.shape_attention = shape_attention
        self.atrous = KernelSharingAtrousConvolution(
            atrous_filters, kernel_size, dilation_rates, share_kernels, name="atrous"
        )
        self.scale = (
            ScaleAttention(len(self.dilation_rates), name="scale_attention")
            if scale_attention
            else None
        )
        self.shape = (
            ShapeAttention(atrous_filters, shape_hidden_units, name="shape_attention")
            if shape_attention
            else None
        )
        self.fusion = convolution(filters, 3, name="fusion")

    def build(self, input_shape: Shape) -> None:
        for layer in (self.atrous, self.scale, self.shape):
            if layer is not None:
                layer.build(input_shape)
        concatenated = self.atrous_filters * len(self.dilation_rates)
        self.fusion.build((None, None, None, concatenated))

    def call(
        self,
        inputs: Tensor,
        scale_weights: Tensor | None = None,
        means: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        alpha = self.scale(inputs) if self.scale is not None else None
        if scale_weights is not None:
            alpha = ops.cast(scale_weights, self.compute_dtype)
        pooled = inputs if means is None else means
        beta = self.shape(pooled) if self.shape is not None else None
        branches = []
        for s, branch in enumerate(self.atrous(inputs)):
            if alpha is not None:
                branch = branch * alpha[..., s : s + 1]  # alpha_s [KPAC Eq. 7]
            if beta is not None:
                branch = branch * beta  # the same for every s
            branches.append(branch)
        return self.fusion(ops.concatenate(branches, axis=-1)), alpha, beta

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "atrous_filters": self.atrous_filters,
            "kernel_size": self.kernel_size,
            "dilation_rates": self.dilation_rates,
            "shape_hidden_units": self.shape_hidden_units,
            "share_kernels": self.share_kernels,
            "scale_attention": self.scale_attention,
            "shape_attention": self.shape_attention,
        }


def kpac_initializer():
    """The authors' initial kernels: normal, standard deviation 0.04."""
    return keras.initializers.RandomNormal(stddev=0.04)


def convolution(filters, kernel_size, activation=ACTIVATION, **kwargs):
    """A convolution that keeps the size, as the authors initialise it."""
    return layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation=activation,
        kernel_initializer=kpac_initializer(),
        **kwargs,
    )
