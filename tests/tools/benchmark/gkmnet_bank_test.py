"""The dense twin of GKMNet's bank computes the same, and is taken away again."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.layers.gkmnet import WeightedSummation
from tf_defocus.ops import gaussian

tool = load_tool("benchmark.gkmnet_bank")


@pytest.mark.parametrize("depthwise", [False, True])
def test_dense_convolution_equals_the_separable_one(rng, depthwise):
    image = rng.random((1, 20, 30, 1), np.float32)
    taps = gaussian.gaussian_bank()
    expected = gaussian.convolve_bank(image, taps)
    actual = tool.convolve_densely(image, taps, depthwise)
    np.testing.assert_allclose(actual, expected, atol=tool.TOLERANCE)


@pytest.mark.parametrize("forms", [tool.BANK_FORMS, tool.NETWORK_FORMS])
def test_all_forms_agree_and_ratios_are_of_the_first(forms):
    pytest.importorskip("tensorflow", reason="measures TensorFlow")
    found = tool.measure_times(forms, (24, 16), repeats=2)
    group = forms[0].partition("_")[0]
    assert found[f"{group}_difference"] <= tool.TOLERANCE
    for form in forms[1:]:
        ratio = found[f"{form}_seconds"] / found[f"{forms[0]}_seconds"]
        assert found[f"{form}_ratio"] == pytest.approx(ratio)


def test_a_form_s_bank_is_in_place_inside_only():
    separable, groups = gaussian.convolve_bank, gaussian.support_groups
    summation = WeightedSummation.call
    with tool.bank_of("network_separable"):
        assert gaussian.convolve_bank is separable
    with pytest.raises(RuntimeError), tool.bank_of("network_dense_depthwise"):
        assert gaussian.convolve_bank.keywords == {"depthwise": True}
        assert gaussian.support_groups(gaussian.gaussian_bank()) == [slice(0, 22)]
        raise RuntimeError
    with tool.bank_of("network_depthwise"):
        assert WeightedSummation.call is tool.sum_all_maps
    assert gaussian.convolve_bank is separable
    assert gaussian.support_groups is groups
    assert WeightedSummation.call is summation


def test_forms_that_differ_are_not_timed():
    with pytest.raises(ArithmeticError, match="must agree"):
        tool.check_agreement([lambda: np.zeros(3), lambda: np.full(3, 1e-3)])
