"""Batches by tf.data from TFRecords: the recipe's crops, again after a stop."""

import contextlib
import itertools

import numpy as np
import pytest

from tests.data.batches_test import KINDS
from tf_defocus.configs import Recipe
from tf_defocus.data import builders
from tf_defocus.data.batches import augmentation, scheduled_crop, scheduled_place

RECIPE = Recipe(
    name="test",
    model="kpac_2level",
    crop_schedule=((0, 16, 4), (2, 8, 3)),
    flip_probability=0.5,
    noise_range=(0.0, 0.02),
)
COUNT = 10


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of a TFDS dataset, and its images by scene."""
    tfds = pytest.importorskip("tensorflow_datasets")
    from tf_defocus.data import tfdata  # noqa: F401

    rng = np.random.default_rng(0)
    kinds = (*KINDS, "sharp")
    image = tfds.features.Image(shape=(24, 24, 3), dtype=np.uint16)
    examples = [
        {kind: rng.integers(0, 65536, (24, 24, 3)).astype("uint16") for kind in kinds}
        for _ in range(COUNT)
    ]
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="noise",
        version="1.0.0",
        features=tfds.features.FeaturesDict(dict.fromkeys(kinds, image)),
        split_datasets={"train": list(enumerate(examples))},
        data_dir=tmp_path_factory.mktemp("tfds"),
    )
    return str(builder.data_path), examples


def records(prepared, **options):
    from tf_defocus.data.tfdata import Records

    folder, _ = prepared
    return Records(builders.prepare(folder, "train"), "train", **options)


def first(batches, count):
    with contextlib.closing(batches):
        return list(itertools.islice(batches, count))


def test_every_batch_is_the_recipes_crops_and_every_epoch_all_examples(prepared):
    _, examples = prepared
    made = first(records(prepared).batches(RECIPE, KINDS, range, 0), 6)  # 20 crops
    seen = []
    for step, batch in enumerate(made):
        size, count, position = scheduled_crop(RECIPE, step)
        assert batch["sharp"].shape == (count, size, size, 3)
        for row in range(count):
            for index, images in enumerate(examples):
                rng = np.random.default_rng((RECIPE.seed, position + row))
                crops = augmentation(RECIPE, size)(rng, images)
                if np.array_equal(crops["sharp"], batch["sharp"][row]):
                    seen.append(index)
                    for kind in KINDS:
                        np.testing.assert_array_equal(batch[kind][row], crops[kind])
    assert sorted(seen[:COUNT]) == sorted(seen[COUNT:]) == list(range(COUNT))
    assert seen[:COUNT] != seen[COUNT:]


def test_a_later_start_and_a_part_of_the_rows_change_nothing(prepared):
    whole = first(records(prepared).batches(RECIPE, KINDS, range, 0), 6)

    def rows(size):  # as uneven devices ask for them, one of them twice
        return [size - 1, 0, 0]

    for start in (1, 4):
        part = first(records(prepared).batches(RECIPE, KINDS, rows, start), 2)
        for batch, expected in zip(part, whole[start:]):
            for kind, values in batch.items():
                chosen = expected[kind][rows(len(expected[kind]))]
                np.testing.assert_array_equal(values, chosen)


def test_any_order_has_the_same_shapes(prepared):
    source = records(prepared, deterministic=False)
    (batch,) = first(source.batches(RECIPE, KINDS, range, 0), 1)
    assert batch["blurred"].shape == (4, 16, 16, 3) and source.kinds == (
        *KINDS,
        "sharp",
    )
    assert source.fingerprint() == records(prepared).fingerprint()


def test_what_is_missing_or_too_small_is_said(prepared):
    source = records(prepared)
    with pytest.raises(ValueError, match=r"needs \['radial_distance'\]"):
        source.require(("radial_distance",))
    large = RECIPE.replace(crop_schedule=(), crop_size=64)
    with pytest.raises(ValueError, match="crop_size must be at most the stored size"):
        first(source.batches(large, KINDS, range, 0), 1)


def test_places_are_the_reverse_of_steps():
    recipe = RECIPE.replace(crop_schedule=((0, 16, 4), (2, 8, 3), (5, 12, 1)))
    for step in range(8):
        size, count, position = scheduled_crop(recipe, step)
        for row in range(count):
            assert scheduled_place(recipe, position + row) == (step, row, size)
