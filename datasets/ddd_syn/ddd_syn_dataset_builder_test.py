"""DDD-syn: float maps, and ids that two folders share."""

import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("ddd_syn")


class DddSynTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "ddd_syn"
    SPLITS = {"train": 1, "test": 1, "test1": 1}  # noqa: RUF012 (the case's own spelling)
    SCENES = 1


def test_shared_ids_stay_apart_and_maps_are_exact(tmp_path):
    root = trees.ddd_syn(tmp_path, 2)
    received = dataset_builders.examples("ddd_syn", tmp_path)
    assert list(received["test"]) == ["testing_6001", "testing_6002"]
    assert list(received["test1"]) == ["testing1_6001", "testing1_6002"]
    example = received["test1"]["testing1_6002"]
    for role, name in (("left", "dp/6002_l"), ("sharp", "gt/6002_m")):
        assert example[role] == (root / "testing1" / f"{name}.png").read_bytes()
    # the last of 3 splits x 2 scenes x 3 images
    values = np.random.default_rng(18).normal(0, 5, trees.SHAPE[:2])
    np.testing.assert_array_equal(
        example["disparity"][..., 0], values.astype(np.float32)
    )


@pytest.mark.parametrize("name", ["dp/0002_r.png", "disp/0002_dm.pfm", "gt/0002_m.png"])
def test_missing_files_are_named(tmp_path, name):
    root = trees.ddd_syn(tmp_path, 2)
    (root / "training" / name).unlink()
    folder, file = name.split("/")
    with pytest.raises(DatasetFilesError, match=rf"Expected {file[:-4]} in .*{folder}"):
        dataset_builders.examples("ddd_syn", tmp_path)


def test_a_right_view_without_left_is_refused(tmp_path):
    root = trees.ddd_syn(tmp_path, 2)
    (root / "training" / "dp" / "0001_l.png").unlink()
    with pytest.raises(DatasetFilesError, match=r"Expected 0001_l in .*dp"):
        dataset_builders.examples("ddd_syn", tmp_path)
