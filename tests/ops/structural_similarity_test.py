"""Tests of `tf_defocus.ops.structural_similarity`."""

import keras
import numpy as np
import pytest
from skimage import metrics

from tf_defocus.ops.structural_similarity import structural_similarity


def scikit_image(image, other, window):
    """Scikit-image's map, cropped to windows inside the image as its mean is."""
    options = dict(channel_axis=-1, data_range=1.0, full=True)
    if window == "gaussian":
        options.update(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    margin = 5 if window == "gaussian" else 3
    ssim_map = metrics.structural_similarity(image, other, **options)[1]
    return ssim_map[margin:-margin, margin:-margin].mean()


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_similarity_of_each_image_equals_scikit_image(window, rng):
    images = rng.uniform(0, 1, (2, 17, 22, 3))
    others = images + rng.normal(0, 0.2, images.shape)
    actual = structural_similarity(
        keras.ops.convert_to_tensor(images.astype("float32")),
        keras.ops.convert_to_tensor(others.astype("float32")),
        window,
    )
    expected = [scikit_image(a, b, window) for a, b in zip(images, others)]
    np.testing.assert_allclose(np.asarray(actual), expected, atol=1e-5)


def test_smallest_image_holds_one_window(rng):
    image = rng.uniform(0, 1, (1, 7, 7, 1)).astype("float32")
    other = rng.uniform(0, 1, (1, 7, 7, 1)).astype("float32")
    mean, mean_other = image.mean(), other.mean()
    covariance = np.cov(image.ravel(), other.ravel())
    expected = (2 * mean * mean_other + 1e-4) / (mean**2 + mean_other**2 + 1e-4)
    expected *= (2 * covariance[0, 1] + 9e-4) / (np.trace(covariance) + 9e-4)
    actual = structural_similarity(image, other, "uniform")
    np.testing.assert_allclose(np.asarray(actual), [expected], atol=1e-5)


def test_unknown_window_is_refused():
    with pytest.raises(ValueError, match="window='box'"):
        structural_similarity(np.ones((1, 8, 8, 3)), np.ones((1, 8, 8, 3)), "box")
