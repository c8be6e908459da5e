"""IFAN's official tensors: their order, and what is refused."""

import numpy as np
import pytest

import tf_defocus
from tf_defocus.conversion.ifan import assignments, official_filter_order
from tf_defocus.models.ifan_reblurring import ReblurringNetwork


@pytest.fixture(scope="module")
def model():
    return small()


def small(**overrides):
    arguments = {"base_filters": 2, "num_iterations": 2, "num_residual_units": 1}
    return tf_defocus.create_model("ifan", **(arguments | overrides))


def official_tensors(model, rng):
    """Random tensors in the official layouts, by official name."""
    arrays = {}
    for a in assignments(model):
        shape = np.transpose(np.zeros(a.variable.shape)).shape
        if len(shape) == 4:  # (height, width, in, out) -> (out, in, height, width)
            height, width, inputs, outputs = a.variable.shape
            shape = (outputs, inputs, height, width)
        arrays[a.name] = rng.normal(size=shape).astype("float32")
    return arrays


def test_order_puts_taps_before_channels_and_biases_last():
    """Two iterations, three taps, two channels; official index `channel * 3 + tap`."""
    order = official_filter_order(2, 3, 2)
    vertical = [0, 3, 1, 4, 2, 5]
    horizontal = [6 + index for index in vertical]
    np.testing.assert_array_equal(order[:14], [*vertical, *horizontal, 24, 25])
    np.testing.assert_array_equal(sorted(order), np.arange(28))


def test_every_weight_is_assigned_once(model):
    assigned = [id(a.variable) for a in assignments(model)]
    assert sorted(assigned) == sorted(id(v) for v in model.weights)
    reblurring = ReblurringNetwork(2, base_filters=2, filter_channels=2 * 7 * 8)
    reblurring.build()
    assigned = [id(a.variable) for a in assignments(reblurring)]
    assert sorted(assigned) == sorted(id(v) for v in reblurring.weights)


def test_predictor_is_reordered(model, rng):
    arrays = official_tensors(model, rng)
    tf_defocus.conversion.load_official(model, arrays)
    official = arrays["Network.F.3.weight"]  # (filters, in, 1, 1)
    kernel = np.asarray(model.adaptive_convolution.kernel)
    channel, tap = 5, 2  # of iteration 1's horizontal filter, 8 channels, 3 taps
    ours = 7 * 8 + 3 * 8 + tap * 8 + channel
    theirs = (2 * 8 * 3) + (8 * 3) + channel * 3 + tap
    np.testing.assert_array_equal(kernel[0, 0, :, ours], official[theirs, :, 0, 0])
    bias = np.asarray(model.adaptive_convolution.bias)
    np.testing.assert_array_equal(
        bias[2 * 7 * 8 - 8 :], arrays["Network.F.3.bias"][-8:]
    )


def test_missing_and_left_over_tensors_are_refused(model, rng):
    arrays = official_tensors(model, rng)
    arrays["reblurNet.RBF.0.0.weight"] = np.zeros(3)  # the other network's: skipped
    arrays["Network.extra"] = arrays.pop("Network.out_res.0.bias")
    with pytest.raises(ValueError, match=r"out_res\.0\.bias.*Network\.extra"):
        tf_defocus.conversion.load_official(model, arrays)


@pytest.mark.parametrize(
    "overrides", [{"use_disparity": False}, {"adaptive_filters": None}], ids=str
)
def test_ablations_have_no_official_tensors(overrides):
    with pytest.raises(ValueError, match="Official tensors exist for"):
        tf_defocus.conversion.load_official(small(**overrides), {})


def test_uneven_filter_channels_are_refused():
    reblurring = ReblurringNetwork(2, base_filters=2, filter_channels=57)
    reblurring.build()
    with pytest.raises(ValueError, match="multiple of 56"):
        tf_defocus.conversion.load_official(reblurring, {})
