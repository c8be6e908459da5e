"""LFDOF: many photographs share a scene's all-in-focus image."""

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
    path = _FOLDER / "lfdof_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class LfdofTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"train": 4, "test": 4}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.lfdof(pathlib.Path(cls.EXAMPLE_DIR), 2)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    return {
        split: dict(builder_module.Builder._generate_examples(None, found))
        for split, found in builder_module.find_pairs(root).items()
    }


def test_photographs_of_a_scene_share_its_target(tmp_path):
    root = trees.lfdof(tmp_path, 2)
    received = examples(tmp_path)
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
        examples(tmp_path)
    (root / "train_data").rename(root / "aside")
    assert list(examples(tmp_path)) == ["test"]
    (root / "test_data").rename(root / "train_data")
    with pytest.raises(DatasetFilesError, match="train_data alone"):
        examples(tmp_path)
