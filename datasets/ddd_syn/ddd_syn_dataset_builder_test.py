"""DDD-syn: float maps, and ids that two folders share."""

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
    path = _FOLDER / "ddd_syn_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class DddSynTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"train": 1, "test": 1, "test1": 1}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.ddd_syn(pathlib.Path(cls.EXAMPLE_DIR), 1)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    return {
        split: dict(builder_module.Builder._generate_examples(None, found))
        for split, found in builder_module.find_scenes(root).items()
    }


def test_shared_ids_stay_apart_and_maps_are_exact(tmp_path):
    root = trees.ddd_syn(tmp_path, 2)
    received = examples(tmp_path)
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
    with pytest.raises(DatasetFilesError, match=name):
        examples(tmp_path)


def test_a_right_view_without_left_is_refused(tmp_path):
    root = trees.ddd_syn(tmp_path, 2)
    (root / "training" / "dp" / "0001_l.png").unlink()
    with pytest.raises(DatasetFilesError, match="3 files, 1 of them left"):
        examples(tmp_path)
