"""Folders of scenes: every name that is read, and what belongs together."""

import pathlib

import pytest

from tf_defocus.images import scene_folders

PATHS = [pathlib.Path(name) for name in ("a.png", "b.png")]


@pytest.mark.parametrize(
    "role, names",
    [
        ("blurred", ("combined", "BLURRED", "centre", "Center")),
        ("left", ("left", "L")),
        ("right", ("Right", "r")),
        ("sharp", ("target", "Sharp")),
        (None, ("dpdnet", "leftover", "")),
    ],
)
def test_names_are_read_in_any_case(role, names):
    assert [scene_folders.role_of(name) for name in names] == [role] * len(names)


def test_equal_names_belong_together_whatever_they_end_in():
    files = {role: [pathlib.Path(role, "wall_l.png")] for role in ("blurred", "left")}
    assert list(scene_folders.match(files)) == ["wall_l"]


def test_suffixes_are_left_out_where_no_name_is_equal():
    files = {
        "blurred": [pathlib.Path("1_B.png"), pathlib.Path("2_B.png")],
        "left": [pathlib.Path("1_L.tif"), pathlib.Path("2_l.tif")],
        "right": [pathlib.Path("1_R.tif")],
        "sharp": [pathlib.Path("1.png"), pathlib.Path("2.png")],
    }
    scenes = scene_folders.match(files)
    assert {name: list(paths) for name, paths in scenes.items()} == {
        "1": ["blurred", "left", "right", "sharp"],
        "2": ["blurred", "left", "sharp"],
    }


def test_two_files_of_one_kind_are_refused(tmp_path):
    twice = [pathlib.Path("a.png"), pathlib.Path("a.tif")]
    with pytest.raises(ValueError, match=r"a\.png is there twice: a\.tif"):
        scene_folders.match({"blurred": twice})
    for name in ("combined", "Blurred"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="Expected one blurred image"):
        scene_folders.folders_by_role(tmp_path)
