"""RDPD: frames of sequences, the same in validation and test."""

import importlib.util
import pathlib
import sys
import tempfile

import pytest
import tensorflow_datasets as tfds

from tf_defocus.dataset_files import DatasetFilesError
from tools import make_dataset_trees as trees

_FOLDER = pathlib.Path(__file__).parent


def load_builder_module():
    """By path: a package called `datasets` may belong to somebody else."""
    path = _FOLDER / "rdpd_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class RdpdTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"train": 2, "validation": 2, "test": 2}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True
    OVERLAPPING_SPLITS = ["validation", "test"]  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.rdpd(pathlib.Path(cls.EXAMPLE_DIR), 2)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    return {
        split: dict(builder_module.Builder._generate_examples(None, found))
        for split, found in builder_module.find_frames(root).items()
    }


def test_frames_keep_their_sequence_and_order(tmp_path):
    root = trees.rdpd(tmp_path, 3)
    received = examples(tmp_path)
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
        examples(tmp_path)
    (root / "train_c").rename(root / "aside")
    with pytest.raises(DatasetFilesError, match=r"seq_NNN in .*train_c"):
        examples(tmp_path)
