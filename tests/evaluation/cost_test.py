"""Medians and peaks of calls whose cost is known."""

import json

import numpy as np
import pytest

from tf_defocus.evaluation import cost


def test_medians_are_taken_in_turns(monkeypatch):
    order, clock = [], [0.0]
    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock[0])

    def slow():
        order.append("slow")
        clock[0] += 6 if len(order) == 1 else 2

    def fast():
        order.append("fast")
        clock[0] += 0.5

    # neither the mean nor the first
    assert cost.median_seconds([slow, fast], 3) == [2, 0.5]
    assert order == ["slow", "fast"] * 3


def test_peaks_count_from_the_start():
    np.ones(200 << 20, np.uint8)  # before the measurement: does not count
    memory = cost.PeakMemory()
    np.ones(100 << 20, np.uint8)
    assert 90 < memory.read() < 150
    memory.start += 1000  # as where the kernel's two counts differ by some pages
    assert memory.read() == 0
    with pytest.raises(OSError, match="has no VmNothing"):
        cost.process_memory("VmNothing")


def test_a_report_replaces_the_older_one(tmp_path):
    for value in (1, 2):
        cost.write_json(tmp_path / "report.json", {"value": value})
    assert json.loads((tmp_path / "report.json").read_text()) == {"value": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_machine_is_described():
    machine = cost.describe_machine()
    assert machine["cores"] >= 1 and machine["processor"]
    assert machine["numpy"] == np.__version__
