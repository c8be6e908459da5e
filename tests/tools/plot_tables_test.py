"""The curves that are drawn are the numbers of the pages."""

import pytest

from tests.testing import ROOT, load_tool
from tf_defocus.images.files import read_image

plot_tables = load_tool("plot_tables")


def test_noise_curves_are_the_gains_in_brackets():
    head = ["sigma [of 255]", "input", "a"]
    rows = [["0", "27.36, 0.756", "28.91, 0.812 (+1.54)"], ["5", "26", "25 (-1.00)"]]
    assert plot_tables.noise_curves(head, rows) == {"a": ([0, 5], [1.54, -1])}


def test_fit_curves_are_those_of_whole_kernels():
    page = ROOT / "docs" / "gkm_fit" / "table.md"
    curves = plot_tables.fit_curves(*plot_tables.read_table(page))
    assert list(curves) == list(plot_tables.FAMILIES)
    radii, errors = curves["disc"]["Gaussian"]
    assert radii == [1, 2, 4, 7]
    assert errors[0] < errors[-1]


def test_a_page_without_a_table_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("# Nothing\n")
    with pytest.raises(ValueError, match="Expected a table"):
        plot_tables.read_table(tmp_path / "page.md")


def test_the_pictures_are_there():
    for name, shape in (("noise", (360, 560)), ("kernel_fit", (360, 3 * 560))):
        picture = read_image(ROOT / "docs" / "charts" / f"{name}.png")
        assert picture.pixels.shape[:2] == shape
