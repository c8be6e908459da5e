"""Graphs with native convolutions compute the same, what follows them included."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.testing import ROOT

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


def kinds_of(compute, given):
    """Operations of the graph with native ones, which computes the same."""
    import tensorflow as tf

    from tf_defocus.ops import adaptive_convolution_native
    from tf_defocus.restoration.engines import native_convolutions

    adaptive_convolution_native.load()
    image = tf.TensorSpec((None, None, None, given.shape[-1]), tf.float32, "image")
    traced = tf.function(compute).get_concrete_function(image)
    graph = traced.graph.as_graph_def()
    faster = native_convolutions.with_native_convolutions(graph, "restored")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(faster, name="")
        actual = session.run("restored:0", {"image:0": given})
    np.testing.assert_allclose(actual, traced(tf.constant(given)), atol=2e-5)
    return [node.op for node in faster.node]


def test_3x3_convolutions_take_in_what_follows(rng):
    given = rng.random(size=(2, 18, 23, 3), dtype=np.float32)
    kinds = kinds_of(network(rng), given)
    assert kinds.count("TfDefocusWinogradConvolution") == 5
    assert kinds.count("Conv2D") == 3
    assert not {"LeakyRelu", "Maximum"} & set(kinds)


def test_dilations_of_one_kernel_are_joined(rng):
    import tensorflow as tf

    values = rng.normal(size=(5, 5, 16, 16), scale=0.05).astype("float32")

    def compute(image):
        branches = [
            tf.nn.conv2d(image, values, 1, "SAME"),
            tf.nn.conv2d(
                image, values, 1, [[0, 0], [4, 4], [4, 4], [0, 0]], dilations=2
            ),
            tf.nn.conv2d(image, values, 1, "SAME", dilations=3),
            tf.nn.conv2d(image, values / 2, 1, "SAME", dilations=3),
        ]
        return tf.identity(tf.concat(branches, axis=-1), name="restored")

    given = rng.random(size=(2, 18, 23, 16), dtype=np.float32)
    kinds = kinds_of(compute, given)
    assert kinds.count("TfDefocusSharedDilations") == 1
    assert kinds.count("Conv2D") == 1


BEFORE_LOADING = """
import numpy as np
import tensorflow as tf
from tf_defocus.restoration.engines.native_convolutions import with_native_convolutions
kernel = np.ones((3, 3, 16, 16), "float32")
@tf.function(input_signature=[tf.TensorSpec((1, None, None, 16), name="image")])
def compute(image):
    branches = [
        tf.nn.conv2d(image, kernel, 1, "SAME", dilations=rate) for rate in (1, 2, 3)
    ]
    return tf.identity(tf.concat(branches, axis=-1), name="restored")
graph = compute.get_concrete_function().graph.as_graph_def()
print([node.op for node in with_native_convolutions(graph, "restored").node])
"""


def test_graphs_are_rewritten_before_native_operations_are_loaded():
    command = [sys.executable, "-c", BEFORE_LOADING]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("TfDefocusSharedDilations") == 1


def test_convolutions_of_two_joined_features_need_no_copy(rng):
    import tensorflow as tf

    kernel = rng.normal(size=(3, 3, 40, 16), scale=0.05).astype("float32")
    to_image = rng.normal(size=(6, 6, 32, 12), scale=0.05).astype("float32")
    tripled = rng.normal(size=(3, 3, 36, 12), scale=0.05).astype("float32")
    bias = rng.normal(size=16).astype("float32")

    def compute(image):
        other = tf.abs(tf.concat([image, image[..., :8]], axis=-1)) / 2
        first = tf.nn.conv2d(tf.concat([image, other], axis=-1), kernel, 1, "SAME")
        first = tf.nn.leaky_relu(tf.nn.bias_add(first, bias), 0.1)
        both = tf.concat([first, image], axis=3)
        values = tf.nn.conv2d(both, to_image, 2, "SAME")
        rows = tf.concat([values, values], axis=1)  # no channels: stays
        rows = tf.nn.conv2d(rows, to_image[:3, :3, :12], 1, "SAME")
        three = tf.concat([values] * 3, axis=-1)  # stays
        three = tf.nn.conv2d(three[:, :9], tripled, 1, "SAME")
        return tf.identity(three + rows[:, :9], name="restored")

    given = rng.random(size=(2, 18, 22, 16), dtype=np.float32)
    kinds = kinds_of(compute, given)
    assert kinds.count("ConcatV2") == 3
    assert kinds.count("TfDefocusWinogradConvolution") == 2
    assert kinds.count("Conv2D") == 4
    assert not {"BiasAdd", "LeakyRelu"} & set(kinds)
