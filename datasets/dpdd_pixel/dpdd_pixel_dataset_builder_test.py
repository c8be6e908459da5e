"""DPDD's Pixel photographs: three views, no sharp image."""

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
    path = _FOLDER / "dpdd_pixel_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class DpddPixelTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True
    BUILDER_CONFIG_NAMES_TO_TEST = ["full_16bit"]  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.dpdd_pixel(pathlib.Path(cls.EXAMPLE_DIR), 2)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    with tempfile.TemporaryDirectory() as folder:
        builder = builder_module.Builder(config="full_16bit", data_dir=folder)
    return {
        split: dict(builder._generate_examples(found))
        for split, found in {"test": builder_module.find_scenes(root)}.items()
    }


def test_grey_views_become_three_equal_channels_upright(tmp_path):
    trees.dpdd_pixel(tmp_path, 2)
    received = examples(tmp_path)["test"]
    assert list(received) == ["0000", "0001"]
    seeds = {"combined": 4, "left": 5, "right": 6}
    for role, seed in seeds.items():
        grey = np.random.default_rng(seed).integers(0, 65536, (18, 12))
        expected = np.repeat(grey[..., None], 3, axis=-1)
        np.testing.assert_array_equal(received["0001"][role], expected)
        assert received["0001"][role].dtype == np.uint16


def test_eight_bits_and_the_canon_set_are_refused(tmp_path):
    root = trees.dpdd_pixel(tmp_path, 1)
    trees.write_image(root / "test_l" / "source" / "0000_L.png", 0, np.uint8, (18, 12))
    with pytest.raises(DatasetFilesError, match=r"0000_L\.png of 8 bits"):
        examples(tmp_path)
    (root / "test_c" / "target").mkdir()
    with pytest.raises(DatasetFilesError, match="build dpdd"):
        examples(tmp_path)
