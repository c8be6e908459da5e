"""Fixed-point deblurring against closed forms."""

import numpy as np
import pytest

from tf_defocus.deconvolution.fixed_point import blur_by_mixture, deblur_fixed_point
from tf_defocus.layers.gkmnet import WeightedSummation
from tf_defocus.ops.gaussian import gaussian_bank


@pytest.fixture
def image(rng):
    return rng.random((24, 20, 3))


def one_kernel(shape, index, num_kernels):
    weights = np.zeros((*shape, num_kernels))
    weights[..., index] = 1
    return weights


def random_mixture(rng, shape, num_kernels):
    weights = rng.random((*shape, num_kernels))
    return weights / weights.sum(-1, keepdims=True)


def transfer(row, height, width):
    """Of the kernel with taps `row`, on a periodic image."""
    axes = []
    for size in (height, width):
        kernel = np.zeros(size)
        for i, tap in enumerate(row):
            kernel[(i - len(row) // 2) % size] += tap
        axes.append(np.fft.fft(kernel))
    return np.outer(*axes)


def test_blur_equals_a_naive_sum_over_pixels_eq_3(rng, image):
    """[GKMNet Eq. 3]"""
    taps = gaussian_bank(num_gaussians=4, max_kernel_size=5)
    weights = random_mixture(rng, image.shape[:2], 5)
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    expected = np.zeros_like(image)
    for y, x in np.ndindex(image.shape[:2]):
        kernel = np.einsum("m,mi,mj->ij", weights[y, x], taps, taps)
        window = padded[y : y + 5, x : x + 5]
        expected[y, x] = np.einsum("ij,ijc->c", kernel, window)
    np.testing.assert_allclose(
        blur_by_mixture(image, weights, taps), expected, atol=1e-12
    )


@pytest.mark.parametrize("boundary", ["periodic", "replicate"])
def test_blur_keeps_a_constant_image(rng, boundary):
    taps = gaussian_bank()
    weights = random_mixture(rng, (9, 7), 22)
    constant = np.full((9, 7, 1), 0.3)
    np.testing.assert_allclose(
        blur_by_mixture(constant, weights, taps, boundary), constant, atol=1e-6
    )


@pytest.mark.parametrize("num_iterations", [0, 1, 4, 30])
def test_uniform_blur_follows_the_closed_form_eq_6(image, num_iterations):
    """[GKMNet Eq. 6] X_t = (1 - (1 - G)^(t + 1)) / G Y"""
    taps, index = gaussian_bank(), 6  # sigma 1.5 px
    weights = one_kernel(image.shape[:2], index, len(taps))
    blurred = blur_by_mixture(image, weights, taps, "periodic")
    spectrum = transfer(taps[index].astype("float64"), *image.shape[:2])[..., None]
    gain = (1 - (1 - spectrum) ** (num_iterations + 1)) / spectrum
    closed = np.fft.fft2(blurred, axes=(0, 1)) * gain
    actual = deblur_fixed_point(blurred, weights, taps, num_iterations, "periodic")
    np.testing.assert_allclose(
        actual, np.fft.ifft2(closed, axes=(0, 1)).real, atol=1e-9
    )


def test_uniform_gaussian_blur_converges_to_the_sharp_image(image):
    taps, index = gaussian_bank(), 2  # sigma 0.5 px
    weights = one_kernel(image.shape[:2], index, len(taps))
    blurred = blur_by_mixture(image, weights, taps, "periodic")
    errors = [
        np.abs(deblur_fixed_point(blurred, weights, taps, t, "periodic") - image).max()
        for t in (0, 2, 8, 30)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1 and errors[-1] < 1e-4


def test_spatially_varying_blur_converges_too(rng, image):
    taps = gaussian_bank(num_gaussians=3)
    weights = random_mixture(rng, image.shape[:2], 4)
    blurred = blur_by_mixture(image, weights, taps)
    deblurred = deblur_fixed_point(blurred, weights, taps, 200)
    assert np.abs(blurred - image).max() > 0.1
    np.testing.assert_allclose(deblurred, image, atol=1e-4)


def test_identity_mixture_needs_no_iteration(image):
    taps = gaussian_bank()
    weights = one_kernel(image.shape[:2], 0, len(taps))
    np.testing.assert_allclose(
        deblur_fixed_point(image, weights, taps, 3), image, atol=1e-12
    )


def test_one_iteration_is_what_the_network_computes(rng, image):
    """The network's sum with gamma = identity - beta, added to y [GKMNet Eq. 9]."""
    taps = gaussian_bank()
    beta = random_mixture(rng, image.shape[:2], len(taps))
    gamma = -beta
    gamma[..., 0] += 1
    layer = WeightedSummation()
    layer.build(None)
    omega = np.zeros((2, 3, len(taps), 3), "float32")
    omega[1, range(3), :, range(3)] = 1
    layer.kernel.assign(omega.reshape(layer.kernel.shape))
    weights = np.concatenate([np.zeros_like(gamma), gamma], axis=-1)
    batch = image[None].astype("float32")
    total = layer(batch, batch, weights[None].astype("float32"))
    expected = deblur_fixed_point(image, beta, taps, 1)
    np.testing.assert_allclose(image + np.asarray(total[0]), expected, atol=1e-5)


def test_bad_arguments_are_named(image):
    taps = gaussian_bank()
    weights = one_kernel(image.shape[:2], 0, len(taps))
    with pytest.raises(ValueError, match=r"22\), one per kernel"):
        blur_by_mixture(image, weights[..., :5], taps)
    with pytest.raises(ValueError, match="boundary"):
        blur_by_mixture(image, weights, taps, "mirror")
    with pytest.raises(ValueError, match="num_iterations=-1"):
        deblur_fixed_point(image, weights, taps, -1)
