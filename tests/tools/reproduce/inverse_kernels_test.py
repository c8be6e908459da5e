"""The observations of [KPAC Eq. 4] and [KPAC Eq. 5] hold on small photographs."""

import subprocess
import sys

import pytest

from tests import testing
from tf_defocus.images.files import read_image

TOOL = testing.ROOT / "tools" / "reproduce" / "inverse_kernels.py"


def _run(*arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=testing.ROOT,
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inverse_kernels") / "results"
    finished = _run("--size", 128, "--output", folder)
    assert finished.returncode == 0, finished.stderr
    assert (folder / "tables.md").read_text() == finished.stdout
    return folder


def _table(output, title):
    """First column -> the other columns' numbers."""
    text = (output / "tables.md").read_text()
    section = next(part for part in text.split("## ") if part.startswith(title))
    rows = [line.strip("| ").split(" | ") for line in section.splitlines()]
    return {row[0]: [float(v) for v in row[1:]] for row in rows[4:] if len(row) > 1}


def test_inverting_and_enlarging_commute_on_photographs(output):
    for name, (*_, figure_1, figure_4) in _table(output, "Figs. 1 and 4").items():
        assert figure_1 > 45 and figure_4 > 45, name


def test_deblurring_sharpens(output):
    rows = _table(output, "Figs. 1 and 4")
    assert len(rows) >= 3
    for blurred, inverse, enlarged, *_ in rows.values():
        assert min(inverse, enlarged) > blurred + 0.3


def test_every_shape_commutes_and_the_smooth_one_almost_exactly(output):
    shapes = _table(output, "Fig. 14")
    assert min(value for row in shapes.values() for value in row) > 40
    assert min(shapes["Gaussian"]) > 100


def test_blends_are_as_accurate_as_the_paper_s(output):
    paper = (98.68, 97.84, 98.96, 95.37, 97.03)
    for published, row in zip(paper, _table(output, "Fig. 13").values()):
        halves, best, dilated, smaller, larger = row
        assert best > published - 1 and dilated > published - 1
        assert best >= halves - 0.1  # least squares is not least relative error
        assert 0 < smaller < 1 and 0 < larger < 1


def test_pictures_are_small_and_show_something(output):
    for name, size in (("commuting", (64, 320)), ("kernels", (328, 492))):
        path = output / f"{name}.png"
        pixels = read_image(path).pixels
        assert pixels.shape[:2] == size and pixels.std() > 10
        assert path.stat().st_size < 150_000


def test_a_crop_too_small_is_refused(tmp_path):
    finished = _run("--size", 8, "--output", tmp_path / "none")
    assert finished.returncode != 0 and "size" in finished.stderr
    assert not (tmp_path / "none").exists()
