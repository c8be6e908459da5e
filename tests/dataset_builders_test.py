"""Every builder: traps, wrong folders, a full disk."""

import errno

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.beam_builds import OnBeam
from tf_defocus.data.published_files import DatasetFilesError

TREES = {
    "dpdd": "dpdd_official",
    "dpdd_pixel": "dpdd_pixel",
    "realdof": "realdof",
    "cuhk_bd": "cuhk_bd",
    "syndof": "syndof",
    "lfdof": "lfdof",
    "rtf": "rtf",
    "ddd_syn": "ddd_syn",
    "rdpd": "rdpd",
    "dpd_disp": "dpd_disp",
    "dp_folder": "dp_folder",
}
# more than a thousand files, or as many as the user has
ON_BEAM = ("dpdd", "cuhk_bd", "syndof", "lfdof", "ddd_syn", "rdpd", "dp_folder")
FN_API = "FnApiRunner"  # not DirectRunner, which first tries to fetch a program
DEEP = ("dpdd", "dpdd_pixel")  # of 16 bits, and only that
every_set = pytest.mark.parametrize("name", TREES)


def make_tree(name, folder, scenes=3):
    return trees.TREES[TREES[name]](folder, scenes)


def config(name, folder, scenes=3):
    """None, or DPDD's with pair lists as short as the tree."""
    if name != "dpdd":
        return None
    module = dataset_builders.load_module(name)
    lists = trees.write_dpdd_lists(folder / "lists", scenes)
    return module.DpddConfig(name="short", lists=str(lists))


def examples(name, manual_dir, folder):
    """All examples with pixels decoded, split by split in their order."""
    splits = dataset_builders.examples(name, manual_dir, config(name, folder))
    return [
        {role: decoded(value) for role, value in example.items()}
        for split in splits.values()
        for example in split.values()
    ]


def decoded(value):
    if not isinstance(value, bytes):
        return value
    image = cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_UNCHANGED)
    return image[..., ::-1]


def assert_same(received, expected, change=lambda pixels: pixels, names=True):
    assert len(received) == len(expected) > 0
    for one, other in zip(received, expected):
        assert one.keys() == other.keys()
        for role, value in other.items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(one[role], change(value), err_msg=role)
            elif names:
                assert one[role] == value


@pytest.mark.parametrize("trap", ["tiff", "upper_case", "macos"])
@every_set
def test_harmless_files_change_no_example(tmp_path, name, trap):
    root = make_tree(name, tmp_path / "data")
    expected = examples(name, root, tmp_path)
    trees.TRAPS[trap](root)
    assert_same(examples(name, root, tmp_path), expected)


@pytest.mark.parametrize("trap", ["truncated", "missing", "misnamed", "wrong_size"])
@every_set
def test_broken_files_are_refused_by_name(tmp_path, name, trap):
    root = make_tree(name, tmp_path / "data")
    spoiled = trees._some_image(root).stem
    trees.TRAPS[trap](root)
    with pytest.raises(DatasetFilesError, match=f"{spoiled}|1P0A9999"):
        examples(name, root, tmp_path)


@every_set
def test_eight_bits_are_refused_in_a_set_of_sixteen_alone(tmp_path, name):
    root = make_tree(name, tmp_path / "data")
    if name in DEEP:
        path = trees.trap_eight_bit(root)
        with pytest.raises(DatasetFilesError, match=rf"{path.stem}.* of 8 bits"):
            examples(name, root, tmp_path)
    elif name == "dp_folder":
        trees.trap_eight_bit(root)
        depths = [e["bit_depth"] for e in examples(name, root, tmp_path)]
        assert depths == [16, 16, 8]


# JPEG is not turned bit for bit; RTF's images are square but for the columns cut off
@pytest.mark.parametrize("name", sorted(TREES.keys() - {"cuhk_bd", "dpd_disp", "rtf"}))
def test_portrait_images_keep_their_pixels(tmp_path, name):
    root = make_tree(name, tmp_path / "data")
    expected = examples(name, root, tmp_path)
    trees.trap_portrait(root)
    turned = examples(name, root, tmp_path)
    assert_same(turned, expected, lambda pixels: pixels.swapaxes(0, 1))


