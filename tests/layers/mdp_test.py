"""MDP's decoders: the pixels that every step reads, and what their config rebuilds."""

import keras
import numpy as np
import pytest

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.mdp import EarlyDecoder, LateDecoder


def _rectified(image, layer):
    """A convolution of `layer`'s weights by definition: zeros outside, odd one last."""
    kernel, bias = (keras.ops.convert_to_numpy(w) for w in (layer.kernel, layer.bias))
    side = kernel.shape[0]
    before = (side - 1) // 2  # 2x2 kernels look right and down
    padded = np.pad(image, ((0, 0), (before, side), (before, side), (0, 0)))
    height, width = image.shape[1:3]
    total = np.zeros((*image.shape[:3], kernel.shape[3])) + bias
    for row in range(side):
        for column in range(side):
            part = padded[:, row : row + height, column : column + width]
            total += part @ kernel[row, column]
    return np.maximum(total, 0)


def _double(image):
    return image.repeat(2, axis=1).repeat(2, axis=2)


def _with_biases(layer, rng):
    layer.set_weights([rng.normal(size=w.shape) * 0.3 for w in layer.get_weights()])


def test_early_decoder_equals_its_definition(rng):
    layer = EarlyDecoder(1)
    shapes = ((1, 2, 3, 8), (1, 4, 6, 8), (1, 8, 12, 4))
    features, eighth, quarter = (rng.normal(size=s).astype("float32") for s in shapes)
    layer(features, [eighth, quarter])
    _with_biases(layer, rng)
    stages = layer(features, [eighth, quarter])
    up8 = _rectified(_double(_rectified(features, layer.bottleneck)), layer.up8)
    conv8 = _rectified(np.concatenate([eighth, up8], axis=-1), layer.conv8)
    up4 = _rectified(_double(conv8), layer.up4)
    conv4 = _rectified(np.concatenate([quarter, up4], axis=-1), layer.conv4_1)
    conv4 = _rectified(conv4, layer.conv4_2)
    expected = _rectified(_double(conv4), layer.up2)
    assert expected.shape == (1, 16, 24, 2) and expected.std() > 0.01
    np.testing.assert_allclose(stages["up8"], up8, atol=1e-4, rtol=2e-6)
    np.testing.assert_allclose(stages["up2"], expected, atol=1e-4, rtol=2e-6)


def test_late_decoder_equals_its_definition(rng):
    layer = LateDecoder(1)
    features = rng.normal(size=(1, 2, 3, 8)).astype("float32")
    skip = rng.normal(size=(1, 4, 6, 1)).astype("float32")
    layer(features, skip)
    _with_biases(layer, rng)
    stages = layer(features, skip)
    conv2 = _rectified(_rectified(features, layer.conv2_1), layer.conv2_2)
    up1 = _rectified(_double(conv2), layer.up1)
    conv1 = _rectified(np.concatenate([skip, up1], axis=-1), layer.conv1_1)
    colors = _rectified(_rectified(conv1, layer.conv1_2), layer.colors)
    kernel, bias = layer.image.get_weights()
    image = 1 / (1 + np.exp(-(colors @ kernel[0, 0] + bias)))
    assert image.std() > 0.01
    np.testing.assert_allclose(stages["image"], image, atol=1e-5, rtol=2e-6)


@pytest.mark.parametrize("decoder", [EarlyDecoder, LateDecoder])
def test_decoders_round_trip(decoder, rng):
    features = rng.normal(size=(1, 2, 3, 16)).astype("float32")
    skips = rng.normal(size=(1, 4, 6, 2)).astype("float32")
    if decoder is EarlyDecoder:
        skips = [skips, rng.normal(size=(1, 8, 12, 2)).astype("float32")]
    assert_layer_round_trips(decoder(2, name="decoder"), features, skips)
