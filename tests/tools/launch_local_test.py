"""What becomes of the other workers when one of them fails."""

import subprocess
import sys
import types

import pytest

from tests.testing import load_tool

tool = load_tool("launch_local")


def run(code):
    return subprocess.Popen([sys.executable, "-c", code])


def test_ports_are_free_and_different():
    ports = tool.free_ports(3)
    assert len(set(ports)) == 3 and min(ports) > 1023


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3)])
def test_the_exit_code_is_that_of_the_failed_worker(monkeypatch, code, expected):
    monkeypatch.setattr(tool, "_PATIENCE", types.SimpleNamespace(value=60))
    assert tool.wait([run("pass"), run(f"raise SystemExit({code})")]) == expected


def test_workers_that_go_on_without_a_failed_one_are_ended(monkeypatch):
    monkeypatch.setattr(tool, "_PATIENCE", types.SimpleNamespace(value=0.1))
    waiting = run("import time; time.sleep(600)")
    assert tool.wait([waiting, run("raise SystemExit(2)")]) == 2
    assert waiting.returncode == -9
