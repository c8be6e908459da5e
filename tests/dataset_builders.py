"""What the builders' tests share: their modules, TFDS' case, what they yield."""

import pathlib
import shutil
import tempfile
import types

import tensorflow_datasets as tfds

from tests import dataset_trees as trees
from tests import testing


def load_module(name):
    """The module of a builder, loaded by path as everywhere."""
    return testing.load_tool("inspect_dataset").load_builder_module(name)


class TreeTestCase(tfds.testing.DatasetBuilderTestCase):
    """TFDS' own checks on a tree of `tests/dataset_trees.py`.

    Attributes:
        TREE: str, name of the tree; several scenes of it are made, `SCENES`.
    """

    TREE = ""
    SCENES = 2
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.EXAMPLE_DIR)
        trees.TREES[cls.TREE](pathlib.Path(cls.EXAMPLE_DIR), cls.SCENES)
        super().setUpClass()


def make_builder(name, data_dir, config=None):
    """A builder whose prepared data go to `data_dir`."""
    return load_module(name).Builder(config=config, data_dir=str(data_dir))


def examples(name, manual_dir, config=None):
    """dict, split -> dict, key -> example: what a builder yields, TFDS not between."""
    with tempfile.TemporaryDirectory() as folder:
        builder = make_builder(name, folder, config)
    downloads = types.SimpleNamespace(manual_dir=pathlib.Path(manual_dir))
    splits = builder._split_generators(downloads)
    return {split: dict(generator) for split, generator in splits.items()}


def build(name, data_dir, manual_dir, config=None, runner=None):
    """A builder after `download_and_prepare` from `manual_dir`, with a Beam runner."""
    builder = make_builder(name, data_dir, config)
    manual = tfds.download.DownloadConfig(
        manual_dir=str(manual_dir), beam_runner=runner
    )
    builder.download_and_prepare(download_config=manual)
    return builder
