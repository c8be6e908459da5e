"""INIKNet's parts against their formulas in NumPy, and their contracts."""

import numpy as np
import pytest
from scipy import ndimage

from tests.layers.bambnet_test import sigmoid
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.iniknet import BidirectionalScales, ReflectedUNet, ScaleCell
from tf_defocus.layers.iniknet_kernels import (
    ImplicitKernel,
    ImplicitKernelSum,
    kernel_coordinates,
)


def test_coordinates_are_polar_about_the_centre():
    coordinates = kernel_coordinates(3)
    np.testing.assert_allclose(coordinates[1, 1], [0, 1, 0.5], atol=1e-6, rtol=2e-6)
    np.testing.assert_allclose(
        coordinates[2, 2, 0], 1, atol=1e-6, rtol=2e-6
    )  # a corner
    half = np.sqrt(0.5)
    # Down, the angle is 0; to the right it is a quarter turn.
    np.testing.assert_allclose(coordinates[2, 1], [half, 1, 0.5], atol=1e-6, rtol=2e-6)
    np.testing.assert_allclose(coordinates[1, 2], [half, 0.5, 1], atol=1e-6, rtol=2e-6)
    np.testing.assert_allclose(coordinates[0, 1], [half, 0, 0.5], atol=1e-6, rtol=2e-6)


@pytest.mark.parametrize("size", [3, 5])
def test_kernel_is_sines_of_position_of_equal_sum_at_any_size(rng, size):
    layer = ImplicitKernel(6, 2.5)
    layer.build((None, None, 3))
    coordinates = kernel_coordinates(size)
    hidden = coordinates
    for dense in (layer.first, layer.second):
        kernel, bias = (np.asarray(w) for w in dense.get_weights())
        hidden = np.sin(2.5 * (hidden @ kernel + bias))
    expected = hidden @ np.asarray(layer.last.kernel) * 9 / size**2
    np.testing.assert_allclose(layer(coordinates), expected, atol=1e-6, rtol=2e-6)


def test_sum_weighs_sizes_bases_and_colours(rng):
    layer = ImplicitKernelSum(2, 5, 6)
    images = rng.random((1, 7, 8, 3), dtype=np.float32)
    sizes = rng.random((1, 7, 8, 3), dtype=np.float32)
    bases = rng.random((1, 7, 8, 2), dtype=np.float32)
    actual = layer(images, sizes, bases)
    mixing = np.asarray(layer.kernel)[0, 0]
    expected = np.zeros((7, 8, 3)) + np.asarray(layer.bias)
    for group, size in enumerate((3, 5), start=1):
        kernels = np.asarray(layer.kernels(size))
        for colour, basis in np.ndindex(3, 2):
            plane = images[0, ..., colour]
            kernel = kernels[..., basis]
            filtered = ndimage.correlate(plane, kernel, mode="constant")
            weighed = filtered * sizes[0, ..., group] * bases[0, ..., basis]
            row = mixing[(group * 3 + colour) * 2 + basis]
            expected += weighed[..., None] * row
    np.testing.assert_allclose(actual[0], expected, atol=1e-5, rtol=2e-6)


def naive_cell(cell, inputs, hidden, state):
    combined = np.concatenate([inputs, hidden], axis=-1)
    units = np.asarray(cell.units(combined))
    kernel, bias = (np.asarray(w) for w in cell.gates.get_weights())
    write, keep, read, content = np.split(units @ kernel[0, 0] + bias, 4, axis=-1)
    state = sigmoid(keep) * state + sigmoid(write) * np.tanh(content)
    return sigmoid(read) * np.tanh(state), state


def test_scales_run_to_the_coarsest_and_back(rng):
    layer = BidirectionalScales(2, 1)
    coarse = rng.normal(size=(1, 2, 4, 2)).astype("float32")
    fine = rng.normal(size=(1, 4, 8, 2)).astype("float32")
    actual = layer([coarse, fine])
    normal = [np.asarray(layer.normalisation(part)) for part in (coarse, fine)]
    zeros = np.zeros((1, 4, 8, 2), "float32")
    hidden, state = naive_cell(layer.to_coarse, normal[1], zeros, zeros)
    halved = [x.reshape(1, 2, 2, 4, 2, 2).mean((2, 4)) for x in (hidden, state)]
    back = [naive_cell(layer.to_coarse, normal[0], *halved)[0], hidden]
    zeros = np.zeros((1, 2, 4, 2), "float32")
    first, state = naive_cell(layer.to_fine, back[0], zeros, zeros)
    doubled = [ndimage_double(x) for x in (first, state)]
    second, _ = naive_cell(layer.to_fine, back[1], *doubled)
    np.testing.assert_allclose(actual[0], coarse + first, atol=1e-5, rtol=2e-6)
    np.testing.assert_allclose(actual[1], fine + second, atol=1e-5, rtol=2e-6)


def ndimage_double(images):
    """Twice the size, bilinear with half-pixel centres, borders repeated."""
    grid = np.meshgrid(
        *[(np.arange(2 * n) + 0.5) / 2 - 0.5 for n in images.shape[1:3]], indexing="ij"
    )
    planes = [
        ndimage.map_coordinates(images[0, ..., c], grid, order=1, mode="nearest")
        for c in range(images.shape[-1])
    ]
    return np.stack(planes, axis=-1)[None]


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (ImplicitKernel(4, 2.0), [(3, 3, 3)]),
        (ImplicitKernelSum(2, 3, 4), [(1, 4, 6, 3), (1, 4, 6, 2), (1, 4, 6, 2)]),
        (ReflectedUNet(2, 1), [(1, 8, 12, 3)]),
        (ScaleCell(2, 1), [(1, 4, 6, 2)] * 3),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_layer_round_trips(rng, layer, shapes):
    assert_layer_round_trips(
        layer, *(rng.random(shape, dtype=np.float32) for shape in shapes)
    )


def test_scales_round_trip(rng):
    features = [rng.random((1, n, n, 2), dtype=np.float32) for n in (2, 4)]
    assert_layer_round_trips(BidirectionalScales(2, 1), features)
