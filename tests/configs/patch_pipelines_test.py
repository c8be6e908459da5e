"""The papers' patch pipelines: their numbers, and that each makes batches."""

import json

import numpy as np
import pytest

from tf_defocus.configs import Recipe, patch_pipelines
from tf_defocus.data import builders
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batches import make_batch

RECIPE = Recipe(name="test", model="kpac_3level")


@pytest.fixture
def arrays(tmp_path, rng):
    for kind in ("blurred", "left", "right", "sharp"):
        values = rng.integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)
        np.save(tmp_path / f"{kind}.npy", values)
    (tmp_path / "arrays.json").write_text(json.dumps({}))
    return StoredArrays(tmp_path)


@pytest.mark.parametrize("paper", patch_pipelines.PIPELINES)
def test_pipeline_makes_the_same_batch_again(arrays, paper):
    recipe = RECIPE.replace(**patch_pipelines.PIPELINES[paper])
    recipe = recipe.replace(crop_size=12, batch_size=3)
    first, again, other = (
        make_batch(arrays, recipe, step, ("blurred",)) for step in (5, 5, 6)
    )
    for kind in ("blurred", "sharp"):
        assert first[kind].shape == (3, 12, 12, 3)
        assert first[kind].dtype == np.float32
        assert first[kind].min() >= 0 and first[kind].max() <= 1
        np.testing.assert_array_equal(first[kind], again[kind])
        assert np.any(first[kind] != other[kind])


@pytest.mark.parametrize("paper", patch_pipelines.PIPELINES)
def test_noise_composes_with_every_pipeline(tmp_path, paper):
    """[KPAC Tab. 8], GKMNet+ [GKMNet Tab. 2]: on the input alone, after the chain."""
    for kind in ("blurred", "sharp"):
        np.save(tmp_path / f"{kind}.npy", np.full((2, 64, 64, 3), 64, np.uint8))
    (tmp_path / "arrays.json").write_text(json.dumps({}))
    stored, pipeline = StoredArrays(tmp_path), patch_pipelines.PIPELINES[paper]
    clean = RECIPE.replace(**{**pipeline, "crop_size": 40, "batch_size": 2})
    noisy = clean.replace(noise_range=(0.02, 0.02))
    before, after = (make_batch(stored, r, 3, ("blurred",)) for r in (clean, noisy))
    np.testing.assert_array_equal(after["sharp"], before["sharp"])
    added = after["blurred"] - before["blurred"]
    assert np.std(added) == pytest.approx(0.02, rel=0.05)
    assert abs(np.mean(added)) < 1e-3


@pytest.mark.parametrize("paper", patch_pipelines.PIPELINES)
def test_pipeline_names_a_config_of_dpdd(paper):
    dataset = patch_pipelines.PIPELINES[paper]["dataset"]
    config = builders.load_builder(dataset).builder_config
    assert config.name == dataset.partition("/")[2]
    if paper in ("dpdnet", "restormer", "restormer_dual"):
        assert (config.patch_size, config.train_stride, config.dropped) == (
            512,
            204,
            0.3,
        )
        assert config.bits == (8 if paper == "restormer" else 16)


def test_dpdnet_uses_its_patches_whole_and_unaltered(tmp_path, rng):
    stored = rng.integers(0, 65536, (1, 12, 12, 3)).astype(np.uint16)
    for kind in ("blurred", "sharp"):
        np.save(tmp_path / f"{kind}.npy", stored)
    (tmp_path / "arrays.json").write_text("{}")
    recipe = RECIPE.replace(**patch_pipelines.DPDNET).replace(crop_size=12)
    batch = make_batch(StoredArrays(tmp_path), recipe, 0, ("blurred",))
    assert batch["blurred"].shape[0] == 5
    for example in (*batch["blurred"], *batch["sharp"]):
        np.testing.assert_array_equal(np.round(example * 65535), stored[0])


def test_restormer_trains_300_000_steps():
    steps = [stage[0] for stage in patch_pipelines.RESTORMER_STAGES]
    assert sum(steps) == 300_000
    assert patch_pipelines.RESTORMER_STAGES[0][1:] == (128, 64)


def test_options_of_another_augmentation_are_refused():
    with pytest.raises(ValueError, match="flip_probability"):
        RECIPE.replace(augmentation="ifan", flip_probability=0.5)
    with pytest.raises(ValueError, match="augmentation_options"):
        RECIPE.replace(augmentation_options={"quirks": False})


def test_unknown_augmentations_are_refused_with_the_known_ones(arrays):
    recipe = RECIPE.replace(augmentation="mixup", crop_size=12)
    with pytest.raises(ValueError, match="restormer"):
        make_batch(arrays, recipe, 0, ("blurred",))
