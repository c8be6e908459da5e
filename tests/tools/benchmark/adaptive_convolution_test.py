"""The benchmark's turns, medians, layouts and comparison; PyTorch where it is."""

import numpy as np
import pytest

from tests import testing

benchmark = testing.load_tool("benchmark.adaptive_convolution")


def test_calls_take_turns_and_the_first_does_not_count(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(benchmark, "cpu_seconds", lambda: 2 * clock[0])

    def slow():
        order.append("slow")
        clock[0] += {1: 100, 2: 2, 3: 7}.get(order.count("slow"), 3)

    def fast():
        order.append("fast")
        clock[0] += 0.5

    results = benchmark.timed_in_turns({"slow": slow, "fast": fast}, 3)
    assert order == ["slow", "fast"] * 4
    assert results["slow"] == {"seconds": 3, "least_seconds": 2, "cpu_seconds": 6}
    assert results["fast"]["seconds"] == 0.5


def test_outputs_that_differ_or_are_nan_are_refused():
    good = np.full((1, 2, 2, 1), 8, "float32")
    benchmark.check_agreement({"composite": good, "native": good + 5e-4})
    for bad in (good + 2e-3, good * np.nan):
        with pytest.raises(ArithmeticError, match="native differs"):
            benchmark.check_agreement({"composite": good, "native": bad})


def test_channelwise_filters_have_a_channels_taps_together():
    values = np.arange(7 * 2)  # three taps down, three across, bias; two channels
    actual = benchmark.channelwise(values.reshape(1, 1, 1, -1), 3).ravel()
    expected = [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11, 12, 13]
    np.testing.assert_array_equal(actual, expected)


@testing.needs_kernel
@pytest.mark.parametrize("size", [3, 5])
def test_implementations_agree_forward_and_backward(size):
    *arrays, weights = benchmark.random_chain(1, 5, 7, 4, size, 2)
    native, composite = (
        benchmark.tensorflow_calls(choice, *arrays, weights, size)
        for choice in (True, False)
    )
    expected = [np.asarray(a) for a in composite[1]()]
    assert len(expected) == 1 + 1 + 2
    np.testing.assert_allclose(native[0](), expected[0], atol=1e-5)
    for one, other in zip(native[1](), expected):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("window", ["view", "copy"])
def test_pytorch_agrees_forward_and_backward(window):
    pytest.importorskip("torch", reason="PyTorch is timed where it is installed")
    chain = (*benchmark.random_chain(1, 5, 7, 4, 3, 2), 3)
    forward, backward = benchmark.torch_calls(
        window, *benchmark.torch_inputs(*chain), 3
    )
    out, features, filters, _ = benchmark.tensorflow_calls(False, *chain)[1]()
    actual = backward()
    for one, other in (
        (forward(), out),
        (actual[0], out),
        (actual[1], features),
        (actual[2], benchmark.channelwise(np.asarray(filters), 3)),
    ):
        np.testing.assert_allclose(np.moveaxis(one.numpy(), 1, -1), other, atol=1e-4)
