"""SYNDOF: photographs with the maps of their blur."""

import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("syndof")


class SyndofTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "syndof"
    SPLITS = {"train": 2}  # noqa: RUF012 (the case's own spelling)


def test_the_map_is_the_second_channel_in_tenths_of_a_pixel(tmp_path):
    trees.syndof(tmp_path, 3)
    received = dataset_builders.examples("syndof", tmp_path)["train"]
    assert list(received) == ["0001", "0002", "0003"]
    rng = np.random.default_rng(102)
    levels = rng.integers(0, 256, trees.SHAPE)[..., 1:2]
    np.testing.assert_allclose(received["0002"]["blur_map"], levels / 10, rtol=1e-6)


def test_a_photograph_without_map_and_another_size_are_named(tmp_path):
    root = trees.syndof(tmp_path, 3)
    path = root / "blur_map" / "0003.png"
    trees.write_image(path, 0, np.uint8, (5, 5, 3))
    with pytest.raises(DatasetFilesError, match=path.name):
        dataset_builders.examples("syndof", tmp_path)
    path.unlink()
    with pytest.raises(DatasetFilesError, match="Expected 0003 in"):
        dataset_builders.examples("syndof", tmp_path)
