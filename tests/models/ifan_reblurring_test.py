"""The network that reblurs: its counts, and where it starts."""

import numpy as np
import pytest

from tf_defocus.models.ifan_reblurring import ReblurringNetwork


@pytest.mark.parametrize(
    ("iterations", "count"), [(17, 19_139_685), (8, 9_632_040), (44, 47_008_869)]
)
def test_reblurring_parameter_count(iterations, count):
    model = ReblurringNetwork(
        num_iterations=min(iterations, 17), filter_channels=iterations * 7 * 128
    )
    model.build()
    assert model.count_params() == count


def test_reblurring_starts_at_the_sharp_image_and_scales_its_filters(rng):
    arguments = {"base_filters": 2, "filter_channels": 6, "num_iterations": 2}
    inputs = {
        "filters": rng.normal(size=(1, 4, 5, 6)).astype("float32"),
        "sharp": rng.random((1, 4, 5, 3), dtype=np.float32),
    }
    network = ReblurringNetwork(**arguments, start="identity")
    np.testing.assert_array_equal(network(inputs)["reblurred"], inputs["sharp"])
    whole, half = (ReblurringNetwork(**arguments, filter_scale=s) for s in (1.0, 0.5))
    expected = whole(inputs)["reblurred"]
    half.build()
    half.set_weights(whole.get_weights())
    doubled = {**inputs, "filters": 2 * inputs["filters"]}
    np.testing.assert_allclose(
        half(doubled)["reblurred"], expected, atol=1e-6, rtol=2e-6
    )
    assert half.get_config()["filter_scale"] == 0.5
