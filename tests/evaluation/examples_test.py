"""Tests of `tf_defocus.evaluation.examples`."""

import numpy as np
import pytest

from tests.data.batches_test import store
from tf_defocus.evaluation import examples
from tf_defocus.evaluation.examples import (
    Example,
    add_noise,
    read_arrays,
    read_dataset,
    read_folder,
)
from tf_defocus.images.files import Image, write_image


@pytest.fixture
def scenes(tmp_path, rng):
    """Two scenes, each in a folder of its own; returns (folder, pixels)."""
    pixels = {}
    for scene in ("b", "a"):
        (tmp_path / scene).mkdir()
        for kind in ("combined", "left", "right", "target", "dpdnet"):
            pixels[scene, kind] = rng.integers(0, 65536, (4, 5, 3)).astype("uint16")
            image = Image(pixels[scene, kind])
            write_image(tmp_path / scene / f"{kind}.png", image)
    return tmp_path, pixels


def assert_examples_hold(examples, pixels):
    assert [example.name for example in examples] == ["a", "b"]
    for example in examples:
        assert set(example.views) == {"blurred", "left", "right"}
        for kind, view in (("combined", "blurred"), ("left", "left")):
            np.testing.assert_array_equal(
                example.views[view], pixels[example.name, kind]
            )
        np.testing.assert_array_equal(example.sharp, pixels[example.name, "target"])


def test_scene_folders_are_read_in_order(scenes):
    folder, pixels = scenes
    examples = list(read_folder(folder, ["dpdnet"]))
    assert_examples_hold(examples, pixels)
    np.testing.assert_array_equal(examples[0].others["dpdnet"], pixels["a", "dpdnet"])


def test_folders_by_kind_are_read_alike(scenes, tmp_path):
    _, pixels = scenes
    flat = tmp_path / "flat"
    for (scene, kind), values in pixels.items():
        (flat / kind).mkdir(parents=True, exist_ok=True)
        write_image(flat / kind / f"{scene}.tif", Image(values))
    assert_examples_hold(list(read_folder(flat)), pixels)


def test_names_that_the_command_knows_are_read_alike(scenes):
    folder, pixels = scenes
    names = {"combined": "Centre", "left": "L", "right": "r", "target": "Sharp"}
    for scene in "ab":
        for old, new in names.items():
            path = folder / scene / f"{old}.png"
            path.rename(path.with_name(f"{new}.PNG"))
    examples = list(read_folder(folder, ["dpdnet"]))
    assert_examples_hold(examples, pixels)


def test_suffixes_of_views_are_read_alike(scenes, tmp_path):
    _, pixels = scenes
    flat = tmp_path / "flat"
    suffixes = {"combined": "_B", "left": "_L", "right": "_R", "target": ""}
    for (scene, kind), values in pixels.items():
        if kind in suffixes:
            (flat / kind).mkdir(parents=True, exist_ok=True)
            name = f"{scene}{suffixes[kind]}.png"
            write_image(flat / kind / name, Image(values))
    assert_examples_hold(list(read_folder(flat)), pixels)


def test_a_view_no_scene_has_is_left_out(scenes):
    folder, _ = scenes
    for scene in "ab":
        (folder / scene / "left.png").unlink()
    assert set(next(read_folder(folder)).views) == {"blurred", "right"}


def test_a_view_one_scene_lacks_is_an_error(scenes):
    folder, _ = scenes
    (folder / "b" / "left.png").unlink()
    with pytest.raises(FileNotFoundError, match="'b' lacks left"):
        read_folder(folder)


def test_a_scene_without_a_sharp_image_is_an_error(scenes):
    """It is never left out of the average."""
    folder, _ = scenes
    (folder / "other").mkdir()  # no scene: it holds nothing
    assert len(list(read_folder(folder))) == 2
    (folder / "b" / "target.png").unlink()
    with pytest.raises(FileNotFoundError, match="'b' lacks target"):
        read_folder(folder)


