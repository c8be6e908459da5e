"""CUHK's blur detection set: photographs with their masks."""

import importlib.util
import pathlib
import sys
import tempfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf_defocus.dataset_files import DatasetFilesError
from tools import make_dataset_trees as trees

_FOLDER = pathlib.Path(__file__).parent


def load_builder_module():
    """By path: a package called `datasets` may belong to somebody else."""
    path = _FOLDER / "cuhk_bd_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class CuhkBdTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.cuhk_bd(pathlib.Path(cls.EXAMPLE_DIR), 2)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    return {
        split: dict(builder_module.Builder._generate_examples(None, found))
        for split, found in {"test": builder_module.find_pairs(root)}.items()
    }


def test_masks_are_black_and_white_and_motion_is_left_out(tmp_path):
    trees.cuhk_bd(tmp_path, 3)
    received = examples(tmp_path)["test"]
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
        examples(tmp_path)
    path.unlink()
    with pytest.raises(DatasetFilesError, match="Expected out_of_focus0003 in"):
        examples(tmp_path)
