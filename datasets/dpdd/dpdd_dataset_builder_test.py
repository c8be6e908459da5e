"""DPDD: five layouts, the published lists, every trap, DPDNet's patches."""

import dataclasses
import pathlib
import tempfile

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests import dataset_builders
from tests import dataset_trees as trees
from tf_defocus.data.published_files import DatasetFilesError

_SCENES = 4


builder_module = dataset_builders.load_module("dpdd")
PUBLISHED = {
    split: trees.dpdd_pairs(split, _SCENES) for split in ("train", "val", "test")
}


def tiny(name, lists, **changes):
    """A config of few scenes and small patches."""
    configs = {config.name: config for config in builder_module.Builder.BUILDER_CONFIGS}
    changes = {"name": f"tiny_{name}", "lists": str(lists), **changes}
    return dataclasses.replace(configs[name], **changes)


class DpddTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"train": 2, "validation": 2, "test": 2}  # noqa: RUF012 (as the case has it)
    SKIP_TF1_GRAPH_MODE = True

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        root = pathlib.Path(cls.EXAMPLE_DIR)
        lists = trees.write_dpdd_lists(pathlib.Path(tempfile.mkdtemp()), 2)
        trees.dpdd_restormer(root, 2)
        cls.BUILDER_CONFIG_NAMES_TO_TEST = [tiny("full_16bit", lists)]
        super().setUpClass()


def find(root, patches=False):
    return builder_module.find_scenes(root, PUBLISHED, patches)


def names(scenes):
    return {
        scene["scene_id"]: [scene["paths"][r].name for r in ("left", "right", "sharp")]
        for scene in scenes
    }


def published_names(split, left="_L", right="_R"):
    return {
        source: [f"{source}{left}.png", f"{source}{right}.png", f"{target}.png"]
        for source, target in PUBLISHED[split]
    }


def test_published_lists_are_350_74_76_disjoint_scenes():
    pairs = {
        split: builder_module.read_pairs(trees.SPLIT_LISTS, split)
        for split in PUBLISHED
    }
    assert [len(pairs[split]) for split in pairs] == [350, 74, 76]
    every = [name for split in pairs.values() for pair in split for name in pair]
    assert len(set(every)) == len(every) == 1000
    offsets = [int(t[4:]) - int(s[4:]) for split in pairs.values() for s, t in split]
    counts = {offset: offsets.count(offset) for offset in set(offsets)}
    assert counts == {1: 321, -1: 177, 2: 2}


@pytest.mark.parametrize("layout", ["dpdd_official", "dpdd_ifan", "dpdd_restormer"])
@pytest.mark.parametrize("inside", [True, False])
def test_layouts_of_original_names_give_the_published_pairs(tmp_path, layout, inside):
    root = trees.TREES[layout](tmp_path, _SCENES)
    scenes = find(root if inside else tmp_path)
    assert list(scenes) == ["train", "val", "test"]
    for split in scenes:
        assert names(scenes[split]) == published_names(split)


def test_equal_names_of_a_test_set_alone_pair_by_name(tmp_path):
    trees.dpdd_k3dn(tmp_path, _SCENES)
    scenes = find(tmp_path)
    assert list(scenes) == ["test"]
    assert names(scenes["test"]) == {
        source: [f"{source}.png"] * 3 for source, _ in PUBLISHED["test"]
    }


def test_ready_made_patches_are_taken_as_they_are(tmp_path):
    trees.dpdd_patches(tmp_path, 3)
    scenes = find(tmp_path, patches=True)
    assert list(scenes) == ["train", "val"]
    assert names(scenes["train"])["00002"] == ["00002.png"] * 3
    assert all(scene["is_patch"] for scene in scenes["train"])
    with pytest.raises(DatasetFilesError, match="config patches_512"):
        find(tmp_path)


def test_renamed_files_pair_by_order_and_are_counted(tmp_path):
    root = trees.dpdd_official(tmp_path, _SCENES)
    for folder in root.glob("test_*/*"):
        for index, path in enumerate(sorted(folder.iterdir())):
            path.rename(folder / f"{folder.name}{index + 8}.png")
    received = names(find(root)["test"])
    assert received["source10"] == ["source10.png", "source10.png", "target10.png"]
    (root / "test_c" / "source" / "source10.png").unlink()
    with pytest.raises(DatasetFilesError, match=r"Expected 4 images in .*Received: 3"):
        find(root)


def test_labels_are_positions_from_one(tmp_path):
    root = trees.dpdd_restormer(tmp_path, _SCENES)
    labels = [scene["environment"] for scene in find(root)["test"]]
    assert labels == ["indoor", "outdoor", "indoor", "outdoor"]
    np.save(root / "test" / "indoor_labels.npy", np.array([0, 2]))
    with pytest.raises(DatasetFilesError, match="positions 1 to 4"):
        find(root)


@pytest.mark.parametrize("trap", ["macos", "upper_case", "tiff"])
def test_harmless_files_change_no_pair(tmp_path, trap):
    root = trees.dpdd_official(tmp_path, _SCENES)
    trees.TRAPS[trap](root)
    received = [scene["scene_id"] for scene in find(root)["test"]]
    assert received == [source for source, _ in PUBLISHED["test"]]


@pytest.mark.parametrize("trap", ["eight_bit", "truncated", "wrong_size"])
def test_broken_files_are_refused_by_name(tmp_path, trap):
    root = trees.dpdd_official(tmp_path, _SCENES)
    path = trees.TRAPS[trap](root)
    scene = next(s for s in find(root)["test"] if path in s["paths"].values())
    with pytest.raises(DatasetFilesError, match=path.name):
        builder_module.read_scene(scene["paths"], 16)


