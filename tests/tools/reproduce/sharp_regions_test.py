"""The table and picture of errors in focus; the arithmetic is the library's."""

import numpy as np
import pytest

from tests import dataset_trees
from tests.testing import load_tool
from tf_defocus.evaluation import sharp_regions
from tf_defocus.images import scene_folders
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.reports import line_chart

tool = load_tool("reproduce.sharp_regions")


def test_the_table_has_a_row_per_method_and_a_column_per_number():
    errors = {"input": np.full(30, 2.0), "a": np.array([0.0, 1.0, 8.0])}
    summaries = {name: sharp_regions.summarise(e) for name, e in errors.items()}
    lines = tool.table(summaries).splitlines()
    assert lines[0] == "| [of 255] | mean | rmse | p50 | p90 | p95 | p99 |"
    assert lines[2] == "| input | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 |"
    assert lines[3].startswith("| a | 3.00 | 4.65 | 1.00 | ")


def test_the_picture_shows_every_method_in_both_charts():
    errors = {"input": np.geomspace(0.1, 50, 99), "a": np.geomspace(0.1, 5, 99)}
    drawn = tool.picture(errors)
    height, width = line_chart.SIZE
    assert drawn.shape == (height, 2 * width, 3)
    for colour in line_chart.COLOURS[:2]:
        shown = (drawn == colour).all(axis=-1)
        assert shown[:, :width].sum() > 50 and shown[:, width:].sum() > 50


class Halving:
    """Halves the left view."""

    view_names = ("left", "right")

    def restore(self, left, right):
        return left / 2


def test_masks_choose_the_photographs_of_a_published_tree(tmp_path):
    folder = dataset_trees.dpdd_official(tmp_path, 2)
    scenes = scene_folders.find_views(folder)
    with pytest.raises(FileNotFoundError, match="Expected"):
        next(tool.masked_scenes(folder, tmp_path))
    masks = tmp_path / "masks"
    masks.mkdir()
    name = list(scenes)[1]
    pixels = np.zeros((12, 18, 3), "uint8")
    pixels[2:5, 3:9] = 255
    write_image(masks / f"{name}.png", Image(pixels))
    found = tool.masked_scenes(folder, masks)
    errors = tool.measure_masked({"half": Halving()}, found, tmp_path / "results")
    assert errors["half"].shape == (3 * 6,)
    left = read_image(scenes[name]["left"]).pixels / 65535
    blurred = read_image(scenes[name]["blurred"]).pixels / 65535
    difference = (left / 2 - blurred)[2:5, 3:9].reshape(-1, 3)
    expected = 255 * np.sqrt(np.mean(difference**2, axis=-1))
    np.testing.assert_allclose(errors["half"], expected, rtol=1e-3)
    shown = read_image(tmp_path / "results" / "errors" / "half" / f"{name}.png").pixels
    assert shown.shape == (12, 18, 3) and shown.max() == 255
    lines = tool.table_of_shares(errors).splitlines()
    assert lines[0].startswith("| [%] | <= 1 of 255 |")
