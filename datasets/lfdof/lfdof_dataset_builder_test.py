"""LFDOF: many photographs share a scene's all-in-focus image."""

import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("lfdof")


class LfdofTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "lfdof"
    SPLITS = {"train": 4, "test": 4}  # noqa: RUF012 (the case's own spelling)


def test_photographs_of_a_scene_share_its_target(tmp_path):
    root = trees.lfdof(tmp_path, 2)
    received = dataset_builders.examples("lfdof", tmp_path)
    assert list(received) == ["train", "test"]
    expected = ["IMG_900_ap1", "IMG_900_ap2", "IMG_901_ap1", "IMG_901_ap2"]
    assert list(received["test"]) == expected
    for name, example in received["test"].items():
        scene = name.split("_ap")[0]
        path = root / "test_data" / "ground_truth" / f"{scene}.png"
        assert example["sharp"] == path.read_bytes()
        assert example["sequence_id"] == scene and example["scene_id"] == name


def test_missing_targets_are_named_and_a_test_set_alone_is_enough(tmp_path):
    root = trees.lfdof(tmp_path, 2)
    (root / "train_data" / "ground_truth" / "IMG_2.png").unlink()
    with pytest.raises(
        DatasetFilesError, match=r"Expected IMG_2 in .* for .*IMG_2_ap1"
    ):
        dataset_builders.examples("lfdof", tmp_path)
    (root / "train_data").rename(root / "aside")
    assert list(dataset_builders.examples("lfdof", tmp_path)) == ["test"]
    (root / "test_data").rename(root / "train_data")
    with pytest.raises(DatasetFilesError, match="train_data alone"):
        dataset_builders.examples("lfdof", tmp_path)
