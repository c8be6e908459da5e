"""The PyTorch network that Restormer's time is compared with is the same network."""

import numpy as np
import pytest

from tests.testing import load_tool

tool = load_tool("benchmark.restormer")


def test_the_two_networks_agree(rng):
    pytest.importorskip("torch", reason="compares with PyTorch: pip install torch")
    image = rng.random((1, 16, 24, 3), dtype="float32")
    ours, theirs = (call() for call in tool.calls(8, image))
    assert np.std(ours - image) > 0.01
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
