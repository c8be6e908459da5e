"""DPDD's Pixel photographs: three views, no sharp image."""

import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("dpdd_pixel")


class DpddPixelTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "dpdd_pixel"
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)
    BUILDER_CONFIG_NAMES_TO_TEST = ["full_16bit"]  # noqa: RUF012


def test_grey_views_become_three_equal_channels_upright(tmp_path):
    trees.dpdd_pixel(tmp_path, 2)
    received = dataset_builders.examples("dpdd_pixel", tmp_path)["test"]
    assert list(received) == ["0000", "0001"]
    seeds = {"blurred": 4, "left": 5, "right": 6}
    for role, seed in seeds.items():
        grey = np.random.default_rng(seed).integers(0, 65536, (18, 12))
        expected = np.repeat(grey[..., None], 3, axis=-1)
        np.testing.assert_array_equal(received["0001"][role], expected)
        assert received["0001"][role].dtype == np.uint16


def test_eight_bits_and_the_canon_set_are_refused(tmp_path):
    root = trees.dpdd_pixel(tmp_path, 1)
    trees.write_image(root / "test_l" / "source" / "0000_L.png", 0, np.uint8, (18, 12))
    with pytest.raises(DatasetFilesError, match=r"0000_L\.png of 8 bits"):
        dataset_builders.examples("dpdd_pixel", tmp_path)
    (root / "test_c" / "target").mkdir()
    with pytest.raises(DatasetFilesError, match="build dpdd"):
        dataset_builders.examples("dpdd_pixel", tmp_path)
