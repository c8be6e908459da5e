"""Outputs of 2x2 pixels side by side are those of the convolution as it is defined."""

import keras
import numpy as np
import pytest
from keras import ops

from tf_defocus.layers.common import convolution_to_image
from tf_defocus.ops.image_convolution import convolve_to_image, plain_convolutions


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 2, 2, 4), (1, 6, 10, 4)])
def test_equals_the_sum_over_a_window(rng, size, shape):
    features = rng.normal(size=shape).astype("float32")
    kernel = rng.normal(size=(size, size, 4, 3)).astype("float32")
    radius = size // 2
    padded = np.pad(features, [(0, 0), (radius, radius), (radius, radius), (0, 0)])
    expected = sum(
        padded[:, a : a + shape[1], b : b + shape[2]] @ kernel[a, b]
        for a in range(size)
        for b in range(size)
    )
    actual = convolve_to_image(ops.convert_to_tensor(features), kernel)
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    with plain_convolutions():
        plain = convolve_to_image(ops.convert_to_tensor(features), kernel)
    np.testing.assert_allclose(plain, expected, atol=2e-5)


def test_a_layer_keeps_its_bias_activation_and_dtype(rng):
    layer = keras.layers.Conv2D(
        3, 3, padding="same", activation="tanh", bias_initializer="ones"
    )
    features = ops.convert_to_tensor(rng.normal(size=(1, 4, 6, 5)).astype("float32"))
    first = convolution_to_image(layer, features)  # builds it
    np.testing.assert_allclose(convolution_to_image(layer, features), first, atol=1e-6)
    half = keras.layers.Conv2D(3, 3, padding="same", dtype="mixed_bfloat16")
    half.build(features.shape)
    assert keras.backend.standardize_dtype(
        convolution_to_image(half, features).dtype
    ) == ("bfloat16")
