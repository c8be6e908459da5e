"""RealDOF: pairs by name or by order, or a refusal that names the file."""

import numpy as np
import pytest

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("realdof")


class RealdofTest(dataset_builders.TreeTestCase):
    DATASET_CLASS = builder_module.Builder
    TREE = "realdof"
    SPLITS = {"test": 2}  # noqa: RUF012 (the case's own spelling)


def test_pairs_hold_the_files(tmp_path):
    root = trees.realdof(tmp_path, 3)
    received = dataset_builders.examples("realdof", tmp_path)["test"]
    assert list(received) == ["000", "001", "002"]
    for name, example in received.items():
        for role, folder in (("blurred", "source"), ("sharp", "target")):
            assert example[role] == (root / folder / f"{name}.png").read_bytes()


@pytest.mark.parametrize("trap", ["truncated", "wrong_size", "missing", "misnamed"])
def test_broken_sets_are_refused_by_name(tmp_path, trap):
    root = trees.realdof(tmp_path, 3)
    trees.TRAPS[trap](root)
    with pytest.raises(DatasetFilesError, match=r"/002\.png|1P0A9999"):
        dataset_builders.examples("realdof", tmp_path)


def test_sixteen_bits_are_shifted(tmp_path):
    root = trees.realdof(tmp_path, 1)
    image = trees.write_image(root / "source" / "000.png", 5, np.uint16)
    received = dataset_builders.examples("realdof", tmp_path)["test"]["000"]["blurred"]
    np.testing.assert_array_equal(received, image >> 8)
