"""The picture of GKMNet's kernels shows the numbers of the bank and of a run."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.layers.gkmnet import GaussianConvolution
from tf_defocus.models import create_model
from tf_defocus.ops import gaussian

tool = load_tool("reproduce.gkm_kernels")


def bank(**options):
    layer = GaussianConvolution(num_gaussians=3, max_kernel_size=5, **options)
    layer.build((None, None, None, 3))
    return layer


def test_kernels_that_did_not_move_are_the_predefined_ones():
    layer = bank(trainable_gaussians=True, variant="paper")
    start, kernels = tool.predefined(layer), tool.learned(layer)
    assert kernels.shape == (3, 4, 5, 5)
    np.testing.assert_array_equal(kernels, [start] * 3)
    assert tool.moved(kernels, np.stack([start] * 3)) == 0
    assert tool.moved(1.25 * kernels, np.stack([start] * 3)) == pytest.approx(0.25)


def test_each_tile_is_red_above_zero_and_blue_below():
    kernels = gaussian.outer_products(gaussian.gaussian_bank(3, 5))
    kernels[2] *= -1
    drawn = tool.picture([kernels])
    side = 5 * tool.ZOOM + tool.GAP
    assert drawn.shape == (side, 4 * side, 3)
    tile = drawn[: 5 * tool.ZOOM : tool.ZOOM, 2 * side : 3 * side - tool.GAP][
        :, :: tool.ZOOM
    ].astype(float)
    expected = 255 * kernels[2] / np.abs(kernels[2]).max()
    np.testing.assert_allclose(tile[..., 0] - tile[..., 2], expected, atol=0.51)


def test_coefficients_are_gammas_times_what_their_maps_weigh(rng):
    network = create_model(
        "gkmnet", num_gaussians=3, max_kernel_size=5, num_scales=1, num_iterations=2
    )
    photograph = rng.random((16, 24, 3), dtype=np.float32)
    network({"blurred": photograph[None]})
    seen, call = [], network.summation.call
    maps = tool.coefficients(network, photograph)
    assert network.summation.call == call and maps.shape == (16, 24, 4)
    state = None
    for _ in range(2):
        gamma, state = network.attention(
            photograph[None], state=state, training=False, batch_statistics=False
        )
        seen.append(np.asarray(gamma)[0])
    omega = np.asarray(network.summation.kernel)[0, 0]
    for kernel in range(4):
        weights = [omega[colour * 4 + kernel, colour] for colour in range(3)]
        expected = seen[-1][..., kernel] * np.mean(weights)
        np.testing.assert_allclose(maps[..., kernel], expected, rtol=1e-4, atol=1e-6)
    drawn = tool.picture_of_maps(photograph, maps)
    assert drawn.shape == (16 + tool.GAP, 6 * (24 + tool.GAP), 3)


def test_a_fixed_bank_has_no_learned_kernels():
    with pytest.raises(ValueError, match="kernels are fixed"):
        tool.learned(bank())
