"""The table of time and memory: one network measured apart, and the page."""

from tests.testing import load_tool
from tf_defocus.evaluation import cost

tool = load_tool("benchmark.all_networks")


def test_a_network_is_measured():
    row = tool.measure("dpdnet_single", 40, 24, 2, base_filters=2)
    assert row["parameters"] > 1000
    assert 0 < row["seconds"] < 60
    assert row["memory_mib"] >= 0


def test_a_process_of_its_own_gives_the_result_back(monkeypatch):
    monkeypatch.setattr(tool, "measure", _pid)  # pickled by name, run elsewhere
    (row,) = tool.measure_apart(["a"], 1, 1, 1).values()
    import os

    assert row != os.getpid()


def _pid(*_):
    import os

    return os.getpid()


def test_the_page_holds_command_machine_and_a_row_per_network():
    results = {
        "small": {"parameters": 1234, "seconds": 0.12345, "memory_mib": 10.4},
        "large": {"parameters": 5000000, "seconds": 12.3, "memory_mib": 2048.0},
    }
    text = tool.page(results, cost.describe_machine(), "64x48", 2)
    assert "One photograph of 64x48 px" in text and "load average" in text
    assert "| `small` | 1,234 | 0.123 | 10 |" in text
    assert "| `large` | 5,000,000 | 12.3 | 2,048 |" in text
