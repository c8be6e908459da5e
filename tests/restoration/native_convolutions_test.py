"""Graphs with native convolutions compute the same, what follows them included."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="rewrites TensorFlow's graphs"
)


def network(rng):
    """A function of `image` with every pattern once, and convolutions that stay."""
    import tensorflow as tf

    def weights(*shape):
        return tf.constant(rng.normal(size=shape, scale=0.1), tf.float32)

    def convolve(features, size=3, channels=16, **options):
        kernel = weights(size, size, features.shape[-1], channels)
        return tf.nn.conv2d(
            features, kernel, **{"strides": 1, **options}, padding="SAME"
        )

    def compute(image):
        first = tf.nn.relu(tf.nn.bias_add(convolve(image, 5), weights(16)))  # stays
        alone = convolve(first)
        by_sum = tf.nn.leaky_relu(convolve(alone) + weights(1, 1, 1, 16), 0.1)
        total = convolve(by_sum) + by_sum
        skipped = tf.maximum(total, 0.3 * total)
        both = convolve(skipped, dilations=2) + convolve(skipped)  # the first stays
        read_twice = tf.nn.bias_add(convolve(both), weights(16))
        few = convolve(tf.nn.relu(read_twice), channels=3)  # stays
        mean = tf.reduce_mean(read_twice, axis=-1, keepdims=True)
        return tf.identity(few + mean, name="restored")

    return compute


def test_the_same_is_computed_in_fewer_operations(rng):
    import tensorflow as tf

    from tf_defocus.ops import adaptive_convolution_native
    from tf_defocus.restoration.engines import native_convolutions

    adaptive_convolution_native.load()
    image = tf.TensorSpec((None, None, None, 3), tf.float32, "image")
    traced = tf.function(network(rng)).get_concrete_function(image)
    graph = traced.graph.as_graph_def()
    faster = native_convolutions.with_native_convolutions(graph, "restored")
    kinds = [node.op for node in faster.node]
    assert kinds.count(native_convolutions.OPERATION) == 5
    assert kinds.count("Conv2D") == 3
    assert not {"LeakyRelu", "Maximum"} & set(kinds)

    given = rng.random(size=(2, 18, 23, 3), dtype=np.float32)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(faster, name="")
        actual = session.run("restored:0", {"image:0": given})
    np.testing.assert_allclose(actual, traced(tf.constant(given)), atol=2e-5)
