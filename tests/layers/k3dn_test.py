"""Tests of K3DN's kernel query, PSF block, and preservation of sharp regions."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.k3dn import (
    KernelQuery,
    PSFBlock,
    ResidualUnits,
    SharpRegionPreservation,
)

ATOL = 1e-5  # float32


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x)


def randomise(layer, rng, scale=0.3):
    """Every trainable weight random: several start at zero."""
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * scale)


def test_kernel_query_matches_eq_8(rng):
    vectors = rng.normal(size=(5, 8)).astype("float32")
    kernels = rng.normal(size=(6, 9, 5)).astype("float32")
    layer = KernelQuery()  # [K3DN Eq. 8]
    layer.build(vectors.shape, kernels.shape)
    randomise(layer, rng)
    responses = (np.asarray(layer.tap_weights) * kernels).sum((1, 2))
    projected = vectors @ np.asarray(layer.project.kernel) + np.asarray(
        layer.project.bias
    )
    answers = (projected * responses) @ np.asarray(layer.expand.kernel)
    expected = vectors + lrelu(answers + np.asarray(layer.expand.bias))
    np.testing.assert_allclose(layer(vectors, kernels), expected, atol=1e-4, rtol=2e-6)


def test_an_untrained_query_returns_the_vectors(rng):
    vectors = rng.normal(size=(5, 8)).astype("float32")
    kernels = rng.normal(size=(6, 9, 5)).astype("float32")
    np.testing.assert_array_equal(KernelQuery()(vectors, kernels), vectors)


def block_and_inputs(rng, **kwargs):
    inputs = rng.normal(size=(3, 6, 5, 8)).astype("float32")
    vectors = rng.normal(size=(3, 16)).astype("float32")
    block = PSFBlock(**kwargs)
    block.build(inputs.shape, vectors.shape)
    randomise(block.query, rng)
    return block, inputs, vectors


def test_psf_block_deblurs_by_eq_10(rng):
    block, inputs, vectors = block_and_inputs(rng)  # [K3DN Eq. 10]
    answer = block.query(vectors, block.depthwise.kernels()[..., :5])
    filtered = lrelu(np.asarray(block.depthwise(inputs)))
    expected = inputs + lrelu(np.asarray(block.pointwise(filtered, answer)))
    np.testing.assert_allclose(block(inputs, vectors), expected, atol=ATOL)


def test_psf_block_reblurs_by_eq_17(rng):
    block, inputs, vectors = block_and_inputs(rng)  # [K3DN Eq. 17]
    answer = block.answer(vectors)
    unmixed = lrelu(np.asarray(block.pointwise(inputs, answer, reverse=True)))
    blurred = lrelu(np.asarray(block.depthwise(unmixed, reverse=True)))
    actual = block(inputs, vectors, reverse=True)
    np.testing.assert_allclose(actual, inputs + blurred, atol=ATOL)
    assert np.abs(np.asarray(actual) - np.asarray(block(inputs, vectors))).max() > 1e-2


def test_a_window_depends_on_its_own_vector_only(rng):
    block, inputs, vectors = block_and_inputs(rng)
    before = np.asarray(block(inputs, vectors))
    vectors[1] += 1
    change = np.abs(np.asarray(block(inputs, vectors)) - before).max(axis=(1, 2, 3))
    assert change[1] > 1e-4
    np.testing.assert_array_equal(change[[0, 2]], 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_every_weight_of_a_psf_block_is_trained(rng, reverse):
    tf = pytest.importorskip("tensorflow")
    block, inputs, vectors = block_and_inputs(rng)
    with tf.GradientTape() as tape:
        outputs = block(inputs, vectors, reverse=reverse)
        loss = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(loss, block.trainable_variables)
    for weight, gradient in zip(block.trainable_variables, gradients):
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


def test_residual_units_match_the_naive_ones(rng):
    inputs = rng.normal(size=(1, 4, 5, 3)).astype("float32")
    layer = ResidualUnits(3, 2)
    actual = layer(inputs)
    expected = inputs
    for first, second in layer.units:
        hidden = lrelu(naive_convolution(expected, first))
        expected = expected + naive_convolution(hidden, second)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def naive_convolution(inputs, layer):
    padded = np.pad(inputs, [(0, 0), (1, 1), (1, 1), (0, 0)])
    kernel = np.asarray(layer.kernel)
    bias = np.asarray(layer.bias) if layer.use_bias else 0
    result = np.zeros((*inputs.shape[:3], kernel.shape[-1]))
    for dy, dx in np.ndindex(3, 3):
        shifted = padded[:, dy:, dx:][:, : inputs.shape[1], : inputs.shape[2]]
        result += shifted @ kernel[dy, dx]
    return result + bias


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_preservation_matches_eqs_11_to_16(rng, reduction):
    old = rng.normal(size=(1, 6, 7, 2)).astype("float32")
    new = rng.normal(size=(1, 6, 7, 3)).astype("float32")
    layer = SharpRegionPreservation(5, 1, reduction)  # [K3DN Eq. 12]
    layer.build(old.shape, new.shape)
    randomise(layer, rng, 0.2)
    features = np.concatenate([old, new], -1)
    query = naive_convolution(features, layer.query)
    key = np.pad(
        naive_convolution(features, layer.key), [(0, 0), (4, 4), (4, 4), (0, 0)]
    )
    maps = [
        (query * key[:, dy : dy + 6, dx : dx + 7]).sum(-1)
        for dy, dx in np.ndindex(9, 9)
    ]
    similarity = np.stack(maps, -1) / (5 if reduction == "mean" else 1)
    np.testing.assert_allclose(layer.similarity(old, new), similarity, atol=ATOL)
    hidden = naive_convolution(
        features * naive_convolution(similarity, layer.value), layer.first
    )
    for first, second in layer.units.units:
        hidden = hidden + naive_convolution(
            lrelu(naive_convolution(hidden, first)), second
        )
    expected = features + naive_convolution(hidden, layer.last)
    np.testing.assert_allclose(layer(old, new), expected, atol=1e-4, rtol=1e-4)


def test_layers_round_trip(rng):
    inputs = ops.array(rng.normal(size=(2, 4, 5, 6)), "float32")
    vectors = ops.array(rng.normal(size=(2, 8)), "float32")
    kernels = ops.array(rng.normal(size=(6, 9, 5)), "float32")
    assert_layer_round_trips(KernelQuery(), vectors, kernels)
    assert_layer_round_trips(PSFBlock(50, "deblur"), inputs, vectors)
    assert_layer_round_trips(ResidualUnits(6, 1), inputs)
    assert_layer_round_trips(SharpRegionPreservation(12, 1, "sum"), inputs, inputs)


def test_kernels_stay_float32_under_mixed_precision(rng):
    block, inputs, vectors = block_and_inputs(rng)
    expected = np.asarray(block(inputs, vectors))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = PSFBlock()
        half.build(inputs.shape, vectors.shape)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(block.get_weights())
    np.testing.assert_array_equal(half.depthwise.kernels(), block.depthwise.kernels())
    actual = half(inputs, vectors)
    assert actual.dtype.name == "bfloat16"
    np.testing.assert_allclose(
        ops.cast(actual, "float32"), expected, atol=0.05 * np.abs(expected).max()
    )  # 8 bits of mantissa
