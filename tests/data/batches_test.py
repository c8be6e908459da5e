"""Batches are a pure function of seed and step; flips keep the physics."""

import json

import numpy as np
import pytest

from tests import testing
from tf_defocus.configs import Recipe
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch

RECIPE = Recipe(name="test", model="kpac_3level_dual", crop_size=16, batch_size=4)
KINDS = ("blurred", "left", "right")
GOLDEN_RECIPES = {
    "plain": RECIPE.replace(crop_size=5, batch_size=2),
    "all": RECIPE.replace(
        crop_size=5,
        batch_size=2,
        seed=3,
        flip_probability=0.5,
        color_permutation=True,
        gain_range=(0.8, 1.2),
        noise_range=(-0.01, 0.025),
    ),
}


def store(folder, count=5, size=24, dtype=np.uint16):
    """Random images; returns what was stored, per kind."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    top = np.iinfo(dtype).max
    kinds = (*KINDS, "sharp")
    images = {
        k: rng.integers(0, top + 1, (count, size, size, 3)).astype(dtype) for k in kinds
    }
    for kind, values in images.items():
        np.save(folder / f"{kind}.npy", values)
    np.save(folder / "coc.npy", np.linspace(0, 4, count, dtype=np.float32))
    (folder / "arrays.json").write_text(json.dumps({"dataset": "test"}))
    return images


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_reading_is_exact_and_scaled_by_the_full_range(tmp_path, dtype):
    images = store(tmp_path / "a", dtype=dtype)
    arrays = StoredArrays(tmp_path / "a")
    read = arrays.read(3, ("left", "sharp"), crop=(2, 5, 7))
    top = np.iinfo(dtype).max
    for kind in ("left", "sharp"):
        stored = np.round(read[kind] * top).astype(dtype)
        np.testing.assert_array_equal(stored, images[kind][3, 2:9, 5:12])


def test_a_step_gives_the_same_batch_again_and_another_step_another(tmp_path):
    store(tmp_path / "a")
    recipe = RECIPE.replace(flip_probability=0.5, noise_range=(0.01, 0.02))
    arrays = StoredArrays(tmp_path / "a")
    first = make_batch(arrays, recipe, 7, KINDS)
    again = make_batch(StoredArrays(tmp_path / "a"), recipe, 7, KINDS)
    other = make_batch(arrays, recipe, 8, KINDS)
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
        assert np.abs(first[key] - other[key]).max() > 0.1
        assert first[key].dtype == np.float32 and first[key].shape == (4, 16, 16, 3)


def test_batches_are_those_of_runs_begun_before_papers_had_names(tmp_path):
    store(tmp_path / "a")
    arrays = StoredArrays(tmp_path / "a")
    with np.load(testing.golden_file("batches.npz")) as golden:
        assert len(golden.files) == 16
        for key in golden.files:
            name, step, kind = key.split("/")
            batch = make_batch(arrays, GOLDEN_RECIPES[name], int(step), KINDS)
            np.testing.assert_array_equal(batch[kind], golden[key])


def test_an_epoch_shows_every_example_once(tmp_path):
    images = store(tmp_path / "a", count=8)
    recipe = RECIPE.replace(crop_size=24)
    arrays = StoredArrays(tmp_path / "a")
    seen = []
    for step in range(2):  # 2 x 4 = 8 examples
        for sharp in make_batch(arrays, recipe, step, KINDS)["sharp"]:
            stored = np.round(sharp * 65535).astype(np.uint16)
            seen += [i for i in range(8) if (images["sharp"][i] == stored).all()]
    assert sorted(seen) == list(range(8))


def test_color_permutation_is_common_to_all_images(tmp_path):
    images = store(tmp_path / "a", count=1)
    recipe = RECIPE.replace(crop_size=24, color_permutation=True)
    arrays = StoredArrays(tmp_path / "a")
    orders = set()
    for step in range(6):
        batch = make_batch(arrays, recipe, step, KINDS)
        for slot in range(4):
            found = []
            for kind in (*KINDS, "sharp"):
                stored = np.round(batch[kind][slot] * 65535).astype(np.uint16)
                found.append(
                    tuple(
                        int(
                            np.argmax(
                                [
                                    (stored[..., c] == plane).all()
                                    for plane in np.moveaxis(images[kind][0], -1, 0)
                                ]
                            )
                        )
                        for c in range(3)
                    )
                )
            assert len(set(found)) == 1
            orders.add(found[0])
    assert len(orders) > 1


def test_noise_is_white_of_the_drawn_deviation_and_spares_the_sharp(tmp_path):
    store(tmp_path / "a", count=1, size=64)
    for kind in (*KINDS, "sharp"):
        grey = np.full((1, 64, 64, 3), 32768, np.uint16)
        np.save(tmp_path / "a" / f"{kind}.npy", grey)
    recipe = RECIPE.replace(crop_size=64, noise_range=(0.02, 0.02))
    batch = make_batch(StoredArrays(tmp_path / "a"), recipe, 0, KINDS)
    assert np.ptp(batch["sharp"]) == 0
    for kind in KINDS:
        assert np.std(batch[kind]) == pytest.approx(0.02, rel=0.03)
    together = np.corrcoef(batch["left"].ravel(), batch["right"].ravel())[0, 1]
    assert abs(together) < 0.03


def test_exposure_scales_input_and_target_alike(tmp_path):
    store(tmp_path / "a")
    recipe = RECIPE.replace(gain_range=(0.5, 0.5))
    plain = make_batch(StoredArrays(tmp_path / "a"), RECIPE, 0, KINDS)
    darker = make_batch(StoredArrays(tmp_path / "a"), recipe, 0, KINDS)
    for key in plain:
        np.testing.assert_allclose(darker[key], plain[key] / 2, atol=1e-7)


def test_unfinished_arrays_and_too_large_crops_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="store_arrays"):
        StoredArrays(tmp_path)
    store(tmp_path / "a")
    with pytest.raises(ValueError, match="crop_size=32"):
        make_batch(StoredArrays(tmp_path / "a"), RECIPE.replace(crop_size=32), 0, KINDS)


def test_scheduled_crops_change_size_and_go_on_in_the_epoch(tmp_path):
    """Steps of 4, 4, 2, 2, 2 and 1 examples show each of 5 once per epoch."""
    images = store(tmp_path / "a", count=5)
    schedule = ((0, 8, 4), (2, 24, 2), (5, 24, 1))
    recipe = RECIPE.replace(crop_schedule=schedule)
    arrays = StoredArrays(tmp_path / "a")
    batches = [make_batch(arrays, recipe, step, KINDS) for step in range(6)]
    shapes = [batch["sharp"].shape for batch in batches]
    assert shapes == [(4, 8, 8, 3)] * 2 + [(2, 24, 24, 3)] * 3 + [(1, 24, 24, 3)]
    again = make_batch(StoredArrays(tmp_path / "a"), recipe, 4, KINDS)
    np.testing.assert_array_equal(again["sharp"], batches[4]["sharp"])
    seen = []
    for batch in batches[2:]:  # examples 8 to 14, in whole images
        for sharp in batch["sharp"]:
            stored = np.round(sharp * 65535).astype(np.uint16)
            seen += [i for i in range(5) if (images["sharp"][i] == stored).all()]
    assert len(seen) == 7 and sorted(seen[2:]) == list(range(5))


def test_a_schedule_of_one_size_gives_the_batches_of_that_size(tmp_path):
    store(tmp_path / "a")
    arrays = StoredArrays(tmp_path / "a")
    scheduled = RECIPE.replace(crop_schedule=((0, 16, 4),), crop_size=5, batch_size=1)
    for step in (0, 3):
        expected = make_batch(arrays, RECIPE, step, KINDS)["blurred"]
        actual = make_batch(arrays, scheduled, step, KINDS)["blurred"]
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("schedule", [((1, 16, 4),), ((0, 16, 4), (0, 8, 2))])
def test_schedules_that_skip_or_go_back_are_refused(schedule):
    with pytest.raises(ValueError, match="crop_schedule must begin at step 0"):
        RECIPE.replace(crop_schedule=schedule)
