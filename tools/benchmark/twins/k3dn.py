"""K3DN in PyTorch, on the weights of a Keras model."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .blocks import Convolution, Doubling, tensor
from .k3dn_disparity import StereoDisparity

SLOPE = 0.2


class Units(nn.Module):
    """`layers.k3dn.ResidualUnits`."""

    def __init__(self, layer):
        super().__init__()
        self.units = nn.ModuleList(
            nn.Sequential(Convolution(first, SLOPE), Convolution(second))
            for first, second in layer.units
        )

    def forward(self, features):
        for unit in self.units:
            features = features + unit(features)
        return features


class MixtureBlock(nn.Module):
    """`layers.k3dn_mixture.MixturePSFBlock` of as many kernels as channels."""

    def __init__(self, block):
        super().__init__()
        if block.num_kernels != block.channels:
            raise ValueError("expected one kernel per channel")
        self.half_kernels = nn.Parameter(tensor(block.half_kernels))
        self.taps = nn.Parameter(tensor(block.query.tap_weights))
        self.project = nn.Parameter(tensor(block.query.project.kernel))
        self.mix = nn.Parameter(tensor(block.query.mix.kernel))
        self.size, self.limit = block.kernel_size, block.truncate
        places = np.arange(self.size) - self.size // 2
        angle = 2 * np.pi * np.outer(np.arange(self.size), places) / self.size
        self.cosine = nn.Parameter(tensor(np.cos(angle)))
        self.sine = nn.Parameter(tensor(np.sin(angle)))

    def kernels(self, vectors):
        """(windows, channels, size, size), the inverse of each window's mixture."""
        responses = (self.taps * self.half_kernels).sum((1, 2))
        weights = torch.softmax(responses * (vectors @ self.project) @ self.mix, -1)
        full = torch.cat([self.half_kernels, self.half_kernels[..., :-1].flip(-1)], -1)
        blur = (len(full) * weights)[..., None, None] * full
        cosine, sine = self.cosine, self.sine
        real, imaginary = cosine @ blur @ cosine.T, -(sine @ blur @ cosine.T)
        power = real**2 + imaginary**2 + 1 / (2 * self.limit) ** 2
        real, imaginary = real / power, -imaginary / power
        return (cosine.T @ real @ cosine - sine.T @ imaginary @ cosine) / self.size**2

    def forward(self, windows, vectors):
        count, channels, height, width = windows.shape
        kernels = self.kernels(vectors).reshape(-1, 1, self.size, self.size)
        image = windows.reshape(1, count * channels, height, width)
        image = functional.conv2d(
            image, kernels, None, 1, self.size // 2, groups=count * channels
        )
        return image.reshape(windows.shape)


