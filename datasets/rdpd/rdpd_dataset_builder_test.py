"""RDPD: frames of sequences, the same in validation and test."""

import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("rdpd")


class RdpdTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "rdpd"
    SPLITS = {"train": 2, "validation": 2, "test": 2}  # noqa: RUF012 (the case's own spelling)
    OVERLAPPING_SPLITS = ["validation", "test"]  # noqa: RUF012


def test_frames_keep_their_sequence_and_order(tmp_path):
    root = trees.rdpd(tmp_path, 3)
    received = dataset_builders.examples("rdpd", tmp_path)
    assert list(received) == ["train", "validation", "test"]
    names = [f"seq_003_{index:07d}" for index in range(3)]
    assert list(received["test"]) == list(received["validation"]) == names
    for index, (name, example) in enumerate(received["test"].items()):
        assert example["frame"] == index and example["sequence_id"] == "seq_003"
        path = root / "test_r" / "source" / "seq_003" / f"{name[-7:]}.png"
        assert example["right"] == path.read_bytes()


def test_missing_frames_and_splits_are_named(tmp_path):
    root = trees.rdpd(tmp_path, 3)
    (root / "train_l" / "source" / "seq_001" / "0000001.png").unlink()
    with pytest.raises(DatasetFilesError, match=r"Expected 0000001 in .*train_l"):
        dataset_builders.examples("rdpd", tmp_path)
    (root / "train_c").rename(root / "aside")
    with pytest.raises(DatasetFilesError, match=r"seq_NNN in .*train_c"):
        dataset_builders.examples("rdpd", tmp_path)
