"""CUHK's blur detection set: photographs with their masks."""

import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("cuhk_bd")


class CuhkBdTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "cuhk_bd"
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)


def test_masks_are_black_and_white_and_motion_is_left_out(tmp_path):
    trees.cuhk_bd(tmp_path, 3)
    received = dataset_builders.examples("cuhk_bd", tmp_path)["test"]
    assert list(received) == [f"out_of_focus000{index}" for index in (1, 2, 3)]
    grey = np.random.default_rng(2).integers(0, 256, trees.SHAPE[:2])
    expected = np.where(grey > 127, 255, 0)
    np.testing.assert_array_equal(
        received["out_of_focus0002"]["mask"][..., 0], expected
    )


def test_missing_masks_and_other_sizes_are_named(tmp_path):
    root = trees.cuhk_bd(tmp_path, 3)
    path = root / "gt" / "out_of_focus0003.png"
    trees.write_image(path, 0, np.uint8, (5, 5))
    with pytest.raises(DatasetFilesError, match=path.name):
        dataset_builders.examples("cuhk_bd", tmp_path)
    path.unlink()
    with pytest.raises(DatasetFilesError, match="Expected out_of_focus0003 in"):
        dataset_builders.examples("cuhk_bd", tmp_path)
