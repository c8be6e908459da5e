"""The native 3x3 and 5x5 convolution is the convolution, and what follows it."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="an operation of TensorFlow"
)


@pytest.fixture(scope="module")
def convolve():
    from tf_defocus.ops import adaptive_convolution_native

    return adaptive_convolution_native.load().tf_defocus_winograd_convolution


@pytest.mark.parametrize("size", [3, 5])
def test_equals_tensorflows_operations(rng, convolve, size):
    import tensorflow as tf

    features = rng.normal(size=(2, 13, 103, 40)).astype("float32")
    kernel = rng.normal(size=(size, size, 40, 24), scale=0.05).astype("float32")
    bias = rng.normal(size=24).astype("float32")
    addend = rng.normal(size=(2, 13, 103, 24)).astype("float32")
    plain = tf.nn.conv2d(features, kernel, 1, "SAME") + bias
    actual = convolve(features, kernel, bias, [], negative_slope=1.0)
    np.testing.assert_allclose(actual, plain, atol=4e-5)
    expected = tf.nn.leaky_relu(plain + addend, 0.1)
    actual = convolve(features, kernel, bias, [addend], negative_slope=0.1)
    np.testing.assert_allclose(actual, expected, atol=4e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kernel": (3, 3, 5, 4)}, "expected features"),
        ({"kernel": (7, 7, 6, 4)}, "expected features"),
        ({"kernel": (3, 5, 6, 4)}, "expected features"),
        ({"bias": (3,)}, "expected features"),
        ({"addends": (1, 8, 1, 4)}, "the outputs' shape"),
    ],
)
def test_other_shapes_are_refused(convolve, changed, message):
    import tensorflow as tf

    shapes = {"features": (1, 8, 8, 6), "kernel": (3, 3, 6, 4), "bias": (4,)}
    given = {k: np.zeros(v, "float32") for k, v in {**shapes, **changed}.items()}
    addends = [given.pop("addends")] if "addends" in given else []
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        convolve(**given, addends=addends, negative_slope=0.0)
