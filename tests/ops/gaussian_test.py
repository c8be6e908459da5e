"""Gaussian banks: their numbers, and separable against dense evaluation."""

import numpy as np
import pytest
from keras import ops

from tests import testing
from tf_defocus.ops import gaussian

SEPARABLE_TOLERANCE = 2e-6  # on images in [0, 1]; float32 rounding of two orders


def dense_bank(image, taps):
    """One channel through every kernel, as plain two-dimensional convolutions."""
    kernels = gaussian.outer_products(taps).transpose(1, 2, 0)[:, :, None]
    return ops.convert_to_numpy(ops.conv(image, kernels, padding="same"))


def naive_convolution(image, kernel):
    """Zero-padded correlation of (height, width) in float64."""
    reach = kernel.shape[0] // 2
    padded = np.pad(image.astype("float64"), reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
    return np.einsum("hwij,ij->hw", windows, kernel)


def _sigma(row):
    """Of a sampled Gaussian, from the ratio of its two central taps."""
    centre = len(row) // 2
    return np.sqrt(0.5 / np.log(row[centre] / row[centre + 1]))


def _support(row):
    return np.count_nonzero(row)


def test_taps_are_the_normalised_gaussian():
    weights = np.exp(-np.array([4, 1, 0, 1, 4]) / (2 * 1.5**2))
    np.testing.assert_allclose(
        gaussian.gaussian_taps(1.5, 5), weights / weights.sum(), rtol=1e-12
    )


def test_default_bank_has_the_codes_sigmas_and_supports():
    taps = gaussian.gaussian_bank()
    assert taps.shape == (22, 21)
    np.testing.assert_array_equal(taps[0], np.eye(21)[10])
    np.testing.assert_allclose(
        [_sigma(row) for row in taps[1:]], np.arange(1, 22) * 0.25, rtol=1e-4
    )
    sizes = [3, 3, 3, *(m for m in range(5, 22, 2) for _ in range(2))]
    assert [_support(row) for row in taps[1:]] == sizes
    np.testing.assert_allclose(taps.sum(axis=1), 1, atol=1e-6)


def test_paper_bank_has_two_kernels_of_every_size():
    taps = gaussian.gaussian_bank(bank="paper21")
    sigmas = [(m - 2 + step) / 4 for m in range(3, 22, 2) for step in (0, 1)]
    assert taps.shape == (21, 21)
    np.testing.assert_allclose([_sigma(row) for row in taps[1:]], sigmas, rtol=1e-4)
    assert [_support(row) for row in taps[1:]] == [
        m for m in range(3, 22, 2) for _ in range(2)
    ]


def test_smaller_bank_is_capped_at_the_largest_size():
    taps = gaussian.gaussian_bank(num_gaussians=8, max_kernel_size=5)
    assert taps.shape == (9, 5)
    assert [_support(row) for row in taps] == [1, 3, 3, 3, 5, 5, 5, 5, 5]


def test_released_bank_equals_the_recorded_kernels():
    vectors = testing.reference_file("gkmnet.npz")
    kernels = gaussian.outer_products(gaussian.gaussian_bank())
    order = gaussian.repeated_order(22).reshape(-1)
    np.testing.assert_allclose(
        kernels[order], vectors["gaussian_bank"][:, 0], atol=1e-7
    )


def test_orders_spread_kernels_over_colours():
    assert gaussian.tiled_order(22).tolist() == [list(range(22))] * 3
    order = gaussian.repeated_order(22)
    assert order[0].tolist() == [k for k in range(7) for _ in range(3)] + [7]
    assert order[1, 0] == 7 and order[1, -1] == 14
    assert order[2, 0] == 14 and order[2, -3:].tolist() == [21, 21, 21]


@pytest.mark.parametrize("bank", gaussian.BANKS)
@pytest.mark.parametrize("size", [(33, 40), (7, 50), (1, 1)])
def test_separable_bank_equals_the_dense_one(rng, bank, size):
    taps = gaussian.gaussian_bank(bank=bank)
    image = rng.random((2, *size, 1), dtype="float32")
    actual = ops.convert_to_numpy(gaussian.convolve_bank(image, taps))
    np.testing.assert_allclose(
        actual, dense_bank(image, taps), atol=SEPARABLE_TOLERANCE
    )


def test_every_kernel_equals_a_naive_convolution(rng):
    taps = gaussian.gaussian_bank()
    image = rng.random((1, 24, 19, 1), dtype="float32")
    maps = ops.convert_to_numpy(gaussian.convolve_bank(image, taps))
    for k, kernel in enumerate(gaussian.outer_products(taps.astype("float64"))):
        expected = naive_convolution(image[0, :, :, 0], kernel)
        np.testing.assert_allclose(maps[0, :, :, k], expected, atol=SEPARABLE_TOLERANCE)


def test_narrow_kernels_are_trimmed_without_effect(rng):
    image = rng.random((1, 9, 9, 1), dtype="float32")
    taps = gaussian.gaussian_bank()
    np.testing.assert_allclose(
        gaussian.convolve_bank(image, taps[:4]),
        dense_bank(image, taps[:4]),
        atol=SEPARABLE_TOLERANCE,
    )
    np.testing.assert_array_equal(gaussian.convolve_bank(image, taps[:1]), image)


@pytest.mark.parametrize("size", [0, 4, -3])
def test_even_and_negative_sizes_are_refused(size):
    with pytest.raises(ValueError, match="odd"):
        gaussian.gaussian_taps(1.0, size)
    with pytest.raises(ValueError, match="odd"):
        gaussian.gaussian_bank(max_kernel_size=size)


@pytest.mark.parametrize("sigma", [0, -1, 0.01, 1e-200, np.inf, np.nan])
def test_sigmas_that_underflow_are_refused(sigma):
    with pytest.raises(ValueError, match="underflow"):
        gaussian.gaussian_taps(sigma, 5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"bank": "paper"}, "bank must be"),
        ({"num_gaussians": 0}, "at least 1"),
        ({"bank": "paper21", "num_gaussians": 21}, "leave num_gaussians out"),
    ],
)
def test_unknown_banks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian.gaussian_bank(**arguments)


def test_narrow_kernels_are_grouped_where_they_come_first():
    taps = gaussian.gaussian_bank()
    supports = (taps != 0).sum(axis=-1)
    narrow, wide = gaussian.support_groups(taps)
    assert (narrow, wide) == (slice(0, 6), slice(6, 22))
    assert supports[narrow].max() == 5 and supports[wide].min() == 7
    assert gaussian.support_groups(taps[:6]) == [slice(0, 6)]
    assert gaussian.support_groups(taps[6:]) == [slice(0, 16)]
    assert gaussian.support_groups(taps[::-1]) == [slice(0, 22)]
