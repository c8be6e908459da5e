"""`tools/report.py` as a command."""

import subprocess
import sys

from tests import testing
from tests.reports.comparison_test import write_scores


def run_report(*arguments):
    tool = str(testing.ROOT / "tools" / "report.py")
    return subprocess.run(
        [sys.executable, tool, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=testing.ROOT,
    )


def test_the_report_is_printed_and_written(tmp_path):
    output = tmp_path / "report"
    done = run_report("--output", output, write_scores(tmp_path / "scores"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == (output / "report.md").read_text()
    assert "Gate passed" in done.stdout
    names = {path.name for path in output.iterdir()}
    assert names == {"report.md", "report.csv", "report.html"}


def test_a_refusal_is_one_line_and_leaves_nothing(tmp_path):
    output = tmp_path / "report"
    scores = write_scores(tmp_path / "scores", images=[])
    done = run_report("--output", output, scores)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("report: ")
    assert not output.exists()


def test_methods_scored_one_by_one_stand_on_one_page(tmp_path):
    page = tmp_path / "page.md"
    done = run_report(
        *("--output", tmp_path / "report", "--page", page, "--page_title", "Scenes"),
        *("--page_note", "A note.", write_scores(tmp_path / "one")),
        write_scores(tmp_path / "two", method="theirs"),
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# Scenes\n\nA note.\n\nMade by\n\n    python tools/")
    assert "| measured | ours |" in text and "| measured | theirs |" in text
    assert "--output one" in text and "--output two" in text