@pytest.mark.parametrize("name", ["dpdd", "dpdd_pixel", "realdof", "rtf", "dp_folder"])
def test_names_that_say_nothing_pair_by_order(tmp_path, name):
    root = make_tree(name, tmp_path / "data")
    expected = examples(name, root, tmp_path)
    trees.trap_renamed(root)
    assert_same(examples(name, root, tmp_path), expected, names=False)


@every_set
def test_a_parent_is_told_from_a_child_of_the_folder(tmp_path, name):
    root = make_tree(name, tmp_path / "far" / "away")
    with pytest.raises(DatasetFilesError, match=rf"parent of it; pass {root}\."):
        dataset_builders.examples(name, tmp_path, config(name, tmp_path))
    folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
    if folders:  # dpd_disp has none
        with pytest.raises(DatasetFilesError, match=rf"inside .*; pass {root}\."):
            dataset_builders.examples(name, folders[0], config(name, tmp_path))


@every_set
def test_missing_folders_archives_and_foreign_folders_are_named(tmp_path, name):
    archive, empty = tmp_path / "set.zip", tmp_path / "empty"
    archive.write_bytes(b"PK")
    empty.mkdir()
    (empty / "set.zip").write_bytes(b"PK")
    for folder, message in (
        (tmp_path / "nowhere", "nowhere"),
        (archive, r"set\.zip.*unzip"),
        (empty, r"archive; unzip .*set\.zip"),
    ):
        with pytest.raises((DatasetFilesError, AssertionError), match=message):
            dataset_builders.build(
                name, tmp_path / "data", folder, config(name, tmp_path)
            )
    (empty / "set.zip").rename(empty / "readme.txt")
    with pytest.raises(DatasetFilesError, match=r"\['readme\.txt'\]"):
        dataset_builders.examples(name, empty, config(name, tmp_path))


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("dpdd", "val_c", r"splits .*val is missing"),
        ("dpdd_pixel", "test_l", r"test_l"),
        ("realdof", "target", r"target"),
        ("cuhk_bd", "gt", r"gt"),
        ("syndof", "blur_map", r"blur_map"),
        ("lfdof", "test_data", r"test_data"),
        ("rtf", "target", r"target"),
        ("ddd_syn", "testing/disp", r"testing.disp"),
        ("rdpd", "val_c", r"val_c"),
        ("dp_folder", "left", r"left beside right"),
    ],
)
def test_missing_splits_and_kinds_are_named(tmp_path, name, split, message):
    root = make_tree(name, tmp_path / "data")
    (root / split).rename(tmp_path / "aside")
    with pytest.raises(DatasetFilesError, match=message):
        dataset_builders.examples(name, root, config(name, tmp_path))


@every_set
def test_a_full_disk_leaves_nothing_that_looks_finished(tmp_path, name, monkeypatch):
    root = make_tree(name, tmp_path / "files", 1)
    data, short = tmp_path / "data", config(name, tmp_path, 1)

    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(
            tfds.core.file_adapters.TfRecordFileAdapter, "write_examples", fill
        )
        with pytest.raises(OSError, match="No space left"):
            dataset_builders.build(name, data, root, short)
    assert not list(data.rglob("dataset_info.json")) and not list(data.rglob("[0-9].*"))
    builder = dataset_builders.build(name, data, root, short)
    counts = [split.num_examples for split in builder.info.splits.values()]
    assert counts and min(counts) >= 1


@pytest.mark.parametrize("name", ON_BEAM)
def test_beam_builds_the_same_files(tmp_path, name):
    beam = pytest.importorskip("apache_beam", reason="needs Apache Beam: [beam]")
    root, short = make_tree(name, tmp_path / "files"), config(name, tmp_path)
    assert dataset_builders.load_module(name).Builder.__mro__[1] is OnBeam
    files = []
    for folder, runner in (("a", None), ("b", beam.runners.create_runner(FN_API))):
        built = dataset_builders.build(name, tmp_path / folder, root, short, runner)
        shards = sorted(built.data_path.glob("*.tfrecord-*"))
        files.append({path.name: path.read_bytes() for path in shards})
        assert sum(s.num_examples for s in built.info.splits.values()) >= 3
    assert files[0] and files[0] == files[1]


def test_sets_of_more_than_a_thousand_files_are_built_on_beam():
    """Those that are fetched; the counts are the authors'."""
    small = {"dpdd_pixel": 39, "realdof": 100, "rtf": 66, "dpd_disp": 400}
    assert set(ON_BEAM) == TREES.keys() - small.keys()
