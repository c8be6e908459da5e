"""Pages of the documentation: command, verdicts, rows, chosen pictures."""

import numpy as np

from tests.reports.comparison_test import sections, write_scores
from tf_defocus.evaluation.pictures import write_comparison
from tf_defocus.reports import documents


def images(*gains):
    """Records of images whose PSNR rises by so many dB."""
    return [
        {
            "name": f"{index:04d}",
            "scores": {"input": {"psnr": 20.0}, "ours": {"psnr": 20.0 + gain}},
        }
        for index, gain in enumerate(gains)
    ]


def test_pictures_go_from_the_worst_to_the_best_gain(tmp_path):
    records = images(1.0, -2.0, 3.0, 0.5, 0.0)
    (section,) = sections(write_scores(tmp_path, images=records))
    method, chosen = documents.chosen_images(section, 3)
    assert method == "ours"
    assert [image["name"] for image in chosen] == ["0001", "0003", "0002"]
    _, one = documents.chosen_images(section, 1)
    assert [image["name"] for image in one] == ["0001"]
    assert len(documents.chosen_images(section, 9)[1]) == 5


def test_the_page_shows_command_verdict_rows_and_pictures(tmp_path):
    command = "python tools/a.py \\\n    --output b"
    folder = write_scores(tmp_path / "scores", commands=[command])
    record = {
        "name": "0000_a",
        "scores": {"ours": {"psnr": 25.0, "ssim": 0.8}},
    }
    pictures = {m: np.full((40, 50, 3), 0.5, "float32") for m in ("input", "ours")}
    (folder / "pictures").mkdir()
    write_comparison(folder / "pictures", record, pictures)
    page = tmp_path / "docs" / "page.md"
    documents.write_document(page, "Title", sections(folder), 1, "A note.")
    text = page.read_text()
    assert text.startswith(
        "# Title\n\nA note.\n\nMade by\n\n    python tools/a.py \\\n        --out"
    )
    assert text.index("Gate passed") < text.index("| measured | ours | 25.31 |")
    assert "![0000_a](page/0000_a.jpg)" in text
    assert (tmp_path / "docs" / "page" / "0000_a.jpg").stat().st_size > 500
