"""Smoothing that stops at edges of another image, in time linear in its size.

Gastal and Oliveira, "Domain Transform for Edge-Aware Image and Video Processing",
SIGGRAPH 2011: an image is stretched so that an edge is a distance, and filtered along
rows and columns in turn.
"""

import numpy as np


def domain_transform_filter(values, joint, spatial, tonal, num_iterations=5):
    """The recursive filter, joint with an image whose edges it respects.

    Args:
        values: (height, width, channels) float.
        joint: (height, width, joint channels) float in [0, 1].
        spatial: float [px], standard deviation where the joint image is constant.
        tonal: float, standard deviation in values of the joint image.
        num_iterations: int, passes over rows and columns, each narrower.

    Returns:
        (height, width, channels) float64.

    Reference:
        Gastal and Oliveira, 2011, Eqs. 11, 14 and 21.
    """
    result = np.array(values, np.float64)
    steps = [_distances(joint, axis, spatial / tonal) for axis in (1, 0)]
    full = np.sqrt(4.0**num_iterations - 1)
    for iteration in range(1, num_iterations + 1):
        sigma = spatial * np.sqrt(3) * 2.0 ** (num_iterations - iteration) / full
        feedback = np.exp(-np.sqrt(2) / sigma)
        for axis, distances in zip((1, 0), steps):
            weights = feedback ** np.moveaxis(distances, axis, 0)
            _filter(np.moveaxis(result, axis, 0), weights)
    return result


def _distances(joint, axis, ratio):
    """1 + ratio * sum over the channels of |difference|; 1 at the start."""
    joint = np.asarray(joint, np.float64)
    first = joint.take([0], axis=axis)
    return 1 + ratio * np.abs(np.diff(joint, axis=axis, prepend=first)).sum(axis=-1)


def _filter(lines, weights):
    """Forward, then backward along the first axis, in place."""
    weights = weights[..., None]
    for i in range(1, len(lines)):
        lines[i] += weights[i] * (lines[i - 1] - lines[i])
    for i in range(len(lines) - 2, -1, -1):
        lines[i] += weights[i + 1] * (lines[i + 1] - lines[i])
