"""KPAC's blocks against naive NumPy."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers import kpac

ATOL = 1e-5  # float32, sums of a few hundred terms


def naive_convolution(inputs, kernel, rate=1, bias=0.0):
    """Zero-padded correlation of (h, w, c) with (k, k, c, o), taps `rate` apart."""
    height, width, _ = inputs.shape
    reach = kernel.shape[0] // 2
    output = np.zeros((height, width, kernel.shape[-1]))
    for y, x, i, j in np.ndindex(height, width, *kernel.shape[:2]):
        row, column = y + rate * (i - reach), x + rate * (j - reach)
        if 0 <= row < height and 0 <= column < width:
            output[y, x] += inputs[row, column] @ kernel[i, j]
    return output + bias


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def random_weights(layer, rng):
    layer.set_weights(
        [rng.normal(0, 0.2, w.shape).astype("float32") for w in layer.weights]
    )


def test_shared_kernel_has_one_weight_for_all_rates():
    layer = kpac.KernelSharingAtrousConvolution(4, 5, (1, 2, 3, 4, 5))
    layer.build((None, None, None, 6))
    assert [tuple(w.shape) for w in layer.weights] == [(5, 5, 6, 4)]
    layer = kpac.KernelSharingAtrousConvolution(4, 5, (1, 2, 3), share_kernels=False)
    layer.build((None, None, None, 6))
    assert [tuple(w.shape) for w in layer.weights] == [(5, 5, 6, 4)] * 3


def test_atrous_convolution_matches_eq_6(rng):
    """[KPAC Eq. 6]"""
    inputs = rng.normal(size=(1, 9, 7, 3)).astype("float32")
    layer = kpac.KernelSharingAtrousConvolution(2, 3, (1, 2, 3))
    layer.build(inputs.shape)
    kernel = rng.normal(size=(3, 3, 3, 2)).astype("float32")
    layer.set_weights([kernel])
    for rate, branch in zip((1, 2, 3), layer(inputs)):
        expected = lrelu(naive_convolution(inputs[0], kernel, rate))
        np.testing.assert_allclose(branch[0], expected, atol=ATOL)


def test_one_hot_kernel_shifts_by_the_dilation_rate(rng):
    inputs = rng.random((1, 8, 8, 1), dtype=np.float32)  # positive: no activation
    layer = kpac.KernelSharingAtrousConvolution(1, 3, (1, 3))
    layer.build(inputs.shape)
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1, 2] = 1  # the tap to the right
    layer.set_weights([kernel])
    near, far = layer(inputs)
    np.testing.assert_array_equal(near[:, :, :-1], inputs[:, :, 1:])
    np.testing.assert_array_equal(far[:, :, :-3], inputs[:, :, 3:])


def test_scale_attention_matches_its_convolutions(rng):
    inputs = rng.normal(size=(1, 6, 7, 3)).astype("float32")
    layer = kpac.ScaleAttention(num_scales=3, widths=(4, 2))
    layer.build(inputs.shape)
    random_weights(layer, rng)
    first, first_bias, second, second_bias, last, last_bias = layer.get_weights()
    hidden = lrelu(naive_convolution(inputs[0], first, 2, first_bias))
    hidden = lrelu(naive_convolution(hidden, second, 2, second_bias))
    expected = sigmoid(naive_convolution(hidden, last, 1, last_bias))
    np.testing.assert_allclose(layer(inputs)[0], expected, atol=ATOL)


def test_shape_attention_reads_only_the_mean(rng):
    inputs = rng.normal(size=(2, 4, 6, 5)).astype("float32")
    layer = kpac.ShapeAttention(filters=3, hidden_units=2)
    layer.build(inputs.shape)
    random_weights(layer, rng)
    squeeze, squeeze_bias, excite, excite_bias = layer.get_weights()
    hidden = lrelu(inputs.mean(axis=(1, 2)) @ squeeze[0, 0] + squeeze_bias)
    expected = sigmoid(hidden @ excite[0, 0] + excite_bias)
    np.testing.assert_allclose(layer(inputs)[:, 0, 0], expected, atol=ATOL)


def block(**changes):
    options = dict(
        filters=4, atrous_filters=2, kernel_size=3, dilation_rates=(1, 2)
    ) | dict(shape_hidden_units=2)
    return kpac.KPACBlock(**(options | changes))


def test_block_matches_eq_7(rng):
    """[KPAC Eq. 7]: attentions multiply after the activation, scale-major order."""
    inputs = rng.normal(size=(1, 7, 6, 4)).astype("float32")
    layer = block()
    layer.build(inputs.shape)
    random_weights(layer, rng)
    output, alpha, beta = layer(inputs)
    kernel = layer.atrous.get_weights()[0]
    branches = [
        lrelu(naive_convolution(inputs[0], kernel, rate))
        * np.asarray(alpha)[0, :, :, s : s + 1]
        * np.asarray(beta)[0]
        for s, rate in enumerate((1, 2))
    ]
    fusion, bias = layer.fusion.get_weights()
    joined = np.concatenate(branches, axis=-1)
    expected = lrelu(naive_convolution(joined, fusion, 1, bias))
    np.testing.assert_allclose(output[0], expected, atol=ATOL)


def test_scale_weights_replace_the_attention(rng):
    inputs = rng.normal(size=(1, 7, 6, 4)).astype("float32")
    layer = block()
    attended, alpha, _ = layer(inputs)
    same, _, _ = layer(inputs, scale_weights=alpha)
    np.testing.assert_array_equal(attended, same)
    _, replaced, _ = layer(inputs, scale_weights=np.zeros((1, 1, 1, 2), np.float32))
    assert float(ops.max(replaced)) == 0.0
    silent, _, _ = layer(inputs, scale_weights=np.zeros((1, 1, 1, 2), np.float32))
    np.testing.assert_array_equal(silent, np.zeros_like(silent))  # biases start at 0


@pytest.mark.parametrize(
    ("switch", "missing"), [("scale_attention", 1), ("shape_attention", 2)]
)
def test_ablated_attention_is_absent_and_passes_everything(rng, switch, missing):
    inputs = rng.normal(size=(1, 5, 5, 4)).astype("float32")
    layer = block(**{switch: False})
    outputs = layer(inputs)
    assert outputs[missing] is None
    full = block()
    full.build(inputs.shape)
    for name in ("atrous", "fusion", "scale", "shape"):
        if getattr(layer, name) is not None:
            getattr(full, name).set_weights(getattr(layer, name).get_weights())
    if switch == "scale_attention":
        ones = np.ones((1, 1, 1, 2), np.float32)
        expected = full(inputs, scale_weights=ones)[0]
        np.testing.assert_allclose(outputs[0], expected, atol=ATOL)
    else:
        # a saturated sigmoid lets every kernel pass
        full.shape.excite.set_weights([np.zeros((1, 1, 2, 2)), np.full(2, 50.0)])
        np.testing.assert_allclose(outputs[0], full(inputs)[0], atol=ATOL)


@pytest.mark.parametrize(
    "layer",
    [
        kpac.KernelSharingAtrousConvolution(2, 3, (1, 2)),
        kpac.ScaleAttention(3, (2, 2)),
        kpac.ShapeAttention(3, 2),
    ],
)
def test_layers_round_trip(rng, layer):
    assert_layer_round_trips(layer, rng.random((1, 5, 4, 3), dtype=np.float32))


def test_block_round_trips_without_attention(rng):
    layer = block(shape_attention=False, scale_attention=False)
    inputs = rng.random((1, 5, 4, 3), dtype=np.float32)
    clone = type(layer).from_config(layer.get_config())
    expected = layer(inputs)[0]
    clone(inputs)
    clone.set_weights(layer.get_weights())
    np.testing.assert_array_equal(clone(inputs)[0], expected)
