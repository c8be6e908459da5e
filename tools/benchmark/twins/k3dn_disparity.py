"""K3DN's stereo estimator of disparity vectors in PyTorch."""

import torch
from torch import nn
from torch.nn import functional

from .blocks import folded, tensor

NUM_SHIFTS = 4
STRIDE = 8  # pixels of the image per sample of a window


class Normalised(nn.Module):
    """`layers.k3dn_stereo.NormalisedConvolution`, the statistics folded."""

    def __init__(self, layer):
        super().__init__()
        kernel, bias = folded(layer.convolution, layer.normalisation)
        rank = layer.rank
        order = (rank + 1, rank, *range(rank))
        self.kernel = nn.Parameter(tensor(kernel).permute(order).contiguous())
        self.bias = nn.Parameter(tensor(bias))
        self.picks = layer.strides if layer.dilation_rate > 1 else 1
        self.stride = layer.strides // self.picks
        self.dilation = layer.dilation_rate // self.picks
        margin = self.dilation * (layer.kernel_size // 2)
        self.margin = margin if layer.margin is None else layer.margin
        self.convolve = functional.conv2d if rank == 2 else functional.conv3d

    def forward(self, features):
        if self.picks > 1:
            features = features[:, :, :: self.picks, :: self.picks]
        return functional.relu_(
            self.convolve(
                features,
                self.kernel,
                self.bias,
                self.stride,
                self.margin,
                self.dilation,
            )
        )


class StereoFeatures(nn.Module):
    """`layers.k3dn_stereo.StereoFeatures`."""

    def __init__(self, layer):
        super().__init__()
        self.trunk = nn.Sequential(*map(Normalised, layer.trunk))
        self.cells = tuple(map(int, layer.branches))
        self.branches = nn.ModuleList(map(Normalised, layer.branches.values()))
        self.merge = Normalised(layer.merge)
        kernel = tensor(layer.output_convolution.kernel).permute(3, 2, 0, 1)
        self.output = nn.Parameter(kernel.contiguous())

    def forward(self, images):
        features = self.trunk(images)
        parts = []
        for cell, branch in zip(self.cells, self.branches):
            means = branch(functional.avg_pool2d(at_least(features, cell), cell))
            size = features.shape[2:]
            parts.append(
                functional.interpolate(means, size, mode="bilinear", align_corners=True)
            )
        merged = self.merge(torch.cat([*parts, features], 1))
        return functional.conv2d(merged, self.output)


class StereoDisparity(nn.Module):
    """`layers.k3dn_disparity.StereoDisparity`; (windows, 256) of two views."""

    def __init__(self, layer):
        super().__init__()
        self.features = StereoFeatures(layer.features)
        self.matching = nn.Sequential(*map(Normalised, layer.matching))
        vectors = layer.vectors
        self.window, self.pool = vectors.window_size, vectors.pool_size
        self.pad_scale = vectors.pad_scale
        self.kernel = nn.Parameter(tensor(vectors.dense.kernel))
        self.bias = nn.Parameter(tensor(vectors.dense.bias))

    def forward(self, left, right):
        quarter = [functional.avg_pool2d(view, 4) for view in (left, right)]
        volume = cost_volume(*(self.features(view) for view in quarter))
        matched = self.matching(volume).squeeze(2)
        for axis in (2, 3):
            matched = self.resize(matched, left.shape[axis], axis)
        means = functional.avg_pool2d(matched, self.pool).permute(0, 2, 3, 1)
        vectors = means @ self.kernel + self.bias
        return functional.leaky_relu(vectors, 0.2).flatten(0, 2)

    def resize(self, features, image_size, axis):
        """A whole number of samples per window along an axis, by nearest neighbours."""
        pool, count = self.pool[axis - 2], features.shape[axis]
        windows = image_size // (STRIDE * self.window[axis - 2])
        released = count + image_size // self.pad_scale[axis - 2]
        size = released if released // pool == windows else windows * pool
        source = torch.arange(size) * count // size
        return features.index_select(axis, source[: windows * pool])


def cost_volume(left, right):
    """(batch, 2 channels, shifts, height, width) of pairs of features."""
    planes = []
    for shift in range(NUM_SHIFTS):
        width = left.shape[3] - shift
        pair = torch.cat([left[..., shift:], right[..., :width]], 1)
        planes.append(functional.pad(pair, (shift, 0)))
    return torch.stack(planes, 2)


def at_least(features, size):
    """Repeats features smaller than a pooling cell until one fits."""
    for axis in (2, 3):
        count = features.shape[axis]
        if count < size:
            index = torch.arange(size) % count
            features = features.index_select(axis, index)
    return features
