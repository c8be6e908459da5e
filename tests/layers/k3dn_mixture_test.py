"""K3DN's equations as printed, against naive NumPy versions."""

import numpy as np
import pytest
from keras import ops

from tests.layers.k3dn_test import lrelu, naive_convolution, randomise
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.k3dn_mixture import (
    KernelWeights,
    MixturePSFBlock,
    SharpRegionRefinement,
)

CHANNELS = 6


def naive_softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def block_and_inputs(rng, num_kernels, **arguments):
    inputs = rng.normal(size=(3, 5, 7, CHANNELS)).astype("float32")
    vectors = rng.normal(size=(3, 16)).astype("float32")
    block = MixturePSFBlock(num_kernels, **arguments)
    block.build(inputs.shape, vectors.shape)
    randomise(block.query, rng)
    return block, inputs, vectors


def naive_kernels(block, vectors):
    """[K3DN Eq. 9]: the sum over j of a_j K_j, each K_j (9, 9, channels) and sparse."""
    left = np.asarray(block.half_kernels, "float64")
    symmetric = np.concatenate([left, left[..., -2::-1]], axis=-1)
    pairs = max(len(left), CHANNELS)
    places = [(p % len(left), p % CHANNELS) for p in range(pairs)]
    per_channel = np.bincount([channel for _, channel in places])
    kernels = np.zeros((len(left), 9, 9, CHANNELS))
    for kernel, channel in places:
        scale = len(left) / per_channel[channel]
        kernels[kernel, ..., channel] = scale * symmetric[kernel]
    return np.einsum(
        "wj,jyxc->wcyx", np.asarray(block.kernel_weights(vectors)), kernels
    )


def naive_filter(inputs, kernels):
    windows, height, width, channels = inputs.shape
    padded = np.pad(inputs, [(0, 0), (4, 4), (4, 4), (0, 0)])
    result = np.zeros(inputs.shape)
    for w, y, x, c in np.ndindex(windows, height, width, channels):
        patch = padded[w, y : y + 9, x : x + 9, c]
        result[w, y, x, c] = (patch * kernels[w, c]).sum()
    return result


def naive_inverse(kernels, limit=100):
    """[K3DN Eq. 10]: F'(1 / F(K)) around the middle of the grid."""
    spectra = np.fft.fft2(np.fft.ifftshift(kernels, axes=(-2, -1)))
    bounded = np.conj(spectra) / (np.abs(spectra) ** 2 + (0.5 / limit) ** 2)
    inverse = np.fft.ifft2(bounded)
    np.testing.assert_allclose(inverse.imag, 0, atol=1e-12)
    return np.fft.fftshift(inverse.real, axes=(-2, -1))


def test_weights_of_the_kernels_match_eq_8(rng):
    vectors = rng.normal(size=(5, 8)).astype("float32")
    kernels = rng.normal(size=(6, 9, 5)).astype("float32")
    layer = KernelWeights()  # [K3DN Eq. 8]
    layer.build(vectors.shape, kernels.shape)
    randomise(layer, rng)
    responses = (np.asarray(layer.tap_weights) * kernels).sum((1, 2))
    projected = vectors @ np.asarray(layer.project.kernel)
    expected = naive_softmax((responses * projected) @ np.asarray(layer.mix.kernel))
    actual = np.asarray(layer(vectors, kernels))
    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=2e-6)
    np.testing.assert_allclose(actual.sum(-1), 1, atol=1e-6, rtol=2e-6)


@pytest.mark.parametrize("num_kernels", [4, CHANNELS, 8, 2 * CHANNELS])
def test_kernels_are_the_weighted_sum_of_the_set(rng, num_kernels):
    """[K3DN Eq. 9], of fewer and of more kernels than channels."""
    block, _, vectors = block_and_inputs(rng, num_kernels)
    expected = naive_kernels(block, vectors)
    actual = np.asarray(block.blur_kernels(vectors))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(actual, actual[..., ::-1], atol=1e-6, rtol=2e-6)  # Eq. 2


def test_features_are_deblurred_by_the_reciprocal_spectrum(rng):
    """[K3DN Eq. 10]"""
    block, inputs, vectors = block_and_inputs(rng, 8)
    expected = naive_filter(inputs, naive_inverse(naive_kernels(block, vectors)))
    np.testing.assert_allclose(block(inputs, vectors), expected, rtol=1e-3, atol=1e-3)


def test_features_are_reblurred_by_the_kernels(rng):
    """[K3DN Eq. 17]"""
    block, inputs, vectors = block_and_inputs(rng, 8)
    expected = naive_filter(inputs, naive_kernels(block, vectors))
    actual = block(inputs, vectors, reverse=True)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_an_untrained_block_leaves_features_nearly_alone(rng):
    inputs = rng.normal(size=(2, 5, 7, CHANNELS)).astype("float32")
    vectors = np.zeros((2, 16), "float32")
    for count in (4, CHANNELS, 8):
        for reverse in (False, True):
            outputs = MixturePSFBlock(count)(inputs, vectors, reverse=reverse)
            assert np.std(np.asarray(outputs) - inputs) < 0.3


def test_refinement_matches_eqs_11_to_16(rng):
    """[K3DN Eq. 12] to [K3DN Eq. 16]."""
    old, new = rng.normal(size=(2, 1, 6, 7, 2)).astype("float32")
    layer = SharpRegionRefinement(2, 1)
    layer.build(old.shape, new.shape)
    randomise(layer, rng, 0.2)
    features = np.concatenate([old, new], -1)
    query = naive_convolution(features, layer.query)
    key = naive_convolution(features, layer.key)
    key = np.pad(key, [(0, 0), (4, 4), (4, 4), (0, 0)])
    similarity = np.stack(
        [
            (query * key[:, dy : dy + 6, dx : dx + 7]).mean(-1)
            for dy, dx in np.ndindex(9, 9)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(
        layer.similarity(old, new), similarity, atol=1e-5, rtol=2e-6
    )
    old_part = naive_convolution(similarity, layer.old_value) * old  # [K3DN Eq. 15]
    new_part = naive_convolution(similarity, layer.new_value) * new  # [K3DN Eq. 16]
    hidden = naive_convolution(old_part + new_part, layer.first)
    for first, second in layer.units.units:
        inner = lrelu(naive_convolution(hidden, first))
        hidden = hidden + naive_convolution(inner, second)
    expected = naive_convolution(hidden, layer.last)  # [K3DN Eq. 14]
    np.testing.assert_allclose(layer(old, new), expected, rtol=1e-4, atol=1e-4)


def test_layers_round_trip(rng):
    inputs = ops.array(rng.normal(size=(2, 4, 5, 6)), "float32")
    vectors = ops.array(rng.normal(size=(2, 8)), "float32")
    kernels = ops.array(rng.normal(size=(6, 9, 5)), "float32")
    assert_layer_round_trips(KernelWeights(), vectors, kernels)
    assert_layer_round_trips(MixturePSFBlock(8, 9, 50), inputs, vectors)
    assert_layer_round_trips(SharpRegionRefinement(6, 1), inputs, inputs)
