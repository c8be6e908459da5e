"""Tests of the local correlation."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_agrees, needs_kernel, reference_file
from tf_defocus.ops.local_correlation import local_correlation, native_correlation

ATOL = 1e-5  # float32, sums of a few dozen products


def naive_correlation(query, key, radius, reduction):
    batch, height, width, channels = query.shape
    window = 2 * radius + 1
    result = np.zeros((batch, height, width, window**2))
    for y, x, dy, dx in np.ndindex(height, width, window, window):
        row, column = y + dy - radius, x + dx - radius
        if 0 <= row < height and 0 <= column < width:
            product = (query[:, y, x] * key[:, row, column]).sum(-1)
            result[:, y, x, dy * window + dx] = product
    return result / channels if reduction == "mean" else result


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("size", "radius"), [((16, 8), 4), ((9, 13), 4), ((1, 1), 4), ((5, 7), 1)]
)
def test_correlation_matches_the_naive_one(rng, size, radius, reduction):
    query, key = rng.normal(size=(2, 2, *size, 3)).astype("float32")
    actual = local_correlation(ops.array(query), ops.array(key), radius, reduction)
    expected = naive_correlation(query, key, radius, reduction)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


@needs_kernel
@pytest.mark.parametrize(
    ("size", "radius"), [((16, 8), 4), ((9, 35), 5), ((1, 1), 4), ((5, 17), 1)]
)
def test_native_correlation_matches_the_naive_one(rng, size, radius):
    query, key = rng.normal(size=(2, 2, *size, 3)).astype("float32")
    with native_correlation():
        actual = local_correlation(ops.array(query), ops.array(key), radius)
    expected = naive_correlation(query, key, radius, "mean")
    np.testing.assert_allclose(actual, expected, atol=ATOL)


@needs_kernel
def test_native_correlation_refuses_two_sizes():
    tf = pytest.importorskip("tensorflow")
    query, key = ops.zeros((1, 8, 8, 3)), ops.zeros((1, 8, 9, 3))
    refused = pytest.raises(tf.errors.InvalidArgumentError, match="of one shape")
    with native_correlation(), refused:
        local_correlation(query, key)


def test_a_shifted_image_is_found_at_its_shift(rng):
    key = rng.normal(size=(1, 20, 20, 64)).astype("float32")
    query = np.roll(key, (-2, 3), axis=(1, 2))  # query(y, x) = key(y + 2, x - 3)
    maps = np.asarray(local_correlation(ops.array(query), ops.array(key)))
    inside = maps[:, 8:12, 8:12]
    np.testing.assert_array_equal(inside.argmax(-1), (2 + 4) * 9 + (-3 + 4))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_correlation_matches_the_recorded_operator(reduction):
    vectors = reference_file("k3dn_local_corr_op.npz")
    actual = local_correlation(
        ops.array(vectors["in/query"]), ops.array(vectors["in/key"]), 4, reduction
    )
    assert_agrees(actual, vectors, reduction)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_match_the_naive_ones(rng, compiled):
    tf = pytest.importorskip("tensorflow")
    query, key = rng.normal(size=(2, 2, 11, 17, 3)).astype("float32")
    upstream = rng.normal(size=(2, 11, 17, 81)).astype("float32")

    def gradients(query, key):
        with tf.GradientTape() as tape:
            tape.watch([query, key])
            maps = local_correlation(query, key)
            loss = tf.reduce_sum(maps * upstream)
        return tape.gradient(loss, [query, key])

    function = tf.function(gradients) if compiled else gradients
    actual = function(tf.constant(query), tf.constant(key))
    expected = naive_gradients(query, key, upstream / 3)
    for one, other in zip(actual, expected):
        np.testing.assert_allclose(one, other, atol=ATOL)


def naive_gradients(query, key, upstream):
    by_query, by_key = np.zeros_like(query), np.zeros_like(key)
    height, width = query.shape[1:3]
    for y, x, dy, dx in np.ndindex(height, width, 9, 9):
        row, column = y + dy - 4, x + dx - 4
        if 0 <= row < height and 0 <= column < width:
            weight = upstream[:, y, x, dy * 9 + dx, None]
            by_query[:, y, x] += weight * key[:, row, column]
            by_key[:, row, column] += weight * query[:, y, x]
    return by_query, by_key


def test_correlation_keeps_dynamic_sizes(rng):
    tf = pytest.importorskip("tensorflow")
    signature = [tf.TensorSpec((None, None, None, 2))] * 2
    function = tf.function(local_correlation, input_signature=signature)
    for size in ((9, 4), (3, 21)):
        query, key = rng.normal(size=(2, 1, *size, 2)).astype("float32")
        expected = naive_correlation(query, key, 4, "mean")
        np.testing.assert_allclose(function(query, key), expected, atol=ATOL)


def test_unknown_reduction_and_radius_are_errors():
    images = ops.ones((1, 4, 4, 1))
    with pytest.raises(ValueError, match="reduction must be"):
        local_correlation(images, images, reduction="max")
    with pytest.raises(ValueError, match="radius must be"):
        local_correlation(images, images, radius=0)
