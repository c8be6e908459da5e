"""RTF: the photograph is cut to the columns that the sharp image has."""

import numpy as np
import pytest

from tests import dataset_builders
from tf_defocus.dataset_files import DatasetFilesError
from tools import make_dataset_trees as trees

builder_module = dataset_builders.load_module("rtf")


class RtfTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "rtf"
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)


def test_the_right_columns_are_cut_off(tmp_path):
    trees.rtf(tmp_path, 2)
    example = dataset_builders.examples("rtf", tmp_path)["test"]["image_02"]
    image = np.random.default_rng(2).integers(0, 256, (12, 30, 3))
    np.testing.assert_array_equal(example["combined"], image[:, :10])
    sharp = np.random.default_rng(101).integers(0, 256, (12, 10, 3))
    np.testing.assert_array_equal(example["sharp"], sharp)


def test_other_sizes_are_refused_by_name(tmp_path):
    root = trees.rtf(tmp_path, 2)
    trees.write_image(root / "target" / "image_02.png", 0, np.uint8, (12, 11, 3))
    with pytest.raises(DatasetFilesError, match=r"image_02\.png of 12 x 11"):
        dataset_builders.examples("rtf", tmp_path)
