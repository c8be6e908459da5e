"""Every set of `datasets/` trains and is scored by its name, or is refused clearly."""

import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np
import pytest

from tests import dataset_trees as trees
from tests import testing
from tf_defocus.configs import Recipe
from tf_defocus.data import builders
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch
from tf_defocus.evaluation.examples import read_dataset


class Case(NamedTuple):
    """A set as the tools name it.

    Attributes:
        dataset: name or name/config.
        tree: name of its tree in `tests/dataset_trees.py`; "" for none.
        splits: to train and to validate on; () where there is nothing to train towards.
        views: what of it a network may be given.
        scored: split to be scored, and its number of examples.
    """

    dataset: str
    tree: str
    splits: tuple = ()
    views: tuple = ("blurred",)
    scored: tuple = ("test", 2)


ALL = ("blurred", "left", "right")
CASES = [
    Case("cuhk_bd", "cuhk_bd"),
    Case("syndof", "syndof", scored=("train", 2)),
    Case("ddd_syn", "ddd_syn", ("train", "test1"), ("left", "right")),
    Case("dp_folder", "dp_folder", ("test[:1]", "test[1:]"), ALL),
    Case("dpd_disp", "dpd_disp"),
    Case(
        "dpdd/patches_512_16bit",
        "dpdd_patches",
        ("train", "validation"),
        ALL,
        ("validation", 2),
    ),
    Case("dpdd_pixel/full_16bit", "dpdd_pixel"),
    Case("lfdof", "lfdof", ("train[:50%]", "train[50%:]"), scored=("test", 4)),
    Case("rdpd", "rdpd", ("train", "validation"), ALL),
    Case("realdof", "realdof", ("test[:1]", "test[1:]")),
    Case("rtf", "rtf", ("test[:1]", "test[1:]")),
    Case(
        "synthetic_dp/procedural",
        "",
        ("train", "validation"),
        ALL,
        ("validation", 1),
    ),
]
TRAINABLE = [case for case in CASES if case.splits]
REFUSED = [case for case in CASES if not case.splits]


def by_dataset(cases):
    return pytest.mark.parametrize("case", cases, ids=[c.dataset for c in cases])


@pytest.fixture
def places(tmp_path, case, monkeypatch):
    """(data_dir, manual_dir) with two scenes of the set; synthetic scenes are tiny."""
    if case.tree:
        return tmp_path / "tfds", trees.TREES[case.tree](tmp_path / "files", 2)
    builder = type(builders.load_builder(case.dataset, str(tmp_path)))
    tiny = {
        "size": 16,
        "num_train": 2,
        "num_validation": 1,
        "num_processes": 1,
        "validation_aperture_samples": 4,
    }
    configs = {c.name: dataclasses.replace(c, **tiny) for c in builder.BUILDER_CONFIGS}
    monkeypatch.setattr(builder, "builder_configs", configs)
    return tmp_path / "tfds", None


def test_every_set_has_a_case():
    folders = pathlib.Path(testing.ROOT / "datasets").glob("*/*_dataset_builder.py")
    names = sorted(case.dataset.partition("/")[0] for case in CASES)
    assert names == sorted(path.parent.name for path in folders)


@by_dataset(TRAINABLE)
def test_a_named_set_becomes_arrays_batches_and_scored_pairs(case, places, tmp_path):
    folders = testing.load_tool("train").stored_splits(
        case.dataset, case.splits, tmp_path / "arrays", *places
    )
    for split, folder in zip(case.splits, folders):
        arrays = StoredArrays(folder)
        assert arrays.kinds == (*case.views, "sharp")
        examples = list(builders.load_examples(case.dataset, split, *places))
        assert len(arrays) == len(examples) > 0
        stored = {arrays.read_stored(i)["sharp"].tobytes() for i in range(len(arrays))}
        assert stored == {example["sharp"].tobytes() for example in examples}
    recipe = Recipe("test", "kpac_3level", crop_size=8, batch_size=3)
    batch = make_batch(StoredArrays(folders[0]), recipe, 0, case.views)
    assert batch.keys() == {*case.views, "sharp"}
    for image in batch.values():
        assert image.shape == (3, 8, 8, 3) and image.dtype == np.float32
        assert 0 <= image.min() < image.max() <= 1
    split, count = case.scored
    scored = list(read_dataset(case.dataset, split, *places))
    assert len({example.name for example in scored}) == count
    for example in scored:
        assert set(example.views) == set(case.views)
        assert all(v.shape == example.sharp.shape for v in example.views.values())


@by_dataset(REFUSED)
def test_a_set_without_sharp_images_is_refused_by_both(case, places, tmp_path):
    with pytest.raises(ValueError, match=f"{case.dataset} has no sharp images"):
        testing.load_tool("train").stored_splits(
            case.dataset, [case.scored[0]], tmp_path / "arrays", *places
        )
    with pytest.raises(ValueError, match=f"{case.dataset} cannot be scored"):
        list(read_dataset(case.dataset, case.scored[0], *places))
    assert not (tmp_path / "arrays").exists()


@by_dataset([case for case in CASES if case.dataset == "lfdof"])
def test_a_split_that_is_not_there_is_told_with_those_that_are(case, places, tmp_path):
    with pytest.raises(ValueError, match=r"splits \['test', 'train'\].*'validation'"):
        testing.load_tool("train").stored_splits(
            case.dataset, ["validation"], tmp_path / "arrays", *places
        )
