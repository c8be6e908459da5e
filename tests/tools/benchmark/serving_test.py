"""What the load test compares, finds at fault and writes."""

import collections
import types

import numpy as np
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

from tests.testing import load_tool

tool = load_tool("benchmark.serving")
SAID = "stopped: 105 requests accepted, 105 answered"


@pytest.fixture
def tally():
    return types.SimpleNamespace(
        wrong=[],
        memory=[100.0, 110.0, 115.0, 120.0],
        seconds=[0.1, 0.2, 0.3],
        outcomes=collections.Counter(answered=90, refused=10),
    )


def test_answers_are_compared_in_units_of_white():
    levels = np.zeros((2, 2, 3), np.uint8)
    assert tool.difference(levels + 1, levels) == pytest.approx(1 / 255)
    assert tool.difference(levels[:1], levels) == float("inf")
    assert tool.difference(levels.astype(np.uint16), levels) == float("inf")


def test_nothing_is_at_fault_where_all_is_right(tally):
    assert tool.check(tally, (5, 2, [], 0, SAID), 100) == []


@pytest.mark.parametrize(
    "change, stopped, reason",
    [
        ({"memory": [0, 0, 50, 99]}, (5, 2, [], 0, SAID), "memory grew"),
        ({"wrong": ["v1: lost"]}, (5, 2, [], 0, SAID), "v1: lost"),
        ({}, (4, 2, [], 0, SAID), "104 were answered to clients"),
        ({}, (5, 2, [], -9, ""), "exit code -9"),
        ({}, (5, 2, ["grpc"], 0, SAID), "grpc"),
    ],
)
def test_each_fault_is_told(tally, change, stopped, reason):
    vars(tally).update(change)
    (found,) = tool.check(tally, stopped, 100)
    assert reason in found


def test_a_wrong_and_a_lost_answer_are_counted(monkeypatch):
    monkeypatch.setattr(tool, "memory_of", lambda pid: 1.0)
    monkeypatch.setattr(tool, "REQUESTS", types.SimpleNamespace(value=100))
    tally = tool.Tally(0)
    black = np.zeros((1, 1, 3), np.uint8)

    def fail():
        raise OSError("away")

    for ask in (lambda: black, lambda: black + 9, fail):
        tool.ask(types.SimpleNamespace(protocol="v1", ask=ask), black, tally)
    tool.ask_badly("bad", lambda: black, tally)
    assert tally.outcomes == {"answered": 1, "wrong": 2, "lost": 1}
    assert "bad: was answered" in tally.wrong


def test_the_page_gets_the_section_between_its_marks(tally, tmp_path, monkeypatch):
    for flag, value in (("REQUESTS", 100), ("CLIENTS", 16)):
        monkeypatch.setattr(tool, flag, types.SimpleNamespace(value=value))
    text = tool.describe(tally, 10.0, (5, 2, [], 0, SAID), "`gkmnet`")
    assert "| requests per second | 10.0 |" in text and "0.20, 0.29" in text
    path = tmp_path / "page.md"
    path.write_text("".join(("before\n", *tool.MARKS, "after\n")))
    tool.write_page(path, text)
    tool.write_page(path, text)
    page = path.read_text()
    assert page == f"before\n{tool.MARKS[0]}{text}{tool.MARKS[1]}after\n"
    path.write_text("no marks")
    with pytest.raises(ValueError, match="expected the lines"):
        tool.write_page(path, text)
