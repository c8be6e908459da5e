"""Pairing of names, refusals, and reading of what datasets hold."""

import pathlib

import cv2
import numpy as np
import pytest

from tests import dataset_trees as trees
from tf_defocus.data import published_files
from tf_defocus.data.published_files import DatasetFilesError


def paths(folder, *names):
    return [pathlib.Path(folder) / f"{name}.png" for name in names]


def stems(pairs):
    return [(one.stem, other.stem) for one, other in pairs]


def test_stems_pair_whatever_their_order_and_suffix():
    pairs = published_files.pair_by_stem(
        paths("c", "a", "b"), paths("l", "b_L", "a_L"), "_L"
    )
    assert stems(pairs) == [("a", "a_L"), ("b", "b_L")]


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [(("a", "b"), ("a",), r"Expected b in l"), (("a",), ("a", "b"), r"l.b\.png")],
)
def test_stems_without_counterpart_are_named(first, second, named):
    with pytest.raises(DatasetFilesError, match=named):
        published_files.pair_by_stem(paths("c", *first), paths("l", *second))


def test_order_pairs_different_names_but_not_misaligned_equal_ones():
    pairs = published_files.pair_by_order(paths("c", "1", "3"), paths("t", "2", "4"))
    assert stems(pairs) == [("1", "2"), ("3", "4")]
    with pytest.raises(DatasetFilesError, match=r"Expected 2 in t beside c.2"):
        published_files.pair_by_order(
            paths("c", "1", "2", "3"), paths("t", "1", "3", "4")
        )
    with pytest.raises(DatasetFilesError, match=r"in t .*c \(2\).*Received: 1"):
        published_files.pair_by_order(paths("c", "1", "2"), paths("t", "5"))


def test_views_pair_with_or_without_their_suffix_or_by_order():
    blurred = paths("c", "a", "b")
    for names in (("a_L", "b_L"), ("a", "b"), ("x", "y")):
        pairs = published_files.pair_view(blurred, paths("l", *names), "_L")
        assert stems(pairs) == list(zip("ab", names))
    with pytest.raises(DatasetFilesError, match="Expected b_L in l"):
        published_files.pair_view(blurred, paths("l", "a_L", "c_L"), "_L")


def test_scenes_share_one_target():
    images = paths("input", "IMG_1_ap2", "IMG_1_ap4", "IMG_2_ap2")
    pairs = published_files.group_by_scene(images, paths("gt", "IMG_1", "IMG_2"), "_ap")
    assert [other for _, other in stems(pairs)] == ["IMG_1", "IMG_1", "IMG_2"]
    with pytest.raises(DatasetFilesError, match="Expected IMG_2 in gt for"):
        published_files.group_by_scene(images, paths("gt", "IMG_1"), "_ap")
    with pytest.raises(DatasetFilesError, match=r"scene of gt.IMG_2"):
        published_files.group_by_scene(images[:2], paths("gt", "IMG_1", "IMG_2"), "_ap")


def test_images_are_listed_in_natural_order_without_the_desktop_s(tmp_path):
    for name in ("x10.png", "x2.PNG", "x1.Jpg", "._x1.png", ".DS_Store", "note.txt"):
        (tmp_path / name).touch()
    found = [path.name for path in published_files.list_images(tmp_path)]
    assert found == ["x1.Jpg", "x2.PNG", "x10.png"]


def test_two_extensions_of_one_name_are_refused():
    with pytest.raises(DatasetFilesError, match=r"a\.png and .*a\.tif"):
        published_files.by_stem([pathlib.Path("a.png"), pathlib.Path("a.tif")])


def test_depth_and_size_are_the_header_s(tmp_path):
    trees.write_image(tmp_path / "a.png", 0, np.uint16, (4, 6, 3))
    trees.write_image(tmp_path / "b.png", 0, np.uint8, (5, 7))
    assert published_files.read_png_header(tmp_path / "a.png") == (6, 4, 16, 2)
    assert published_files.read_png_header(tmp_path / "b.png") == (7, 5, 8, 0)
    (tmp_path / "c.png").write_bytes(b"GIF89a")
    with pytest.raises(DatasetFilesError, match=r"PNG file.*c\.png"):
        published_files.read_png_header(tmp_path / "c.png")


def test_files_are_stored_unchanged_or_shifted_or_refused(tmp_path):
    deep = trees.write_image(tmp_path / "deep.png", 1)
    flat = trees.write_image(tmp_path / "flat.png", 2, np.uint8)
    pixels, stored = published_files.read_rgb(tmp_path / "deep.png", np.uint16)
    np.testing.assert_array_equal(pixels, deep)
    assert stored == (tmp_path / "deep.png").read_bytes()
    pixels, stored = published_files.read_rgb(tmp_path / "deep.png", np.uint8)
    np.testing.assert_array_equal(stored, deep >> 8)
    pixels, stored = published_files.read_rgb(tmp_path / "flat.png", np.uint8)
    np.testing.assert_array_equal(pixels, flat)
    assert stored == (tmp_path / "flat.png").read_bytes()
    with pytest.raises(DatasetFilesError, match=r"16 bits.*flat\.png of 8 bits"):
        published_files.read_rgb(tmp_path / "flat.png", np.uint16)


def test_truncated_and_transparent_files_are_named(tmp_path):
    path = tmp_path / "a.png"
    trees.write_image(path, 0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetFilesError, match=r"a\.png.*cut off"):
        published_files.read_rgb(path, np.uint16)
    cv2.imwrite(str(path), np.zeros((4, 4, 4), np.uint16))
    with pytest.raises(DatasetFilesError, match=r"transparency.*a\.png"):
        published_files.read_rgb(path, np.uint16)


def test_masks_are_grey(tmp_path):
    mask = trees.write_image(tmp_path / "mask.png", 0, np.uint8, (4, 6))
    received = published_files.read_grey(tmp_path / "mask.png")
    np.testing.assert_array_equal(received, mask[..., None])
    trees.write_image(tmp_path / "mask.png", 0, np.uint8)
    with pytest.raises(DatasetFilesError, match=r"grey.*mask\.png"):
        published_files.read_grey(tmp_path / "mask.png")
