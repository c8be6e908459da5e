"""RTF: the photograph is cut to the columns that the sharp image has."""

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
    path = _FOLDER / "rtf_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class RtfTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.rtf(pathlib.Path(cls.EXAMPLE_DIR), 2)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    return {
        split: dict(builder_module.Builder._generate_examples(None, found))
        for split, found in {"test": builder_module.find_pairs(root)}.items()
    }


def test_the_right_columns_are_cut_off(tmp_path):
    trees.rtf(tmp_path, 2)
    example = examples(tmp_path)["test"]["image_02"]
    image = np.random.default_rng(2).integers(0, 256, (12, 30, 3))
    np.testing.assert_array_equal(example["combined"], image[:, :10])
    sharp = np.random.default_rng(101).integers(0, 256, (12, 10, 3))
    np.testing.assert_array_equal(example["sharp"], sharp)


def test_other_sizes_are_refused_by_name(tmp_path):
    root = trees.rtf(tmp_path, 2)
    trees.write_image(root / "target" / "image_02.png", 0, np.uint8, (12, 11, 3))
    with pytest.raises(DatasetFilesError, match=r"image_02\.png of 12 x 11"):
        examples(tmp_path)
