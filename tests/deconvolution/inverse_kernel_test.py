"""Inverse kernels against their definition, and that scale and inverse commute."""

import numpy as np
import pytest
from scipy import ndimage

from tf_defocus.deconvolution.inverse_kernel import (
    apply_kernel,
    blend_kernels,
    blend_weights,
    upsample_kernel,
    wiener_inverse_kernel,
)
from tf_defocus.optics import psf


def photograph(size=96):
    values = np.random.default_rng(0).random((size, size))
    return ndimage.gaussian_filter(values, 1.5, mode="mirror") * 4 - 1.5


def padded(kernel, side):
    return np.pad(kernel, (side - len(kernel)) // 2)


def transfer(kernel, row_frequency, column_frequency):
    offset = np.arange(len(kernel)) - len(kernel) // 2
    phase = row_frequency * offset[:, None] + column_frequency * offset[None, :]
    return np.sum(kernel * np.cos(2 * np.pi * phase))


def psnr(received, expected, margin=0):
    error = (received - expected)[margin : -margin or None, margin : -margin or None]
    return -10 * np.log10(np.mean(error**2))


def test_inverse_kernel_matches_the_wiener_filter_frequency_by_frequency():
    blur, noise_to_signal, side = psf.disc(2.5), 0.02, 65
    inverse = wiener_inverse_kernel(blur, noise_to_signal, side)
    # Cosine sums: both kernels are symmetric, so their transforms are real.
    for frequency in ((0, 0), (0.05, 0.11), (0.21, 0.4)):
        forward = transfer(blur, *frequency)
        expected = forward / (forward**2 + noise_to_signal)
        np.testing.assert_allclose(transfer(inverse, *frequency), expected, atol=0.02)


def test_inverse_kernel_of_the_identity_is_the_identity():
    inverse = wiener_inverse_kernel(np.ones((1, 1)), 0.25, 5)
    expected = np.zeros((5, 5))
    expected[2, 2] = 1 / 1.25
    np.testing.assert_allclose(inverse, expected, atol=1e-15)


@pytest.mark.parametrize("view", [0, 1])
def test_inverse_kernel_restores_a_skewed_view(view):
    blur = psf.logistic_split(2.5, 0.3)[view]
    sharp = photograph(192)
    blurred = apply_kernel(sharp, blur)
    restored = apply_kernel(blurred, wiener_inverse_kernel(blur, 1e-3, 101))
    # Far from the border, whose mirror image the camera did not see.
    assert psnr(restored, sharp, 60) > psnr(blurred, sharp, 60) + 10


def test_apply_kernel_is_mirrored_convolution():
    rng = np.random.default_rng(1)
    image, kernel = rng.random((20, 17, 3)), rng.random((5, 5))
    expected = ndimage.convolve(image, kernel[..., None], mode="reflect")
    np.testing.assert_allclose(apply_kernel(image, kernel), expected, atol=1e-12)
    np.testing.assert_allclose(
        apply_kernel(image[..., 0], kernel), expected[..., 0], atol=1e-12
    )


@pytest.mark.parametrize("scale", [2, 3])
def test_dilation_commutes_with_the_inverse(scale):
    blur = psf.gaussian(2.0)
    side = 61
    inverse = wiener_inverse_kernel(blur, 0.05, side)
    expected = wiener_inverse_kernel(
        upsample_kernel(blur, scale, "dilation"), 0.05, scale * (side - 1) + 1
    )
    received = upsample_kernel(inverse, scale, "dilation")
    np.testing.assert_allclose(received, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("scale", [1.7, 2.0, 3.4])
def test_sinc_upsampling_commutes_with_the_inverse(scale):
    # A blur within the band: interpolating a disc's sharp edge would ripple for ever.
    blur, side = padded(psf.gaussian(4.0), 61), 181
    inverse = wiener_inverse_kernel(blur, 0.05, 61)
    large_blur = upsample_kernel(blur, scale, "sinc", side=side)
    expected = wiener_inverse_kernel(large_blur, 0.05, side)
    received = upsample_kernel(inverse, scale, "sinc", side=side)
    np.testing.assert_allclose(received, expected, atol=2e-3 * np.abs(expected).max())


def test_deblurring_by_the_scaled_inverse_kernel_is_alike_within_50_decibel():
    # The paper's figures: 51.09 dB and 53.74 dB between the two restorations.
    blur, scale, side = psf.disc(2.5), 2.0, 121
    inverse = wiener_inverse_kernel(blur, 0.05, 61)
    large_blur = upsample_kernel(blur, scale, "lanczos", side=25)
    blurred = apply_kernel(photograph(128), large_blur)
    direct = apply_kernel(blurred, wiener_inverse_kernel(large_blur, 0.05, side))
    scaled = apply_kernel(blurred, upsample_kernel(inverse, scale, "lanczos", side))
    assert psnr(scaled, direct) > 50


@pytest.mark.parametrize("method", ["sinc", "lanczos"])
@pytest.mark.parametrize("scale", [1.0, 1.7, 3.0])
def test_upsampling_keeps_the_sum_and_widens_the_kernel(method, scale):
    blur = padded(psf.gaussian(3.0), 21)
    large = upsample_kernel(blur, scale, method)
    np.testing.assert_allclose(large.sum(), 1.0, atol=2e-3)

    def variance(kernel):
        offset = np.arange(len(kernel)) - len(kernel) // 2
        return np.sum(kernel * offset**2)

    np.testing.assert_allclose(variance(large), scale**2 * variance(blur), rtol=0.03)


def test_upsampled_kernel_passes_through_the_samples():
    kernel = np.random.default_rng(2).random((5, 5))
    for method in ("sinc", "lanczos"):
        large = upsample_kernel(kernel, 3, method)
        assert large.shape == (13, 13)
        np.testing.assert_allclose(large[::3, ::3] * 9, kernel, atol=1e-12)
    dilated = upsample_kernel(kernel, 3, "dilation")
    np.testing.assert_array_equal(dilated[::3, ::3], kernel)
    np.testing.assert_allclose(dilated.sum(), kernel.sum())


@pytest.mark.parametrize("scales", [(3, 3.4, 4), (3, 3.5, 4), (2, 2.6, 3)])
def test_blends_of_two_scales_approach_the_one_between_eq_5(scales):
    inverse = wiener_inverse_kernel(psf.gaussian(2.5), 0.05, 41)
    low, target, high = (
        upsample_kernel(inverse, scale, "lanczos", side=165) for scale in scales
    )

    def energy_explained(weights):
        error = blend_kernels([low, high], weights) - target  # [KPAC Eq. 5]
        return 1 - np.sum(error**2) / np.sum(target**2)

    weights = blend_weights(target, [low, high])
    assert np.all(weights > 0)
    assert energy_explained(weights) > 0.97
    assert energy_explained(weights) >= energy_explained([0.5, 0.5])
    assert energy_explained(weights) > energy_explained([1, 0])
    assert energy_explained(weights) > energy_explained([0, 1])


def test_blend_weights_recover_a_blend_eq_5():
    kernels = np.random.default_rng(3).random((3, 7, 7))
    target = blend_kernels(kernels, [0.2, -0.5, 0.9])  # [KPAC Eq. 5]
    free = blend_weights(target, kernels, nonnegative=False)
    np.testing.assert_allclose(free, [0.2, -0.5, 0.9], atol=1e-12)
    assert np.all(blend_weights(target, kernels) >= 0)


def test_bad_arguments_are_refused():
    kernel = np.ones((3, 3)) / 9
    with pytest.raises(ValueError, match="noise_to_signal > 0"):
        wiener_inverse_kernel(kernel, 0.0, 5)
    with pytest.raises(ValueError, match="odd sides"):
        wiener_inverse_kernel(kernel, 0.1, 6)
    with pytest.raises(ValueError, match="scale >= 1"):
        upsample_kernel(kernel, 0.5)
    with pytest.raises(ValueError, match="integer"):
        upsample_kernel(kernel, 1.5, "dilation")
    with pytest.raises(ValueError, match="'cubic'"):
        upsample_kernel(kernel, 2, "cubic")
    with pytest.raises(ValueError, match=r"kernels of shape \(3, 3\)"):
        blend_weights(kernel, [np.ones((5, 5))])
