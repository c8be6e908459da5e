"""RTF: the photograph is cut to the columns that the sharp image has."""

import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("rtf")


class RtfTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "rtf"
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)


def test_the_right_columns_are_cut_off(tmp_path):
    trees.rtf(tmp_path, 2)
    example = dataset_builders.examples("rtf", tmp_path)["test"]["image_02"]
    image = np.random.default_rng(2).integers(0, 256, (12, 30, 3))
    np.testing.assert_array_equal(example["blurred"], image[:, :10])
    sharp = np.random.default_rng(101).integers(0, 256, (12, 10, 3))
    np.testing.assert_array_equal(example["sharp"], sharp)


def test_other_sizes_are_refused_by_name(tmp_path):
    root = trees.rtf(tmp_path, 2)
    trees.write_image(root / "target" / "image_02.png", 0, np.uint8, (12, 11, 3))
    with pytest.raises(DatasetFilesError, match=r"image_02\.png of 12 x 11"):
        dataset_builders.examples("rtf", tmp_path)


def test_blur_maps_are_the_matrices_cut_to_the_common_columns(tmp_path):
    root = trees.rtf(tmp_path, 2)
    values = np.random.default_rng(0).uniform(0, 3, (12, 30))
    trees.write_mat(root / "gt" / "image_01.mat", values)
    received = dataset_builders.examples("rtf", tmp_path)["test"]
    expected = values[:, :10].astype(np.float32)
    np.testing.assert_array_equal(received["image_01"]["blur_map"][..., 0], expected)
    expected = np.random.default_rng(2).uniform(0, 3, (12, 10)).astype(np.float32)
    np.testing.assert_array_equal(received["image_02"]["blur_map"][..., 0], expected)
    assert received["image_02"]["has_blur_map"]


def test_without_blur_maps_there_is_one_zero(tmp_path):
    root = trees.rtf(tmp_path, 2)
    (root / "gt").rename(root / "aside")
    for example in dataset_builders.examples("rtf", tmp_path)["test"].values():
        assert not example["has_blur_map"]
        np.testing.assert_array_equal(example["blur_map"], np.zeros((1, 1, 1)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((12, 9), r"image_02\.mat of 12 x 9"), ((11, 10), r"image_02\.mat of 11 x 10")],
)
def test_blur_maps_of_other_sizes_are_named(tmp_path, shape, message):
    root = trees.rtf(tmp_path, 2)
    trees.write_mat(root / "gt" / "image_02.mat", np.ones(shape))
    with pytest.raises(DatasetFilesError, match=message):
        dataset_builders.examples("rtf", tmp_path)


def test_blur_maps_that_do_not_pair_are_named(tmp_path):
    root = trees.rtf(tmp_path, 2)
    (root / "gt" / "image_02.mat").unlink()
    with pytest.raises(DatasetFilesError, match=r"Expected image_02 in .*gt"):
        dataset_builders.examples("rtf", tmp_path)
    (root / "gt" / "3").mkdir()
    with pytest.raises(DatasetFilesError, match="folders, as of noise"):
        dataset_builders.examples("rtf", tmp_path)
