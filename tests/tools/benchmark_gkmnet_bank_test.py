"""The dense twin of GKMNet's bank computes the same, and is taken away again."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.ops import gaussian

tool = load_tool("benchmark_gkmnet_bank")


def test_dense_convolution_equals_the_separable_one(rng):
    image = rng.random((1, 20, 30, 1), np.float32)
    taps = gaussian.gaussian_bank()
    expected = gaussian.convolve_bank(image, taps)
    actual = tool.convolve_densely(image, taps)
    np.testing.assert_allclose(actual, expected, atol=tool.TOLERANCE)


def test_all_forms_agree_and_ratios_are_of_the_first():
    pytest.importorskip("tensorflow", reason="measures TensorFlow")
    found = tool.measure_times(tool.BANK_FORMS, (24, 16), repeats=2)
    assert found["bank_difference"] <= tool.TOLERANCE
    for form in tool.BANK_FORMS[1:]:
        ratio = found[f"{form}_seconds"] / found["bank_separable_seconds"]
        assert found[f"{form}_ratio"] == pytest.approx(ratio)


def test_the_dense_bank_is_in_place_inside_only():
    separable = gaussian.convolve_bank
    with pytest.raises(RuntimeError), tool.dense_bank():
        assert gaussian.convolve_bank is tool.convolve_densely
        raise RuntimeError
    assert gaussian.convolve_bank is separable


def test_forms_that_differ_are_not_timed():
    with pytest.raises(ArithmeticError, match="must agree"):
        tool.check_agreement([lambda: np.zeros(3), lambda: np.full(3, 1e-3)])