class ReleasedBlock(nn.Module):
    """`layers.k3dn.PSFBlock`; kernels and matrix are finished beforehand."""

    def __init__(self, block):
        super().__init__()
        kernels = np.asarray(block.depthwise.kernels())
        half = kernels[..., : kernels.shape[-1] // 2 + 1]
        query, mixing = block.query, block.pointwise
        responses = (np.asarray(query.tap_weights) * half).sum((1, 2))
        modulation = np.asarray(mixing.modulation_kernel)
        values = {
            "kernels": kernels[:, None],
            "responses": responses,
            "project": query.project.kernel,
            "project_bias": query.project.bias,
            "expand": query.expand.kernel,
            "expand_bias": query.expand.bias,
            "modulation": modulation / len(modulation) ** 0.5,
            "modulation_bias": mixing.modulation_bias,
            "matrix": np.asarray(mixing.matrix())[:, :, None, None],
        }
        for name, value in values.items():
            setattr(self, name, nn.Parameter(tensor(value)))

    def forward(self, windows, vectors):
        answers = (vectors @ self.project + self.project_bias) * self.responses
        answers = answers @ self.expand + self.expand_bias
        vectors = vectors + functional.leaky_relu(answers, SLOPE)
        weights = torch.softmax(vectors @ self.modulation + self.modulation_bias, -1)
        padding, count = self.kernels.shape[-1] // 2, len(self.kernels)
        features = functional.conv2d(
            windows, self.kernels, None, 1, padding, groups=count
        )
        features = functional.leaky_relu_(features, SLOPE) * weights[:, :, None, None]
        features = functional.conv2d(features, self.matrix)
        return windows + functional.leaky_relu_(features, SLOPE)


class Preservation(nn.Module):
    """`layers.k3dn.SharpRegionPreservation`."""

    def __init__(self, layer):
        super().__init__()
        for name in ("query", "key", "value", "first", "last"):
            setattr(self, name, Convolution(getattr(layer, name)))
        self.units = Units(layer.units)

    def forward(self, old, new):
        features = torch.cat([old, new], 1)
        similarity = correlate(self.query(features), self.key(features), 4)
        gated = features * self.value(similarity)
        return features + self.last(self.units(self.first(gated)))


class Refinement(nn.Module):
    """`layers.k3dn_mixture.SharpRegionRefinement`."""

    def __init__(self, layer):
        super().__init__()
        for name in ("query", "key", "old_value", "new_value", "first", "last"):
            setattr(self, name, Convolution(getattr(layer, name)))
        self.units = Units(layer.units)

    def forward(self, old, new):
        both = torch.cat([old, new], 1)
        similarity = correlate(self.query(both), self.key(both), 4)
        mixed = self.old_value(similarity) * old + self.new_value(similarity) * new
        return self.last(self.units(self.first(mixed)))


def correlate(query, key, radius):
    """`ops.local_correlation`, by shifted copies of the key."""
    height, width = query.shape[2:]
    padded = functional.pad(key, [radius] * 4)
    reach = range(2 * radius + 1)
    maps = [
        (query * padded[:, :, y : y + height, x : x + width]).mean(1)
        for y in reach
        for x in reach
    ]
    return torch.stack(maps, 1)


class K3DN(nn.Module):
    """The network of two views, as the paper prints it or as released.

    Args:
        model: built `models.k3dn.K3DN` with PSF and preservation blocks.

    Call arguments:
        left, right: (batch, 3, height, width) float32.

    Returns:
        The same shape.
    """

    def __init__(self, model):
        super().__init__()
        self.disparity = StereoDisparity(model.disparity)
        self.window = model.window_size
        self.encoder = nn.ModuleList(
            nn.Sequential(Convolution(reduction, SLOPE, even=True), Units(units))
            for reduction, units in zip(model.reductions, model.encoder)
        )
        self.paper = model.variant == "paper"
        block = MixtureBlock if self.paper else ReleasedBlock
        preserve = Refinement if self.paper else Preservation
        self.blocks = nn.ModuleList(map(block, model.psf_blocks))
        self.preservation = nn.ModuleList(map(preserve, model.preservation))
        self.doubling = nn.ModuleList(Doubling(x, SLOPE) for x in model.enlargements)
        self.decoder = nn.ModuleList(map(Units, model.decoder))
        self.output = Convolution(model.output_convolution)

    def cut(self, features):
        (batch, channels, *size), (rows, columns) = features.shape, self.window
        grid = (batch, channels, size[0] // rows, rows, size[1] // columns, columns)
        windows = features.reshape(grid).permute(0, 2, 4, 1, 3, 5)
        return windows.reshape(-1, channels, rows, columns)

    def join(self, windows, shape):
        (batch, channels, *size), (rows, columns) = shape, self.window
        grid = (batch, size[0] // rows, size[1] // columns, channels, rows, columns)
        return windows.reshape(grid).permute(0, 3, 1, 4, 2, 5).reshape(shape)

    def forward(self, left, right):
        left, right = left - 0.5, right - 0.5
        vectors = self.disparity(left, right)
        features = image = torch.cat([left, right], 1)
        stages = []
        for level in self.encoder:
            features = level(features)
            stages.append(features)
        windows = self.cut(features)
        for block in self.blocks:
            windows = block(windows, vectors)
        new = self.join(windows, features.shape)
        features = self.preservation[0](features, new) if self.paper else new
        for index, skip in enumerate([*stages[1::-1], image]):
            enlarged = self.doubling[index](features)
            if self.paper:
                joined = torch.cat([skip, enlarged], 1)
            else:
                joined = self.preservation[index](skip, enlarged)
            features = self.decoder[index](joined)
        return self.output(features).clamp(-1, 1) + 0.5
