"""Presets load what was saved and refuse what is damaged."""

import hashlib
import json
import pickle

import keras
import numpy as np
import pytest

from tf_defocus.models import create_model, presets
from tf_defocus.models.presets import PresetError, load_preset, save_preset
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.restoration.scale_choice import load_weights

SMALL = {"base_filters": 6}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one small preset, which is the folder of the shipped presets."""
    folder = tmp_path / "checkpoints"
    save_preset(create_model("kpac_2level", **SMALL), folder, "small", SMALL)
    monkeypatch.setenv("TF_DEFOCUS_CHECKPOINTS", str(folder))
    return folder


def rewrite(folder, arrays):
    """Replaces the weights and makes the sha256 agree."""
    np.savez(folder / "small.npz", **arrays)
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256((folder / "small.npz").read_bytes()).hexdigest()
    manifest["presets"]["small"]["sha256"] = digest
    (folder / "manifest.json").write_text(json.dumps(manifest))


def read(folder):
    with np.load(folder / "small.npz") as file:
        return dict(file)


def test_saved_weights_come_back_to_half_precision(tmp_path):
    model = create_model("kpac_2level", **SMALL)
    entry = save_preset(model, tmp_path, "mine", SMALL, scores={"psnr": 25.0})
    assert entry["scores"] == {"psnr": 25.0}
    for given, found in zip(model.get_weights(), load_preset(tmp_path).get_weights()):
        np.testing.assert_array_equal(found, given.astype("float16"))


def test_full_precision_is_exact_and_weights_are_really_loaded(tmp_path):
    model = create_model("kpac_2level", **SMALL)
    save_preset(model, tmp_path, "mine", SMALL, dtype="float32")
    keras.utils.set_random_seed(1)
    for given, found in zip(model.get_weights(), load_preset(tmp_path).get_weights()):
        np.testing.assert_array_equal(found, given)


def test_names_are_listed_and_loaded_by_name(folder):
    save_preset(create_model("kpac_3level", **SMALL), folder, "another", SMALL)
    assert list(presets.list_presets()) == ["another", "small"]
    assert load_preset("another").levels == 3
    assert Restorer.from_preset("small").view_names == ("blurred",)


def test_folder_with_two_presets_asks_for_a_name(folder):
    save_preset(create_model("kpac_3level", **SMALL), folder, "another", SMALL)
    with pytest.raises(PresetError, match=r"another, small.*give a name"):
        load_preset(folder)


def test_training_run_is_a_preset(tmp_path):
    model = create_model("kpac_2level", **SMALL)
    config = {"model": "kpac_2level", "overrides": SMALL}
    (tmp_path / "config.json").write_text(json.dumps(config))
    presets.weights.save_weights(model, tmp_path / "weights.npz")
    for given, found in zip(model.get_weights(), load_preset(tmp_path).get_weights()):
        np.testing.assert_array_equal(found, given)
    assert load_preset(tmp_path).scale_choice is None
    np.savez(tmp_path / "scales.npz", **load_weights())
    assert load_preset(tmp_path).scale_choice == tmp_path / "scales.npz"


def test_a_choice_of_sizes_beside_the_weights_is_taken(folder, rng):
    image = rng.random((32, 32, 3), dtype=np.float32)
    options = {"scales": (1, 2)}
    assert (Restorer.from_preset("small", **options).restore(image) != image).any()
    nothing = {name: 0 * array for name, array in load_weights().items()}
    nothing["deviation"] += 1
    nothing["bias_2"][0] = 100  # leave it, and no blur is wide
    np.savez(folder / "small_scales.npz", **nothing)
    assert load_preset("small").scale_choice == folder / "small_scales.npz"
    restored = Restorer.from_preset("small", **options).restore(image)
    np.testing.assert_array_equal(restored, image)


def test_a_choice_of_sizes_that_does_not_fit_is_refused(folder):
    np.savez(folder / "small_scales.npz", mean=np.zeros(3))
    with pytest.raises(ValueError, match=r"small_scales\.npz does not fit: expected"):
        Restorer.from_preset("small")


def test_unknown_name_lists_what_there_is(folder):
    with pytest.raises(PresetError, match=r"nowhere is neither a preset \(small\)"):
        load_preset("nowhere")


def test_one_changed_byte_is_refused(folder):
    data = bytearray((folder / "small.npz").read_bytes())
    data[-1] ^= 1
    (folder / "small.npz").write_bytes(data)
    with pytest.raises(PresetError, match=r"small\.npz is damaged: expected sha256"):
        load_preset("small")


@pytest.mark.parametrize("change", ["missing", "unused", "misshapen"])
def test_arrays_that_do_not_fit_are_refused_by_name(folder, change):
    arrays = read(folder)
    name = "conv8/kernel"
    if change == "missing":
        del arrays[name]
    elif change == "unused":
        arrays[name := "conv9/kernel"] = np.zeros(3)
    else:
        arrays[name] = arrays[name][:-1]
    rewrite(folder, arrays)
    with pytest.raises(PresetError, match=rf"small\.npz.*{name}"):
        load_preset("small")


def test_pickled_arrays_are_never_unpickled(folder):
    arrays = read(folder)
    arrays["conv8/kernel"] = np.full((5, 5, 12, 3), pickle.dumps("boom"), dtype=object)
    rewrite(folder, arrays)
    with pytest.raises(PresetError, match="conv8/kernel holds no numbers"):
        load_preset("small")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"no archive"])
def test_weights_that_are_no_archive_are_refused(tmp_path, content):
    (tmp_path / "config.json").write_text('{"model": "kpac_2level"}')
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(PresetError, match=r"weights\.npz cannot be loaded"):
        load_preset(tmp_path)


def test_missing_file_and_broken_manifest_are_refused(folder):
    (folder / "small.npz").unlink()
    with pytest.raises(PresetError, match=r"small\.npz is missing"):
        load_preset("small")
    (folder / "manifest.json").write_text("{")
    with pytest.raises(PresetError, match=r"manifest\.json cannot be read"):
        load_preset("small")
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(PresetError, match="must hold a JSON object"):
        presets.list_presets()


def test_manifest_cannot_point_outside_its_folder(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["presets"]["small"]["file"] = "../secret.npz"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PresetError, match="is missing"):
        load_preset("small")


def test_wrong_folder_variable_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DEFOCUS_CHECKPOINTS", str(tmp_path))
    with pytest.raises(PresetError, match=r"holds no manifest\.json"):
        presets.list_presets()


def test_model_of_another_name_is_not_saved(tmp_path):
    model = keras.Sequential(name="mine")
    with pytest.raises(PresetError, match="mine is not one of"):
        save_preset(model, tmp_path, "mine")
