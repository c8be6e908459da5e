"""GKMNet in PyTorch, its bank of Gaussians dense, on the weights of a Keras model."""

import torch
from torch import nn
from torch.nn import functional

from tf_defocus.ops import gaussian

from .blocks import Convolution, Doubling, folded, tensor


class Gate(nn.Module):
    """`layers.gkmnet_gates.AttentionGate`, a third of it, as a factor of the features.

    Args:
        gate: the Keras layer.
        axis: 1 (channels), 2 (height) or 3 (width), pooled over.
    """

    def __init__(self, gate, axis):
        super().__init__()
        kernel, bias = folded(gate.convolution, gate.normalization)
        self.convolution = Convolution(kernel=kernel, bias=bias)
        self.axis = axis

    def forward(self, features):
        axis = self.axis
        pooled = torch.stack([features.amax(axis), features.mean(axis)], 1)
        if axis == 3:  # (height, channels) of what is (channels, height)
            pooled = pooled.transpose(2, 3)
        weights = torch.sigmoid(self.convolution(pooled)) / 3
        if axis == 1:
            return weights
        if axis == 2:
            return weights.transpose(1, 2)
        return weights.permute(0, 3, 2, 1)


class Block(nn.Module):
    """`layers.gkmnet_attention.ResidualAttentionBlock`."""

    def __init__(self, block):
        super().__init__()
        kind = Doubling if block.resampling == "up" else Convolution
        options = {} if block.resampling == "up" else {"even": True}
        if block.normalize:
            kernel, bias = folded(block.head, block.head_normalization)
            options |= {"kernel": kernel, "bias": bias, "slope": 0}
        self.head = kind(block.head, **options)
        self.residuals = nn.ModuleList()
        for pair in block.residuals:
            kernel, bias = folded(*pair)
            self.residuals.append(Convolution(kernel=kernel, bias=bias))
        axes = {3: 1, 1: 2, 2: 3}  # of Keras' order to PyTorch's
        self.gates = nn.ModuleList(
            Gate(gate, axes[gate.pooled_axis]) for gate in block.attention.gates
        )

    def forward(self, features):
        features = self.head(features)
        for residual in self.residuals:
            features = features + functional.relu(residual(features))
        return features * sum(gate(features) for gate in self.gates)


class Prediction(nn.Module):
    """`layers.gkmnet_attention.AttentionPredictionUnit`, recurrent."""

    def __init__(self, unit):
        super().__init__()
        kernel, bias = folded(unit.convolution, unit.normalization)
        self.convolution = Convolution(kernel=kernel, bias=bias)
        self.gates = Convolution(unit.memory.gates)
        self.num_maps = unit.num_maps

    def forward(self, features, state):
        own = functional.relu(self.convolution(features))
        pooled = functional.avg_pool2d(features, 2)
        if state is None:
            zeros = pooled.new_zeros(pooled.shape[0], self.num_maps, *pooled.shape[2:])
            state = zeros, zeros
        gates = self.gates(torch.cat([pooled, state[0]], 1))
        take, keep, show, candidate = gates.chunk(4, 1)
        cell = torch.sigmoid(keep) * state[1]
        cell = cell + torch.sigmoid(take) * torch.tanh(candidate)
        hidden = torch.sigmoid(show) * torch.tanh(cell)
        shared = functional.interpolate(hidden, scale_factor=2, mode="nearest")
        return torch.tanh(shared * own + shared), (hidden, cell)


class Summation(nn.Module):
    """`layers.gkmnet.WeightedSummation`: all maps of an image by one convolution.

    As the authors do it: a depthwise convolution with every kernel at full size.
    """

    def __init__(self, summation):
        super().__init__()
        kernels = gaussian.outer_products(summation.convolution.taps)
        colours, count, size, _ = kernels.shape
        bank = tensor(kernels).reshape(colours * count, 1, size, size)
        self.bank = nn.Parameter(bank)
        self.count = count
        self.mixing = Convolution(kernel=summation.kernel, bias=summation.bias)

    def forward(self, blurred, previous, weights):
        size = self.bank.shape[-1] // 2
        maps = [
            functional.conv2d(image, self.bank, None, 1, size, groups=3)
            for image in (blurred, previous)
        ]
        first, second = weights.split(self.count, 1)
        gamma = torch.cat([first] * 3 + [second] * 3, 1)
        return self.mixing(torch.cat(maps, 1) * gamma)


class GKMNet(nn.Module):
    """The network as published, variant "paper", three scales.

    Args:
        model: built `models.gkmnet.GKMNet`.

    Call arguments, returns: (batch, 3, height, width) float32.
    """

    def __init__(self, model):
        super().__init__()
        attention = model.attention
        names = ("full_in", "half_in", "quarter_in", "bottleneck", "half_out")
        for name in (*names, "full_out"):
            setattr(self, name, Block(getattr(attention, name)))
        self.prediction = Prediction(attention.prediction)
        self.summation = Summation(model.summation)
        self.num_scales = model.num_scales
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.halving = nn.Parameter((taps[:, None] * taps).expand(3, 1, 4, 4).clone())

    def halve(self, images):
        """By a triangle filter; the taps inside the image sum to one."""
        ones = torch.ones_like(images)
        total, inside = (
            functional.conv2d(x, self.halving, None, 2, 1, groups=3)
            for x in (images, ones)
        )
        return total / inside

    def attend(self, images, state):
        half = self.half_in(self.full_in(images))
        quarter = self.quarter_in(half)
        half_out = self.half_out(self.bottleneck(quarter) + quarter)
        return self.prediction(self.full_out(half_out + half), state)

    def forward(self, blurred):
        pyramid = [blurred]
        for _ in range(self.num_scales - 1):
            pyramid.append(self.halve(pyramid[-1]))
        estimate, state = pyramid[-1], None
        for images in reversed(pyramid):
            if images is not pyramid[-1]:
                estimate = double(estimate)
                state = tuple(map(double, state))
            weights, state = self.attend(images, state)
            estimate = images + self.summation(images, estimate, weights)
        return estimate


def double(images):
    """Twice the size, bilinear, half-pixel centres."""
    return functional.interpolate(
        images, scale_factor=2, mode="bilinear", align_corners=False
    )
