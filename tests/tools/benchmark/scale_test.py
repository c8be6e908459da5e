"""What is reckoned from rates is their product, and lands between a page's marks."""

import pytest

from tests import testing
from tests.testing import load_tool

tool = load_tool("benchmark.scale")
RATES = {
    "render [core s/crop]": 0.5,
    "raw [bytes/crop]": 1e6,
    "PNG [bytes/crop]": 5e5,
    "parameters": 2e6,
    "checkpoint [bytes/parameter]": 16.0,
    "parameters of `large`": 2.5e7,
    "read and write JPEG [core s/Mpx]": 1.0,
    "restore by `small` [core s/Mpx]": 2.0,
}


def needs():
    rows = tool.rows_of_needs(RATES, ["small"], "large")
    return [(what, amount) for what, _, amount in rows]


def test_needs_are_products_of_rates():
    amounts = dict(needs())
    assert amounts["100 M crops, raw"] == "100 TB"
    assert amounts["100 M crops, PNG"] == "50 TB"
    assert amounts["rendering them"] == "0.6 days"  # 5e7 s / 1000 / 86400
    assert amounts["a checkpoint of `large`"] == "400 MB"
    # 3 s/Mpx x 24e9 Mpx / 1e4 cores
    assert amounts["restoring them by `small`"] == "0.2 years"


def test_a_ring_sends_twice_the_gradients_but_for_the_own_part():
    sent = [amount for what, amount in needs() if "gradients" in what]
    assert sent == ["15.8 MB", "197 MB"]  # 2 x 63/64 x 4 x parameters
    times = [amount for what, amount in needs() if what.startswith("...")]
    assert times == ["5.0 ms", "0.3 ms", "63.0 ms", "3.9 ms"]


def test_core_seconds_leave_out_what_is_waited_for():
    import time

    assert tool.core_seconds(lambda: time.sleep(0.2), 1) < 0.1


def test_files_are_read_and_written():
    (seconds,) = tool.measure_files(32, 1).values()
    assert 0 < seconds < 60


def test_the_page_keeps_its_prose():
    page = (testing.ROOT / "docs" / "scale.md").read_text()
    first, second = tool.MARKS
    assert page.count(first) == page.count(second) == 1
    changed = tool.replaced(page, "tables")
    assert changed.endswith(page.partition(second)[2])
    assert f"{first}\n\ntables\n{second}" in changed
    with pytest.raises(ValueError, match="Expected a page with"):
        tool.replaced("prose alone", "tables")
