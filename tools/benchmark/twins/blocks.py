"""Layers of Keras as modules of PyTorch, with the same weights.

Tensors are (batch, channels, height, width). Kernels go from (rows, columns, in, out)
to (out, in, rows, columns), those of transposed convolutions from (rows, columns, out,
in) to (in, out, rows, columns).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def tensor(values):
    """A tensor of anything that NumPy understands, a weight included."""
    return torch.from_numpy(np.array(values, np.float32))


class Convolution(nn.Module):
    """A convolution, with an activation if wanted.

    Args:
        layer: built `keras.layers.Conv2D`, or None with `kernel` and `bias`.
        slope: float of a leaky ReLU, 0 for ReLU, None for no activation.
        even: bool; True pads all sides alike, False below and on the right where the
            stride is 2, as TensorFlow does.
        kernel, bias: arrays as Keras' in place of the layer's.
    """

    def __init__(self, layer=None, slope=None, even=False, kernel=None, bias=None):
        super().__init__()
        if kernel is None:
            kernel = layer.kernel
            bias = layer.bias if layer.use_bias else None
        self.kernel = nn.Parameter(tensor(kernel).permute(3, 2, 0, 1).contiguous())
        self.bias = None if bias is None else nn.Parameter(tensor(bias))
        self.stride = 1 if layer is None else layer.strides[0]
        self.dilation = 1 if layer is None else layer.dilation_rate[0]
        reach = self.dilation * (self.kernel.shape[-1] - 1)
        self.padding = reach // 2
        self.uneven = self.stride == 2 and not even
        self.slope = slope

    def forward(self, features):
        padding = self.padding
        if self.uneven:
            before, after = (self.kernel.shape[-1] - 2) // 2, self.kernel.shape[-1] // 2
            features = functional.pad(features, (before, after, before, after))
            padding = 0
        features = functional.conv2d(
            features, self.kernel, self.bias, self.stride, padding, self.dilation
        )
        return activate(features, self.slope)


class Doubling(nn.Module):
    """A transposed 4x4 (or 2x2) convolution to twice the size.

    Args:
        layer: built `keras.layers.Conv2DTranspose`.
        slope: see `Convolution`.
        kernel, bias: arrays as Keras' in place of the layer's.
    """

    def __init__(self, layer, slope=None, kernel=None, bias=None):
        super().__init__()
        if kernel is None:
            kernel, bias = layer.kernel, layer.bias if layer.use_bias else None
        self.kernel = nn.Parameter(tensor(kernel).permute(3, 2, 0, 1).contiguous())
        self.bias = None if bias is None else nn.Parameter(tensor(bias))
        self.padding = (self.kernel.shape[-1] - 2) // 2
        self.slope = slope

    def forward(self, features):
        features = functional.conv_transpose2d(
            features, self.kernel, self.bias, 2, self.padding
        )
        return activate(features, self.slope)


def activate(features, slope):
    """A leaky ReLU of a result that nobody else reads; None leaves it."""
    return features if slope is None else functional.leaky_relu_(features, slope)


def folded(layer, normalization):
    """Kernel and bias of a convolution followed by running normalisation, as arrays.

    Args:
        layer: built `Conv2D`, `Conv3D` or `Conv2DTranspose`.
        normalization: built `layers.common.UnbiasedBatchNormalization`.
    """
    kernel = np.asarray(layer.kernel)
    bias = np.asarray(layer.bias) if layer.use_bias else 0.0
    gamma, beta = np.asarray(normalization.gamma), np.asarray(normalization.beta)
    mean = np.asarray(normalization.moving_mean)
    variance = np.asarray(normalization.moving_variance)
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    transposed = "Transpose" in type(layer).__name__
    kernel = kernel * (scale[:, None] if transposed else scale)
    return kernel, (bias - mean) * scale + beta
