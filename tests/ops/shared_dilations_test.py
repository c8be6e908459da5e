"""One native operation is the convolutions of a kernel at several dilation rates."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="an operation of TensorFlow"
)


@pytest.fixture(scope="module")
def convolve():
    from tf_defocus.ops import adaptive_convolution_native

    return adaptive_convolution_native.load().tf_defocus_shared_dilations


def test_equals_tensorflows_convolutions(rng, convolve):
    import tensorflow as tf

    features = rng.normal(size=(2, 17, 35, 20)).astype("float32")
    kernel = rng.normal(size=(5, 5, 20, 24), scale=0.05).astype("float32")
    rates = [1, 3, 5]
    for actual, rate in zip(convolve(features, kernel, len(rates), rates), rates):
        expected = tf.nn.conv2d(features, kernel, 1, "SAME", dilations=rate)
        np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "rates", "message"),
    [
        ((5, 5, 7, 4), [1, 2], "expected features"),
        ((4, 4, 6, 4), [1, 2], "expected features"),
        ((5, 5, 6, 4), [0, 2], "at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(convolve, kernel, rates, message):
    import tensorflow as tf

    features = np.zeros((1, 8, 8, 6), "float32")
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        convolve(features, np.zeros(kernel, "float32"), len(rates), rates)
