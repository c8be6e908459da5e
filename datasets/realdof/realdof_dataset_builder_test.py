"""RealDOF: pairs by name or by order, or a refusal that names the file."""

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
    path = _FOLDER / "realdof_dataset_builder.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


builder_module = load_builder_module()


class RealdofTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        trees.realdof(pathlib.Path(cls.EXAMPLE_DIR), 2)
        super().setUpClass()


def examples(root):
    """What the builder yields, without TFDS between."""
    return {
        split: dict(builder_module.Builder._generate_examples(None, found))
        for split, found in {"test": builder_module.find_pairs(root)}.items()
    }


def test_pairs_hold_the_files(tmp_path):
    root = trees.realdof(tmp_path, 3)
    received = examples(tmp_path)["test"]
    assert list(received) == ["000", "001", "002"]
    for name, example in received.items():
        for role, folder in (("combined", "source"), ("sharp", "target")):
            assert example[role] == (root / folder / f"{name}.png").read_bytes()


@pytest.mark.parametrize("trap", ["truncated", "wrong_size", "missing", "misnamed"])
def test_broken_sets_are_refused_by_name(tmp_path, trap):
    root = trees.realdof(tmp_path, 3)
    trees.TRAPS[trap](root)
    with pytest.raises(DatasetFilesError, match=r"/002\.png|1P0A9999"):
        examples(tmp_path)


def test_sixteen_bits_are_shifted(tmp_path):
    root = trees.realdof(tmp_path, 1)
    image = trees.write_image(root / "source" / "000.png", 5, np.uint16)
    received = examples(tmp_path)["test"]["000"]["combined"]
    np.testing.assert_array_equal(received, image >> 8)
