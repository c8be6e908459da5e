"""Filters predicted all at once compute what IFAN does."""

import numpy as np
import pytest

import tf_defocus
from tests import testing

benchmark = testing.load_tool("benchmark.ifan")


@pytest.fixture
def model(rng):
    model = tf_defocus.create_model("ifan", base_filters=4, num_iterations=3)
    for weight in model.trainable_variables:
        if weight.path.endswith("bias"):
            weight.assign(rng.normal(0, 0.4, weight.shape))
    return model


@pytest.fixture
def image(rng):
    return rng.random((1, 24, 32, 3), dtype=np.float32)


def test_materialised_filters_change_nothing(model, image):
    expected = np.asarray(model({"blurred": image})["deblurred"])
    benchmark.materialise(model.adaptive_convolution)
    actual = model({"blurred": image})["deblurred"]
    np.testing.assert_allclose(actual, expected, atol=1e-5)
