"""KPAC in PyTorch, on the weights of a Keras model."""

import torch
from torch import nn
from torch.nn import functional

from .blocks import Convolution, Doubling, tensor

SLOPE = 0.2


class AtrousBlock(nn.Module):
    """`layers.kpac.KPACBlock`."""

    def __init__(self, block):
        super().__init__()
        (kernel,) = block.atrous.kernels
        self.kernel = nn.Parameter(tensor(kernel).permute(3, 2, 0, 1).contiguous())
        self.rates = block.dilation_rates
        self.scale = nn.Sequential(
            *(Convolution(layer, SLOPE) for layer in block.scale.hidden),
            Convolution(block.scale.weighting),
        )
        self.shape = nn.Sequential(
            Convolution(block.shape.squeeze, SLOPE), Convolution(block.shape.excite)
        )
        self.fusion = Convolution(block.fusion, SLOPE)

    def forward(self, features):
        alpha = torch.sigmoid(self.scale(features))
        beta = torch.sigmoid(self.shape(features.mean((2, 3), keepdim=True)))
        branches = []
        for index, rate in enumerate(self.rates):
            padding = rate * (self.kernel.shape[-1] // 2)
            branch = functional.conv2d(features, self.kernel, None, 1, padding, rate)
            branch = functional.leaky_relu_(branch, SLOPE)
            branches.append(branch * alpha[:, index : index + 1] * beta)
        return self.fusion(torch.cat(branches, 1))


class KPAC(nn.Module):
    """The network as published: shared kernels, both attentions, one view or two.

    Args:
        model: built `models.kpac.KPAC`.

    Call arguments:
        *views: (batch, 3, height, width) float32, in the order of `model.view_names`.

    Returns:
        The same shape.
    """

    def __init__(self, model):
        super().__init__()
        self.encoder = nn.ModuleList(
            nn.Sequential(Convolution(first, SLOPE), Convolution(second, SLOPE))
            for first, second in model.encoder
        )
        self.blocks = nn.ModuleList(AtrousBlock(block) for block in model.blocks)
        self.fusion = nn.Sequential(*(Convolution(x, SLOPE) for x in model.fusion))
        self.upsampling = nn.ModuleList(Doubling(x, SLOPE) for x in model.upsampling)
        self.merging = nn.ModuleList(
            [
                *(Convolution(x, SLOPE) for x in model.merging),
                Convolution(model.residual),
            ]
        )

    def forward(self, *views):
        seen = torch.cat(views[1:] or views, 1)
        features, stages = seen * 2 - 1, []
        for level in self.encoder:
            features = level(features)
            stages.append(features)
        outputs = [features]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        features = self.fusion(torch.cat(outputs, 1))
        for double, merge, skip in zip(self.upsampling, self.merging, stages[-2::-1]):
            features = merge(torch.cat([double(features), skip], 1))
        return views[0] + features * 0.5
