"""The table of noise sensitivity, and the command on two images."""

import pytest

import tf_defocus
from tests.data.batches_test import store
from tests.evaluation.evaluate_test import FakeRestorer, brighter, examples  # noqa: F401
from tests.testing import load_tool
from tf_defocus.evaluation.evaluate import evaluate

tool = load_tool("reproduce.noise_sensitivity")


def test_a_row_holds_the_scores_under_its_noise(examples):  # noqa: F811
    reports = {
        sigma: evaluate({"a": FakeRestorer(brighter)}, examples, noise_sigma=sigma)
        for sigma in (0.0, 20.0)
    }
    head, _, clean, noisy = tool.sensitivity_table(reports).splitlines()
    assert head == "| sigma [of 255] | input | a |"
    for line, sigma in ((clean, 0.0), (noisy, 20.0)):
        rows = reports[sigma].summary()
        cells = line.strip("| ").split(" | ")
        assert cells[0] == f"{sigma:g}"
        mean, gain = rows["a"]["mean"], rows["a"]["gain"]
        assert cells[1].startswith(f"{rows['input']['mean']['psnr']:.2f}, ")
        assert cells[2] == (
            f"{mean['psnr']:.2f}, {mean['ssim']:.3f} ({gain['psnr']:+.2f})"
        )
    assert reports[20.0].summary()["input"]["mean"]["psnr"] < 26


@pytest.fixture
def options(monkeypatch, tmp_path):
    """Sets the tool's options; every preset brightens."""
    store(tmp_path / "arrays", count=3)
    values = {
        "PRESET": ["a"],
        "PROTOCOL": "ifan",
        "SIGMAS": ["0", "5"],
        "NUM_IMAGES": 2,
        "OUTPUT": str(tmp_path / "out"),
        "PAGE": str(tmp_path / "page.md"),
    }

    class Value:
        def __init__(self, value):
            self.value = value

    for name, value in values.items():
        monkeypatch.setattr(tool, name, Value(value))
    monkeypatch.setattr(tool, "SET", [Value(None), Value(str(tmp_path / "arrays"))])
    monkeypatch.setattr(
        tf_defocus.Restorer, "from_preset", lambda name: FakeRestorer(brighter)
    )
    monkeypatch.setattr(tool.sys, "argv", ["tools/a.py", f"--arrays={tmp_path}/arrays"])
    return tmp_path


def test_the_command_writes_scores_table_and_page(options, capsys):
    tool.main(None)
    page = (options / "page.md").read_text()
    table = (options / "out" / "table.md").read_text()
    assert table in page and table == capsys.readouterr().out
    assert "Here: test; images: 2; protocol: ifan." in page
    assert "--arrays ARRAYS" in page and str(options) not in page
