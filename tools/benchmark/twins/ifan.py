"""IFAN in PyTorch, on the weights of a Keras model."""

import torch
from torch import nn
from torch.nn import functional

from .blocks import Convolution, Doubling, activate

SLOPE = 0.1


class Encoder(nn.Module):
    """`layers.ifan.FeatureEncoder`."""

    def __init__(self, encoder):
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(*(Convolution(layer, SLOPE, even=True) for layer in level))
            for level in encoder.levels
        )

    def forward(self, features):
        stages = []
        for level in self.levels:
            features = level(features)
            stages.append(features)
        return stages


class Group(nn.Module):
    """`layers.ifan.ResidualGroup`."""

    def __init__(self, group):
        super().__init__()
        self.units = nn.ModuleList(
            nn.Sequential(Convolution(first, SLOPE), Convolution(second))
            for first, second in group.units
        )

    def forward(self, inputs):
        features = inputs
        for unit in self.units:
            features = activate(features + unit(features), SLOPE)
        return features + inputs if len(self.units) > 1 else features


def trunk(layer):
    """`layers.ifan.ResidualTrunk`."""
    parts = [Convolution(layer.opening_layer, SLOPE), *map(Group, layer.groups)]
    if layer.closing_layer is not None:
        parts.append(Convolution(layer.closing_layer, SLOPE))
    return nn.Sequential(*parts)


class AdaptiveSteps(nn.Module):
    """Filters predicted step by step, applied as sums of shifted products."""

    def __init__(self, layer):
        super().__init__()
        self.size = layer.filter_size
        count, bias = layer.num_iterations, layer.bias.numpy()
        length = len(bias) // count
        parts = [slice(i * length, (i + 1) * length) for i in range(count)]
        kernel = layer.kernel.numpy()
        self.predictors = nn.ModuleList(
            Convolution(kernel=kernel[..., part], bias=bias[part]) for part in parts
        )

    def forward(self, features, context):
        size, radius = self.size, self.size // 2
        for predictor in self.predictors:
            filters = predictor(context).split(features.shape[1], 1)
            for axis in (2, 3):
                border = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
                padded = functional.pad(features, border, mode="replicate")
                place = features.shape[axis]
                taps = filters[(axis - 2) * size : (axis - 1) * size]
                features = sum(
                    padded.narrow(axis, tap, place) * weights
                    for tap, weights in enumerate(taps)
                )
            features = activate(features + filters[-1], SLOPE)
        return features


class IFAN(nn.Module):
    """The network as published, variant "paper", one view.

    Args:
        model: built `models.ifan.IFAN` with disparity and iterated filters.

    Call arguments:
        blurred: (batch, 3, height, width) float32.

    Returns:
        The same shape.
    """

    def __init__(self, model):
        super().__init__()
        self.feature_encoder = Encoder(model.feature_encoder)
        self.filter_encoder = Encoder(model.filter_encoder)
        estimator = model.disparity_estimator
        self.disparity = nn.Sequential(
            trunk(estimator.trunk),
            Convolution(estimator.disparity),
            Convolution(model.disparity_features, SLOPE),
        )
        self.context = nn.Sequential(trunk(model.context), trunk(model.filter_trunk))
        self.adaptive = AdaptiveSteps(model.adaptive_convolution)
        self.reconstruction = trunk(model.reconstruction)
        self.doubling = nn.ModuleList(Doubling(x[0], SLOPE) for x in model.upsampling)
        self.refining = nn.ModuleList(
            nn.Sequential(*map(Group, x[1:])) for x in model.upsampling
        )
        self.residual = Convolution(model.residual, SLOPE)

    def forward(self, blurred):
        stages = self.feature_encoder(blurred)
        encoded = self.filter_encoder(blurred)[-1]
        both = torch.cat([encoded, self.disparity(encoded)], 1)
        features = self.adaptive(stages[-1], self.context(both))
        features = self.reconstruction(features)
        for double, refine, skip in zip(self.doubling, self.refining, stages[-2::-1]):
            features = refine(double(features) + skip)
        return blurred + self.residual(features)