@pytest.mark.parametrize("trap", ["missing", "misnamed"])
@pytest.mark.parametrize("folder", ["test_c/source", "test_l/source", "test_c/target"])
def test_missing_and_misnamed_files_are_refused_by_name(tmp_path, trap, folder):
    root = trees.dpdd_official(tmp_path, _SCENES)
    stem = sorted(path.stem for path in (root / folder).iterdir())[2]
    trees.TRAPS[trap](root / folder)
    with pytest.raises(DatasetFilesError, match=stem):
        find(root)


def test_portrait_and_tiff_are_read_bit_for_bit(tmp_path):
    root = trees.dpdd_official(tmp_path, _SCENES)
    trees.trap_portrait(root)
    scene = find(root)["test"][2]
    path = scene["paths"]["blurred"]
    expected = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
    pixels, stored = builder_module.read_scene(scene["paths"], 16)
    assert expected.shape == (18, 12, 3)
    np.testing.assert_array_equal(pixels["blurred"], expected)
    assert stored["blurred"] == path.read_bytes()
    trees.trap_tiff(path.parent)
    pixels, stored = builder_module.read_scene(find(root)["test"][2]["paths"], 16)
    np.testing.assert_array_equal(stored["blurred"], expected)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "Received: none"),
        ("dd.zip", "archive; unzip"),
        (".", r"parent of it; pass .*dd_dp_dataset_canon\."),
        ("far/dd_dp_dataset_canon/train_c", r"inside .*; pass .*canon\."),
        ("far/dd_dp_dataset_canon/train_c/source", r"inside .*; pass .*canon\."),
        ("empty", r"folder of \['readme'\]"),
    ],
)
def test_wrong_folders_are_told_apart(tmp_path, place, message):
    trees.dpdd_official(tmp_path / "far", 1)
    (tmp_path / "dd.zip").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme").touch()
    with pytest.raises(DatasetFilesError, match=message):
        find(tmp_path / place)


def test_missing_split_is_named(tmp_path):
    root = trees.dpdd_official(tmp_path, _SCENES)
    (root / "val_c").rename(root / "other")
    with pytest.raises(DatasetFilesError, match=r"\['test', 'train'\]; val is missing"):
        find(root)


def test_zip_as_manual_dir_is_refused(tmp_path):
    (tmp_path / "dd.zip").write_bytes(b"PK")
    builder = builder_module.Builder(config="full_16bit", data_dir=str(tmp_path))
    manual = tfds.download.DownloadConfig(manual_dir=str(tmp_path / "dd.zip"))
    with pytest.raises(DatasetFilesError, match="unzip"):
        builder.download_and_prepare(download_config=manual)


def build(tmp_path, name, data="data", runner=None, **changes):
    lists = trees.write_dpdd_lists(tmp_path / "lists", 1)
    config = tiny(name, lists, **changes)
    builder = builder_module.Builder(config=config, data_dir=str(tmp_path / data))
    manual = tfds.download.DownloadConfig(
        manual_dir=str(tmp_path / "photos"), beam_runner=runner
    )
    builder.download_and_prepare(download_config=manual)
    return builder


def test_sixteen_bits_are_exact_and_eight_are_shifted(tmp_path):
    root = trees.dpdd_official(tmp_path / "photos", 1)
    (source, target) = PUBLISHED["test"][0]
    deep = build(tmp_path, "full_16bit").as_dataset(split="test")
    flat = build(tmp_path, "full_8bit").as_dataset(split="test")
    (deep,), (flat,) = deep.as_numpy_iterator(), flat.as_numpy_iterator()
    for role, name in (
        ("blurred", f"test_c/source/{source}"),
        ("left", f"test_l/source/{source}_L"),
        ("right", f"test_r/source/{source}_R"),
        ("sharp", f"test_c/target/{target}"),
    ):
        image = cv2.imread(str(root / f"{name}.png"), -1)[..., ::-1]
        assert deep[role].dtype == np.uint16 and flat[role].dtype == np.uint8
        np.testing.assert_array_equal(deep[role], image)
        np.testing.assert_array_equal(flat[role], image >> 8)


def test_patches_are_cut_alike_from_all_images(tmp_path):
    root = trees.dpdd_official(tmp_path / "photos", 1)
    sizes = {"patch_size": 8, "train_stride": 3, "validation_stride": 7}
    builder = build(tmp_path, "patches_512_16bit", **sizes)
    (source, _) = PUBLISHED["train"][0]
    left = cv2.imread(str(root / f"train_l/source/{source}_L.png"), -1)[..., ::-1]
    items = list(builder.as_dataset(split="train").as_numpy_iterator())
    assert len(items) == 15 - 4  # 3 x 5 corners, the 30 % least sharp dropped
    for item in items:
        y, x = item["patch_yx"]
        np.testing.assert_array_equal(item["left"], left[y : y + 8, x : x + 8])
        assert item["scene_id"].decode() == f"{source}_{y}_{x}"
    assert builder.info.splits["validation"].num_examples == 2 * 3
    assert "test" not in builder.info.splits


def test_beam_cuts_the_same_patches_into_the_same_files(tmp_path):
    beam = pytest.importorskip("apache_beam", reason="needs Apache Beam: [beam]")
    trees.dpdd_official(tmp_path / "photos", 1)
    sizes = {"patch_size": 8, "train_stride": 3, "validation_stride": 7}
    plain = build(tmp_path, "patches_512_8bit", "a", **sizes)
    runner = beam.runners.DirectRunner()
    beamed = build(tmp_path, "patches_512_8bit", "b", runner, **sizes)
    files = [
        {path.name: path.read_bytes() for path in folder.glob("*.tfrecord-*")}
        for folder in (plain.data_path, beamed.data_path)
    ]
    assert len(files[0]) == 2
    assert files[0] == files[1]
