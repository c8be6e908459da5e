"""Tests of K3DN's disparity estimators [K3DN Sec. 3.2]."""

import numpy as np
import pytest
from keras import ops

from tests.testing import assert_layer_round_trips
from tf_defocus.layers.k3dn_disparity import (
    SingleImageDisparity,
    StereoDisparity,
    WindowVectors,
)

SMALL = {"window_size": (4, 4), "pool_size": (2, 2), "pad_scale": (32, 32)}
ATOL = 1e-5  # float32


def naive_window_vectors(features, image_size, layer):
    """Nearest resizing to `pool_size` samples per window, means, fully connected."""
    sizes = []
    for i in (0, 1):
        windows = image_size[i] // (8 * layer.window_size[i])
        sizes.append((windows, layer.pool_size[i]))
    (down, rows), (across, columns) = sizes
    result = np.zeros((len(features), down, across, features.shape[-1]))
    for y, x in np.ndindex(down * rows, across * columns):
        source_row = y * features.shape[1] // (down * rows)
        source_column = x * features.shape[2] // (across * columns)
        sample = features[:, source_row, source_column]
        result[:, y // rows, x // columns] += sample / (rows * columns)
    dense = result @ np.asarray(layer.dense.kernel) + np.asarray(layer.dense.bias)
    return np.where(dense > 0, dense, 0.2 * dense)


@pytest.mark.parametrize("image_size", [(144, 112), (288, 336), (432, 112)])
def test_window_vectors_match_the_naive_ones_at_the_published_sizes(rng, image_size):
    samples = [-(-size // 32) for size in image_size]
    features = rng.normal(size=(2, *samples, 6)).astype("float32")
    layer = WindowVectors((18, 14), (5, 4), (288, 224), units=7)
    actual = layer(features, np.zeros((1, *image_size, 3), "float32"))
    expected = naive_window_vectors(features, image_size, layer)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


def test_window_vectors_exist_where_the_authors_size_does_not_fit(rng):
    features = rng.normal(size=(1, 2, 3, 6)).astype("float32")
    layer = WindowVectors((4, 4), (3, 3), (1000, 1000), units=7)
    actual = layer(
        features, np.zeros((1, 64, 96, 3), "float32")
    )  # 2 samples cannot fill 2 x 3 cells
    expected = naive_window_vectors(features, (64, 96), layer)
    np.testing.assert_allclose(actual, expected, atol=ATOL)


@pytest.mark.parametrize("estimator", [StereoDisparity, SingleImageDisparity])
def test_there_is_one_vector_per_window_in_its_place(rng, estimator):
    """Noise in one corner moves the vectors of that corner most."""
    layer = estimator(**SMALL)
    views = 2 if estimator is StereoDisparity else 1
    images = [np.zeros((1, 256, 384, 3), "float32") for _ in range(views)]
    before = np.asarray(layer(*images))
    assert before.shape == (1, 8, 12, 256)
    for image in images:
        image[:, :32, -32:] = rng.normal(size=(1, 32, 32, 3))
    change = np.abs(np.asarray(layer(*images)) - before).sum(-1)[0]
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert row <= 1 and column >= 10  # the nearest resizing may move it by one


def test_stereo_vectors_depend_on_the_order_of_the_views(rng):
    left, right = rng.normal(size=(2, 1, 64, 64, 3)).astype("float32")
    layer = StereoDisparity(**SMALL)
    vectors = np.asarray(layer(left, right, training=True))
    swapped = np.asarray(layer(right, left, training=True))
    assert np.abs(vectors - swapped).max() > 0.1 * np.abs(vectors).max()


def test_every_weight_of_the_stereo_estimator_is_trained(rng):
    tf = pytest.importorskip("tensorflow")
    left, right = rng.normal(size=(2, 2, 128, 128, 3)).astype("float32")
    layer = StereoDisparity(**SMALL)
    layer(left, right)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(left, right, training=True) ** 2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    for weight, gradient in zip(layer.trainable_variables, gradients):
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


def test_layers_round_trip(rng):
    images = ops.array(rng.normal(size=(1, 64, 64, 3)), "float32")
    assert_layer_round_trips(StereoDisparity(**SMALL), images, images)
    assert_layer_round_trips(SingleImageDisparity(**SMALL), images)
