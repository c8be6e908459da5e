"""From a folder of scenes through TFDS to decoded arrays, bit for bit."""

import cv2
import numpy as np
import pytest

from tf_defocus.data import builders
from tf_defocus.data.arrays import StoredArrays, store_arrays


def write_scenes(folder, sizes, rng):
    """16-bit scenes; returns what was written: scene -> kind -> RGB uint16."""
    written = {}
    for index, size in enumerate(sizes):
        scene = folder / f"scene_{index}"
        scene.mkdir(parents=True)
        images = {}
        for kind in ("combined", "left", "right", "target"):
            images[kind] = rng.integers(0, 65536, (*size, 3), dtype=np.uint16)
            cv2.imwrite(str(scene / f"{kind}.png"), images[kind][..., ::-1])
        written[scene.name] = images
    return written


def test_unknown_datasets_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="synthetic_dp"):
        builders.load_builder("no_such_set")


def test_stored_arrays_are_the_files_bit_for_bit(tmp_path, rng):
    written = write_scenes(tmp_path / "photos", [(16, 24)] * 2, rng)
    folder = store_arrays(
        "dp_folder", "test", tmp_path / "arrays", tmp_path / "tfds", tmp_path / "photos"
    )
    arrays = StoredArrays(folder)
    assert len(arrays) == 2
    matched = set()
    for index in range(2):
        stored = arrays.read_stored(index)
        scene, images = next(  # TFDS keeps no order
            item
            for item in written.items()
            if (item[1]["target"] == stored["sharp"]).all()
        )
        matched.add(scene)
        for kind, name in (("combined", "blurred"), ("left", "left")):
            np.testing.assert_array_equal(stored[name], images[kind])
    assert matched == set(written)
    again = store_arrays("dp_folder", "test", folder)
    assert again == folder  # finished arrays are left as they are
    with pytest.raises(ValueError, match="holds"):
        store_arrays("synthetic_dp/procedural", "train", folder)


def test_examples_of_several_sizes_are_not_stored(tmp_path, rng):
    write_scenes(tmp_path / "photos", [(16, 24), (8, 8)], rng)
    with pytest.raises(ValueError, match="one size"):
        store_arrays(
            "dp_folder",
            "test",
            tmp_path / "arrays",
            tmp_path / "tfds",
            tmp_path / "photos",
        )
    assert not (tmp_path / "arrays").exists()


def store(tmp_path):
    places = tmp_path / "arrays", tmp_path / "tfds", tmp_path / "photos"
    return StoredArrays(store_arrays("dp_folder", "test", *places))


def test_what_an_earlier_version_prepared_is_named(tmp_path, rng, caplog):
    written = write_scenes(tmp_path / "photos", [(16, 24)], rng)
    older = tmp_path / "tfds" / "dp_folder" / "1.0.0"
    older.mkdir(parents=True)
    (older / "dataset_info.json").write_text("{}")
    with caplog.at_level("WARNING", logger="absl"):
        arrays = store(tmp_path)
    stored = arrays.read_stored(0)["blurred"]
    np.testing.assert_array_equal(stored, written["scene_0"]["combined"])
    (line,) = (m for m in caplog.messages if "earlier version" in m)
    assert str(older) in line and "2.0.0" in line and "called `blurred`" in line


def test_black_pixels_that_stand_for_views_are_not_stored(tmp_path, rng):
    written = write_scenes(tmp_path / "photos", [(16, 24)], rng)
    for kind in ("left", "right"):
        (tmp_path / "photos" / "scene_0" / f"{kind}.png").unlink()
    arrays = store(tmp_path)
    assert arrays.kinds == ("blurred", "sharp")
    stored = arrays.read_stored(0)["blurred"]
    np.testing.assert_array_equal(stored, written["scene_0"]["combined"])


def test_scenes_without_what_others_have_are_named(tmp_path, rng):
    write_scenes(tmp_path / "photos", [(16, 24)] * 2, rng)
    (tmp_path / "photos" / "scene_1" / "target.png").unlink()
    with pytest.raises(ValueError, match=r"must have a sharp image.*scene_1"):
        store(tmp_path)
