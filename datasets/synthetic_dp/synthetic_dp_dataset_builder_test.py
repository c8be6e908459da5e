"""The synthetic set: it builds, workers agree, photographs stay in their split."""

import dataclasses
import pathlib
import tempfile

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests import dataset_builders
from tf_defocus.optics import rdpd, scenes

builder_module = dataset_builders.load_module("synthetic_dp")


def tiny(name, **changes):
    configs = {config.name: config for config in builder_module.Builder.BUILDER_CONFIGS}
    changes = {
        "size": 24,
        "num_train": 3,
        "num_validation": 2,
        "num_processes": 1,
        "validation_aperture_samples": 4,
        **changes,
    }
    return dataclasses.replace(configs[name], name=f"tiny_{name}", **changes)


def write_photographs(root):
    """Two red photographs for training, a green one for validation, with labels."""
    for index, (split, channel) in enumerate((("train", 2), ("train", 2), ("val", 1))):
        folder = pathlib.Path(root) / split
        folder.mkdir(exist_ok=True)
        image = np.zeros((40, 48, 3), np.uint8)
        random = np.random.default_rng(index)
        image[..., channel] = random.integers(60, 255, image.shape[:2])
        cv2.imwrite(str(folder / f"{index}.png"), image)
        segments = (np.indices((40, 48)).sum(0) // 30).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index}_segments.png"), segments)


class SyntheticDpTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder_module.Builder
    SPLITS = {"train": 3, "validation": 2}  # noqa: RUF012 (the case's own spelling)
    BUILDER_CONFIG_NAMES_TO_TEST = [tiny("procedural"), tiny("photos")]  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        write_photographs(cls.EXAMPLE_DIR)
        super().setUpClass()


def build(config, data_dir, manual_dir=None):
    builder = builder_module.Builder(config=config, data_dir=str(data_dir))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
    )
    return builder


def examples(builder, split):
    items = builder.as_dataset(split=split).as_numpy_iterator()
    return {item["scene_id"].decode(): item for item in items}


def test_name_is_the_folder_s_when_loaded_by_path():
    assert builder_module.Builder.name == "synthetic_dp"
    names = [config.name for config in builder_module.Builder.BUILDER_CONFIGS]
    assert names == ["procedural", "photos", "rdpd_compat"]


def test_procedural_needs_no_file_and_stores_every_bit(tmp_path):
    config = tiny("procedural", num_train=1, num_validation=1)
    builder = build(config, tmp_path)
    for split, samples in (("train", 0), ("validation", 4)):
        (stored,) = examples(builder, split).values()
        made = scenes.make_example(
            config.seed, split, 0, config.size, (), config.ranges, samples
        )
        for name in ("left", "right", "combined", "sharp", "coc", "disparity", "mask"):
            assert stored[name].dtype == made[name].dtype
            np.testing.assert_array_equal(stored[name], made[name])
        for name, value in made["camera"].items():
            assert stored["camera"][name] == np.float32(value)


def test_rdpd_compat_is_formed_as_rdpd_s_in_both_splits(tmp_path):
    config = tiny("rdpd_compat", num_train=1, num_validation=1)
    builder = build(config, tmp_path)
    for split in ("train", "validation"):
        (stored,) = examples(builder, split).values()
        made = rdpd.make_example(config.seed, split, 0, config.size)
        for name in ("left", "right", "combined", "sharp", "coc", "disparity", "mask"):
            np.testing.assert_array_equal(stored[name], made[name])


@pytest.mark.slow
def test_number_of_processes_does_not_change_the_examples():
    make, arguments = scenes.make_example, {"seed": 3, "split": "train", "size": 24}
    one = list(builder_module._render(make, arguments, 3, num_processes=1))
    two = list(builder_module._render(make, arguments, 3, num_processes=2))
    assert len(one) == len(two) == 3
    for expected, received in zip(one, two):
        for name in ("left", "right", "sharp", "coc"):
            np.testing.assert_array_equal(expected[name], received[name])


def test_training_photographs_never_reach_validation(tmp_path):
    write_photographs(tmp_path)
    builder = build(tiny("photos"), tmp_path / "data", str(tmp_path))
    for split, channel in (("train", 0), ("validation", 1)):
        for example in examples(builder, split).values():
            others = [c for c in range(3) if c != channel]
            assert example["sharp"][..., channel].mean() > 1000
            assert example["sharp"][..., others].max() == 0


def test_missing_photographs_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder train .*manual_dir"):
        build(tiny("photos"), tmp_path / "data", str(tmp_path))
    (tmp_path / "train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"photographs .* in .*train"):
        build(tiny("photos"), tmp_path / "data", str(tmp_path))
