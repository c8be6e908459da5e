"""DPD-disp: photographs, views and depth maps, whatever the maps are called."""

import cv2
import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("dpd_disp")


class DpdDispTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "dpd_disp"
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)


def examples(root):
    return dataset_builders.examples("dpd_disp", root)["test"]


def test_views_are_the_files_and_depth_is_grey(tmp_path):
    root = trees.dpd_disp(tmp_path, 2)
    received = examples(tmp_path)
    assert list(received) == ["0101", "0102"]
    for kind, role in (("B", "blurred"), ("L", "left"), ("R", "right")):
        image = cv2.imread(str(root / f"0102_{kind}.jpg"))[..., ::-1]
        np.testing.assert_array_equal(received["0102"][role], image)
    depth = np.random.default_rng(8).integers(0, 256, trees.SHAPE[:2])
    np.testing.assert_array_equal(received["0102"]["depth"][..., 0], depth)
    assert received["0102"]["has_depth"]


@pytest.mark.parametrize(
    "name", ["0102_D.TIF", "0102_depth.png", "gt/0102.tif", "gt/0102_gt.png"]
)
def test_depth_maps_of_other_names_and_sizes_are_found(tmp_path, name):
    root = trees.dpd_disp(tmp_path, 2)
    (root / "0102_gt.tif").unlink()
    size = (2 * trees.SHAPE[0], 2 * trees.SHAPE[1])
    depth = trees.write_image(root / name, 3, np.uint8, size)
    np.testing.assert_array_equal(examples(tmp_path)["0102"]["depth"][..., 0], depth)


def test_scenes_without_depth_have_one_black_pixel(tmp_path):
    root = trees.dpd_disp(tmp_path, 2)
    (root / "0101_gt.tif").unlink()
    received = examples(tmp_path)
    assert [example["has_depth"] for example in received.values()] == [False, True]
    np.testing.assert_array_equal(received["0101"]["depth"], np.zeros((1, 1, 1)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0103_L.jpg"], r"Expected 0103_B in .*0103_L\.jpg"),
        (["0101_D.png"], r"0101_D\.png and .*0101_gt\.tif"),
        (["0101_mask.png"], r"Received: .*0101_mask\.png; rename"),
        (["gt/0107.png"], r"Expected 0107_B in .*gt/0107\.png"),
    ],
)
def test_files_that_fit_nowhere_are_named(tmp_path, names, message):
    root = trees.dpd_disp(tmp_path, 2)
    for name in names:
        trees.write_image(root / name, 0, np.uint8)
    with pytest.raises(DatasetFilesError, match=message):
        examples(tmp_path)


def test_depth_of_another_shape_or_in_colour_is_named(tmp_path):
    root = trees.dpd_disp(tmp_path, 2)
    trees.write_image(root / "0101_gt.tif", 0, np.uint8, (18, 12))
    with pytest.raises(DatasetFilesError, match=r"0101_gt\.tif of \(18, 12\)"):
        examples(tmp_path)
    trees.write_image(root / "0101_gt.tif", 0, np.uint8)
    with pytest.raises(DatasetFilesError, match=r"grey.*0101_gt\.tif"):
        examples(tmp_path)
