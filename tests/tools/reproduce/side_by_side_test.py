"""Sets without ground truth: their own folders, rotation, crops, pictures."""

import numpy as np
import pytest

from tests import dataset_trees
from tests.testing import load_tool
from tf_defocus.evaluation import pictures
from tf_defocus.images import scene_folders
from tf_defocus.images.files import read_image

tool = load_tool("reproduce.side_by_side")


class Left:
    """A dual network that gives its left view, and remembers what it saw."""

    view_names = ("left", "right")

    def restore(self, left, right):
        self.seen = left
        return left


class Single:
    """A network for photographs that gives them back."""

    view_names = ("blurred",)

    def restore(self, blurred):
        return blurred


@pytest.mark.parametrize(
    "tree, name",
    [
        (dataset_trees.dpdd_pixel, "0000"),
        (dataset_trees.dpd_disp, "0101"),
        (dataset_trees.dpdd_k3dn, None),
        (dataset_trees.dpdd_restormer, None),
    ],
)
def test_published_folders_are_read_by_both_kinds_of_network(tree, name, tmp_path):
    folder = tree(tmp_path, 2)
    scenes = scene_folders.find_views(folder)
    assert len(scenes) == 2 and (name is None or name in scenes)
    views = next(iter(scenes.values()))
    assert {"blurred", "left", "right"} <= set(views)
    results = tool.compare(views, {"left": Left(), "same": Single()})
    np.testing.assert_array_equal(results["same"], results["input"])
    left = read_image(views["left"]).pixels
    full = np.float32(np.iinfo(left.dtype).max)
    np.testing.assert_allclose(results["left"], left / full, atol=1e-6)


@pytest.mark.parametrize(
    "tree, folder", [(dataset_trees.cuhk_bd, "image"), (dataset_trees.rtf, "input")]
)
def test_folders_of_photographs_are_scenes_of_one_view(tree, folder, tmp_path):
    scenes = scene_folders.find_views(tree(tmp_path, 2) / folder)
    assert len(scenes) >= 2
    assert all(set(views) == {"blurred"} for views in scenes.values())
    first = next(iter(scenes.values()))
    with pytest.raises(ValueError, match="no left and no right views"):
        tool.compare(first, {"left": Left()})


def test_rotation_turns_counter_clockwise_and_back(rng):
    network, image = Left(), rng.random((4, 6, 3), dtype=np.float32)
    restored = tool.restore(network, {"left": image, "right": image}, 1)
    np.testing.assert_array_equal(restored, image)
    np.testing.assert_array_equal(network.seen, image[:, ::-1].transpose(1, 0, 2))


def test_crops_choose_the_photographs_and_are_checked():
    crops = tool.parse_crops(["a:1,2,3,4", "b:0,0,2,2", "a:5,6,7,8"])
    assert crops == {"a": [(1, 2, 3, 4), (5, 6, 7, 8)], "b": [(0, 0, 2, 2)]}
    scenes = {name: {} for name in "abc"}
    assert list(tool.choose(scenes, crops)) == ["a", "b"]
    assert list(tool.choose(scenes, {}, 2)) == ["a", "b"]
    with pytest.raises(ValueError, match="no photograph of the folder: d"):
        tool.choose(scenes, {"d": []})
    with pytest.raises(ValueError, match="NAME:X,Y,W,H"):
        tool.parse_crops(["a:1,2,3"])


def test_zoomed_comparison_shows_boxes_and_enlarged_crops(rng):
    dark = np.zeros((40, 60, 3), "float32")
    bright = np.ones((40, 60, 3), "float32")
    drawn = pictures.zoomed_comparison(
        {"input": dark, "net": bright}, [(10, 5, 20, 10), (0, 0, 5, 5)], 40
    )
    height = pictures.BAR_HEIGHT + (20 + 4) + pictures.GAP + (40 + 4)
    whole = round(60 * height / 40)
    assert drawn.shape == (height, whole + 2 * (pictures.GAP + 44), 3)
    for colour in pictures.BOX_COLOURS[:2]:
        places = np.argwhere((drawn == colour).all(axis=-1))
        assert places[:, 1].min() < whole < places[:, 1].max()
    last = drawn[pictures.BAR_HEIGHT + 4 : pictures.BAR_HEIGHT + 20, -30:-10]
    assert (last == 255).all()
    with pytest.raises(ValueError, match="inside 60x40"):
        pictures.zoomed_comparison({"input": dark}, [(50, 0, 20, 10)], 40)


def test_files_are_written_per_method_and_compared(tmp_path, rng):
    results = {
        "input": rng.random((20, 30, 3), dtype=np.float32),
        "net": rng.random((20, 30, 3), dtype=np.float32),
    }
    tool.write(tmp_path, "one", results, [(0, 0, 10, 10)], 32)
    tool.write(tmp_path, "two", results, [], 32)
    restored = read_image(tmp_path / "net" / "one.png").pixels
    np.testing.assert_allclose(restored / 255, results["net"], atol=0.5 / 255)
    assert read_image(tmp_path / "one.png").pixels.std() > 10
    row = read_image(tmp_path / "two.png").pixels
    assert row.shape == (20 + pictures.BAR_HEIGHT, 60 + pictures.GAP, 3)
