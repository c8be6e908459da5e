"""Writes lpips.npz beside this file; needs torch.

    python tests/goldens/record_lpips.py

Recorded with torch 2.13.0: the definition of LPIPS v0.1 spelled out in torch, on seeded
weights and images that `tests/lpips_test.py` makes again by the same rule.
"""

import pathlib

import numpy as np
import torch
from torch.nn import functional

ALEX = [
    [("conv", 0, 3, 64, 11, 4, 2)],
    [("pool", 3), ("conv", 3, 64, 192, 5, 1, 2)],
    [("pool", 3), ("conv", 6, 192, 384, 3, 1, 1)],
    [("conv", 8, 384, 256, 3, 1, 1)],
    [("conv", 10, 256, 256, 3, 1, 1)],
]
VGG = [
    [("conv", 0, 3, 64, 3, 1, 1), ("conv", 2, 64, 64, 3, 1, 1)],
    [("pool", 2), ("conv", 5, 64, 128, 3, 1, 1), ("conv", 7, 128, 128, 3, 1, 1)],
    [
        ("pool", 2),
        ("conv", 10, 128, 256, 3, 1, 1),
        ("conv", 12, 256, 256, 3, 1, 1),
        ("conv", 14, 256, 256, 3, 1, 1),
    ],
    [
        ("pool", 2),
        ("conv", 17, 256, 512, 3, 1, 1),
        ("conv", 19, 512, 512, 3, 1, 1),
        ("conv", 21, 512, 512, 3, 1, 1),
    ],
    [
        ("pool", 2),
        ("conv", 24, 512, 512, 3, 1, 1),
        ("conv", 26, 512, 512, 3, 1, 1),
        ("conv", 28, 512, 512, 3, 1, 1),
    ],
]
SHIFT = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
SCALE = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)


def convolution_weights(index, channels, filters, size):
    rng = np.random.default_rng([index, 2018])
    deviation = np.sqrt(2 / (channels * size * size))
    kernel = rng.normal(0, deviation, (filters, channels, size, size))
    bias = rng.normal(0, 0.1, filters)
    return kernel.astype("float32"), bias.astype("float32")


def head_weights(stage, channels):
    rng = np.random.default_rng([stage, 2019])
    return rng.uniform(0, 1, (1, channels, 1, 1)).astype("float32")


def image_pair(height, width):
    rng = np.random.default_rng([height, width])
    image = rng.uniform(-1, 1, (height, width, 3))
    other = np.clip(image + rng.normal(0, 0.3, image.shape), -1, 1)
    return image.astype("float32"), other.astype("float32")


def stages(network, image):
    features = torch.from_numpy(image).permute(2, 0, 1)[None]
    features = (features - SHIFT) / SCALE
    for stage in network:
        for kind, *numbers in stage:
            if kind == "pool":
                features = functional.max_pool2d(features, numbers[0], 2)
                continue
            index, channels, filters, size, stride, padding = numbers
            kernel, bias = map(
                torch.from_numpy, convolution_weights(index, channels, filters, size)
            )
            features = functional.conv2d(features, kernel, bias, stride, padding)
            features = torch.relu(features)
        yield features


def normalized(features):
    length = torch.sqrt(torch.sum(features**2, dim=1, keepdim=True))
    return features / (length + 1e-10)


recorded = {}
for name, network in (("alex", ALEX), ("vgg", VGG)):
    for size in ((64, 80), (47, 59)):
        image, other = image_pair(*size)
        means, deviations, distances = [], [], []
        both = zip(stages(network, image), stages(network, other))
        for stage, (one, two) in enumerate(both):
            means.append(one.mean().item())
            deviations.append(one.std(unbiased=False).item())
            head = torch.from_numpy(head_weights(stage, one.shape[1]))
            squared = (normalized(one) - normalized(two)) ** 2
            weighted = functional.conv2d(squared, head)
            distances.append(weighted.mean().item())
        key = f"{name}_{size[0]}x{size[1]}"
        recorded[f"{key}/means"] = np.array(means)
        recorded[f"{key}/deviations"] = np.array(deviations)
        recorded[f"{key}/score"] = np.array(sum(distances))
np.savez(pathlib.Path(__file__).parent / "lpips.npz", **recorded)
