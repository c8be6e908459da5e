"""Folders of both layouts, every bit depth, and what is missing."""

import pathlib
import tempfile

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests import dataset_builders
from tf_defocus.data.published_files import DatasetFilesError

builder_module = dataset_builders.load_module("dp_folder")


def write(path, seed, dtype=np.uint16, shape=(6, 8, 3)):
    """A random image file; returns its RGB array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    high = np.iinfo(dtype).max + 1
    image = np.random.default_rng(seed).integers(0, high, shape).astype(dtype)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return image


class DpFolderTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"test": 3}  # noqa: RUF012 (the case's own spelling)

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        root = pathlib.Path(cls.EXAMPLE_DIR)
        for seed, scene in enumerate(("full", "no_target", "single")):
            write(root / scene / "combined.png", seed)
        for scene in ("full", "no_target"):
            write(root / scene / "left.png", 10)
            write(root / scene / "right.png", 11)
        write(root / "full" / "target.png", 12, np.uint8)
        super().setUpClass()


def read(root):
    scenes = builder_module.find_scenes(root)
    return {name: builder_module.read_scene(name, p) for name, p in scenes.items()}


def build(tmp_path, manual_dir):
    builder = builder_module.Builder(data_dir=str(tmp_path / "data"))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(manual_dir))
    )
    items = builder.as_dataset(split="test").as_numpy_iterator()
    return {item["scene_id"].decode(): item for item in items}


def test_name_is_the_folder_s_when_loaded_by_path():
    assert builder_module.Builder.name == "dp_folder"


def test_sixteen_and_eight_bits_come_back_exactly(tmp_path):
    root = tmp_path / "photos"
    deep = {
        name: write(root / "deep" / f"{name}.png", seed)
        for seed, name in enumerate(("combined", "left", "right", "target"))
    }
    flat = write(root / "flat" / "combined.png", 9, np.uint8)
    stored = build(tmp_path, root)
    for name, feature in (
        ("combined", "blurred"),
        ("left", "left"),
        ("right", "right"),
        ("target", "sharp"),
    ):
        np.testing.assert_array_equal(stored["deep"][feature], deep[name])
    assert stored["deep"]["bit_depth"] == 16
    assert stored["deep"]["has_views"] and stored["deep"]["has_sharp"]
    np.testing.assert_array_equal(stored["flat"]["blurred"], flat * np.uint16(257))
    assert stored["flat"]["bit_depth"] == 8


def test_what_is_absent_is_one_black_pixel_and_a_false_flag(tmp_path):
    write(tmp_path / "photos" / "a" / "combined.png", 0)
    (scene,) = build(tmp_path, tmp_path / "photos").values()
    for name in ("left", "right", "sharp"):
        np.testing.assert_array_equal(scene[name], np.zeros((1, 1, 3), np.uint16))
    assert not scene["has_views"] and not scene["has_sharp"]


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".png"])
def test_tiff_and_capital_extensions_are_read(tmp_path, suffix):
    image = write(tmp_path / "a" / f"combined{suffix}", 0)
    example = read(tmp_path)["a"]["blurred"]
    if isinstance(example, bytes):
        example = cv2.imdecode(np.frombuffer(example, np.uint8), -1)[..., ::-1]
    np.testing.assert_array_equal(example, image)


def test_grey_images_become_three_equal_channels(tmp_path):
    image = write(tmp_path / "a" / "combined.png", 0, np.uint16, (6, 8))
    received = read(tmp_path)["a"]["blurred"]
    np.testing.assert_array_equal(received, np.repeat(image[..., None], 3, axis=-1))


def test_flat_layout_pairs_by_name(tmp_path):
    left = {n: write(tmp_path / "left" / f"{n}.png", i) for i, n in enumerate("ba")}
    for folder in ("combined", "right"):
        for name in "ab":
            write(tmp_path / folder / f"{name}.tif", 7)
    scenes = builder_module.find_scenes(tmp_path)
    assert {name: paths["left"].name for name, paths in scenes.items()} == {
        "a": "a.png",
        "b": "b.png",
    }
    assert len(left) == 2 and all("sharp" not in paths for paths in scenes.values())


def test_flat_layout_pairs_by_order_where_names_differ(tmp_path):
    for name in ("1P0A0890", "1P0A0892"):
        write(tmp_path / "combined" / f"{name}.png", 0)
    for name in ("1P0A0891", "1P0A0894"):
        write(tmp_path / "target" / f"{name}.png", 0)
    scenes = builder_module.find_scenes(tmp_path)
    assert {name: paths["sharp"].stem for name, paths in scenes.items()} == {
        "1P0A0890": "1P0A0891",
        "1P0A0892": "1P0A0894",
    }


def test_unequal_counts_are_refused(tmp_path):
    for name in "ab":
        write(tmp_path / "combined" / f"{name}.png", 0)
    write(tmp_path / "target" / "a.png", 0)
    with pytest.raises(DatasetFilesError, match=r"Expected b in .*target beside"):
        read(tmp_path)
    (tmp_path / "target" / "a.png").rename(tmp_path / "target" / "c.png")
    with pytest.raises(DatasetFilesError, match=r"target .*\(2\).*Received: 1"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"combined/<name>\.png"),
        (["a/left.png", "a/right.png"], r"combined\.png in .*a\."),
        (["a/combined.png", "a/left.png"], r"Expected right beside left in .*a\."),
        (["a/combined.png", "a/combined.tif"], r"combined\.png and .*combined\.tif"),
    ],
)
def test_incomplete_folders_are_named(tmp_path, files, message):
    for name in files:
        write(tmp_path / name, 0)
    with pytest.raises(DatasetFilesError, match=message):
        read(tmp_path)


def test_sizes_that_differ_are_named(tmp_path):
    write(tmp_path / "a" / "combined.png", 0)
    write(tmp_path / "a" / "target.png", 0, shape=(6, 9, 3))
    with pytest.raises(DatasetFilesError, match=r"\(6, 8\).*target\.png of \(6, 9\)"):
        read(tmp_path)


def test_broken_and_transparent_files_are_named(tmp_path):
    write(tmp_path / "a" / "combined.png", 0, np.uint8, (6, 8, 4))
    with pytest.raises(DatasetFilesError, match=r"transparency.*combined\.png"):
        read(tmp_path)
    (tmp_path / "a" / "combined.png").write_bytes(b"nothing")
    with pytest.raises(DatasetFilesError, match=r"combined\.png: .*no image file"):
        read(tmp_path)


def test_a_deep_file_cut_off_is_named_although_it_is_stored_as_it_stands(tmp_path):
    write(tmp_path / "a" / "combined.png", 0)
    path = tmp_path / "a" / "combined.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetFilesError, match=r"combined\.png.*cut off"):
        read(tmp_path)


def test_the_desktop_s_files_are_passed_over(tmp_path):
    write(tmp_path / "combined" / "a.png", 0)
    (tmp_path / "combined" / "._a.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "__MACOSX" / "a").mkdir(parents=True)
    assert list(builder_module.find_scenes(tmp_path)) == ["a"]


def test_views_of_the_flat_layout_may_have_suffixes(tmp_path):
    for folder, suffix in (("combined", ""), ("left", "_L"), ("right", "_R")):
        for name in "ab":
            write(tmp_path / folder / f"{name}{suffix}.png", 0)
    scenes = builder_module.find_scenes(tmp_path)
    assert [paths["right"].stem for paths in scenes.values()] == ["a_R", "b_R"]