def test_a_missing_published_picture_is_an_error(scenes):
    with pytest.raises(FileNotFoundError, match="lacks ifan"):
        read_folder(scenes[0], ["ifan"])


def test_two_extensions_of_one_picture_are_an_error(scenes):
    folder, pixels = scenes
    image = Image(pixels["a", "left"])
    write_image(folder / "a" / "left.tif", image)
    with pytest.raises(ValueError, match="there twice"):
        read_folder(folder)


def test_a_folder_without_pairs_says_what_it_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected <scene>/target\.png"):
        read_folder(tmp_path)


def features(rng, **changes):
    kinds = ("left", "right", "blurred", "sharp")
    images = rng.integers(0, 256, (4, 4, 5, 3)).astype("uint8")
    return {**dict(zip(kinds, images)), "coc": np.ones((4, 5, 1), "float32"), **changes}


def test_dataset_features_become_examples(monkeypatch, rng):
    example = features(rng, scene_id=b"garden")
    calls = []

    def load_examples(*arguments):
        calls.append(arguments)
        yield example

    monkeypatch.setattr(examples, "load_examples", load_examples)
    (found,) = read_dataset("synthetic_dp/photos", "validation", "data", "manual")
    assert calls == [("synthetic_dp/photos", "validation", "data", "manual")]
    assert found.name == "0000_garden"
    np.testing.assert_array_equal(found.views["blurred"], example["blurred"])
    np.testing.assert_array_equal(found.views["right"], example["right"])
    np.testing.assert_array_equal(found.sharp, example["sharp"])
    np.testing.assert_array_equal(found.coc, example["coc"])


def test_a_dataset_without_sharp_images_is_refused(monkeypatch, rng):
    example = features(rng)
    del example["sharp"]
    monkeypatch.setattr(examples, "load_examples", lambda *_: iter([example]))
    with pytest.raises(ValueError, match="cannot be scored"):
        list(read_dataset("dpdd_pixel", "test"))


def test_arrays_are_read_as_stored_with_their_mean_defocus(tmp_path):
    images = store(tmp_path / "arrays")
    examples = list(read_arrays(tmp_path / "arrays"))
    assert [e.name for e in examples] == ["0000", "0001", "0002", "0003", "0004"]
    for index, example in enumerate(examples):
        for view in ("blurred", "left", "right"):
            np.testing.assert_array_equal(example.views[view], images[view][index])
        np.testing.assert_array_equal(example.sharp, images["sharp"][index])
        assert float(np.mean(example.coc)) == index  # 0, 1, 2, 3, 4 px were stored


@pytest.mark.parametrize("dtype, full", [("uint8", 255), ("uint16", 65535)])
def test_noise_has_its_sigma_at_any_depth_and_is_the_same_every_time(dtype, full):
    grey = np.full((64, 64, 3), full // 2, dtype)
    example = Example("a", {"left": grey, "right": grey}, grey)
    (noisy,), (again,) = (list(add_noise([example], 3.0)) for _ in range(2))
    differences = {k: view / full - grey / full for k, view in noisy.views.items()}
    for kind, difference in differences.items():
        assert noisy.views[kind].dtype == dtype
        assert difference.std() * 255 == pytest.approx(3.0, rel=0.03)
        assert abs(difference.mean()) * 255 < 0.1
        np.testing.assert_array_equal(noisy.views[kind], again.views[kind])
    correlation = np.mean(differences["left"] * differences["right"])
    assert abs(correlation) * 255**2 < 0.5  # of 9: each view has noise of its own
    np.testing.assert_array_equal(noisy.sharp, grey)
    (other_seed,) = add_noise([example], 3.0, seed=1)
    assert np.any(other_seed.views["left"] != noisy.views["left"])


def test_noise_is_clipped_at_black_and_white():
    image = np.zeros((8, 8, 3), "uint8")
    image[:4] = 255
    (noisy,) = add_noise([("a", {"blurred": image}, image)], 20.0)
    view = noisy.views["blurred"].astype(int)
    assert view[:4].min() > 128 > view[4:].max()


def test_negative_noise_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        list(add_noise([], -1.0))
