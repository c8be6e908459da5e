"""The report: its gate, its rows, and what it refuses."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest

import tf_defocus
from tf_defocus.evaluation.pictures import write_single
from tf_defocus.evaluation.protocols import get_protocol
from tf_defocus.reports import comparison, pages

INPUT_OF_IFAN = {"psnr": 23.8934, "ssim": 0.72511, "mae": 0.047062}
OURS = {"psnr": 25.3071, "ssim": 0.78612, "mae": 0.039812}


def write_scores(
    folder, protocol_name="ifan", inputs=INPUT_OF_IFAN, method="ours", **changes
):
    """A `scores.json` of one image as `evaluate` writes it; returns the folder."""
    scores = {"input": dict(inputs), method: dict(OURS)}
    setting = {
        "dataset": "dpdd/full_8bit, test",
        "protocol": dataclasses.asdict(get_protocol(protocol_name)),
        "lpips": None,
        "noise_sigma": 0.0,
        "libraries": {"tf_defocus": tf_defocus.__version__},
        "commands": [f"python tools/evaluate.py --output {folder.name}"],
    }
    images = changes.pop("images", [{"name": "0000_a", "scores": scores}])
    content = {"setting": setting | changes, "images": images}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(content))
    return folder


def sections(*folders, numbers=None):
    return comparison.make_sections(
        [comparison.read_scores(f) for f in folders], numbers
    )


def test_the_gate_passes_where_the_input_equals_the_paper_within_rounding(tmp_path):
    (section,) = sections(write_scores(tmp_path))
    assert section.gate == comparison.AGREES
    assert [table.source for table in section.tables] == ["[IFAN Tab. 2]"]
    text = pages.to_markdown([section])
    assert text.splitlines()[2].startswith("- Gate passed. dpdd/full_8bit, test")
    assert "| measured | ours | 25.31 | 0.7861 | 0.0398 |" in text
    assert "| [IFAN Tab. 2] | IFAN | 25.37 | 0.789 | 0.0394 |" in text


@pytest.mark.parametrize("name, error", [("psnr", 0.007), ("ssim", 7e-4)])
def test_a_failed_gate_stands_before_anything_else(tmp_path, name, error):
    printed = {"psnr": 23.89, "ssim": 0.725, "mae": 0.0471}
    inputs = {**printed, name: printed[name] + error}
    (section,) = sections(write_scores(tmp_path, inputs=inputs))
    assert section.gate == comparison.DIFFERS
    first = pages.to_markdown([section]).splitlines()[2]
    assert first.startswith("- GATE FAILED")
    assert f"{name.upper()} {inputs[name]:.4g} is not {printed[name]:.4g}" in first
    pages.write([section], tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.index("GATE FAILED") < page.index("<table>")


def test_sets_and_papers_without_an_input_row_have_no_gate(tmp_path):
    other = write_scores(tmp_path / "a", dataset="photos")
    (section,) = sections(other)
    assert (section.gate, section.tables) == (comparison.UNKNOWN, [])
    (section,) = sections(write_scores(tmp_path / "b", protocol_name="gkmnet"))
    assert section.gate == comparison.UNKNOWN
    assert "prints no row of the unprocessed input" in section.verdict
    (section,) = sections(other, numbers=[("ifan", 3)])
    assert section.gate == comparison.DIFFERS  # photos are not RealDOF


def test_noisy_scores_meet_the_rows_of_their_noise(tmp_path):
    noisy = write_scores(tmp_path, protocol_name="gkmnet", noise_sigma=3.0)
    (section,) = sections(noisy)
    (table,) = section.tables
    assert table.source == "[GKMNet Tab. 2]"
    assert table.cell("GKMNet", "psnr") == 25.02
    assert section.gate == comparison.UNKNOWN


def test_k3dn_rows_get_their_relative_error(tmp_path):
    (section,) = sections(write_scores(tmp_path, protocol_name="k3dn"))
    assert section.gate == comparison.AGREES
    row = next(
        row
        for row in csv.DictReader(io.StringIO(pages.to_csv([section])))
        if row["method"] == "ours"
    )
    assert float(row["rmse_rel"]) == pytest.approx(10 ** (-25.3071 / 20), rel=1e-5)


def test_csv_holds_both_sources_in_the_same_units(tmp_path):
    text = pages.to_csv(sections(write_scores(tmp_path)))
    rows = {(r["source"], r["method"]): r for r in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 2 + 7
    assert float(rows["measured", "ours"]["mae"]) == 0.039812
    assert float(rows["[IFAN Tab. 2]", "input"]["mae"]) == 0.0471
    assert {row["gate"] for row in rows.values()} == {"agrees"}


def test_the_page_shows_the_single_pictures_from_its_own_folder(tmp_path):
    folder = write_scores(tmp_path / "scores")
    (folder / "pictures").mkdir()
    pictures = {m: np.full((4, 5, 3), 0.5, "float32") for m in ("input", "ours")}
    record = {"name": "0000_a"}
    write_single(folder / "pictures", record, pictures)
    output = tmp_path / "report"
    pages.write(sections(folder), output)
    page = (output / "report.html").read_text()
    shown = re.findall(r'src="([^"]+)"', page)
    assert shown == ["pictures_0/0000_a/ours.png", "pictures_0/0000_a/input.png"]
    assert all((output / name).is_file() for name in shown)
    assert "0000_a: ours, 23.89 to 25.31 dB" in page


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"images": []}, "holds no image"),
        ({"libraries": {"tf_defocus": "0.0.1"}}, "made by tf_defocus 0.0.1"),
        ({"protocol": {"name": "psnr4"}}, "unknown protocol 'psnr4'"),
        ({"protocol": {"name": "ifan", "bit_depth": 16}}, "has changed since"),
        ({"images": [{"name": "a", "scores": {"ours": OURS}}]}, "'input'"),
    ],
)
def test_damaged_and_foreign_scores_are_refused(tmp_path, changes, message):
    with pytest.raises(comparison.ReportError, match=message):
        comparison.read_scores(write_scores(tmp_path, **changes))


def test_results_that_cannot_stand_together_are_refused(tmp_path):
    one = write_scores(tmp_path / "a")
    with pytest.raises(comparison.ReportError, match="twice scored: ours"):
        sections(one, write_scores(tmp_path / "b"))
    with pytest.raises(comparison.ReportError, match="several protocols"):
        sections(one, write_scores(tmp_path / "c", protocol_name="kpac"))
    with pytest.raises(comparison.ReportError, match="one paper"):
        sections(one, numbers=[("ifan", 2), ("kpac", 4)])
    with pytest.raises(comparison.ReportError, match="no table 8 of ifan"):
        sections(one, numbers=[("ifan", 8)])
    with pytest.raises(comparison.ReportError, match="There is no"):
        sections()
    (tmp_path / "a" / "scores.json").write_text("[1]")
    with pytest.raises(comparison.ReportError, match="cannot be read"):
        comparison.read_scores(one)


def test_results_about_one_set_are_joined(tmp_path):
    one = write_scores(tmp_path / "a")
    (section,) = sections(one, write_scores(tmp_path / "b", method="theirs"))
    rows = [row[1] for row in pages.table_of(section)[1] if row[0] == "measured"]
    assert rows == ["input", "ours", "theirs"]
    assert [command[-1] for command in section.scores.commands] == ["a", "b"]
