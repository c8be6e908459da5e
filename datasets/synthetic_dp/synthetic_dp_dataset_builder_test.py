"""The synthetic set: it builds, workers agree, photographs stay in their split."""

import dataclasses
import functools
import pathlib
import tempfile
import zlib

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests import dataset_builders
from tf_defocus.synthesis import rdpd, scenes

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


def build(config, data_dir, manual_dir=None, file_format=None, **settings):
    builder = builder_module.Builder(config=config, data_dir=str(data_dir))
    settings = tfds.download.DownloadConfig(manual_dir=manual_dir, **settings)
    builder.download_and_prepare(download_config=settings, file_format=file_format)
    return builder


def examples(builder, split):
    items = builder.as_dataset(split=split).as_numpy_iterator()
    return {item["scene_id"].decode(): item for item in items}


def test_name_is_the_folder_s_when_loaded_by_path():
    assert builder_module.Builder.name == "synthetic_dp"
    names = [config.name for config in builder_module.Builder.BUILDER_CONFIGS]
    assert names == ["procedural", "photos", "free_photos", "rdpd_compat"]


def test_procedural_needs_no_file_and_stores_every_bit(tmp_path):
    config = tiny("procedural", num_train=1, num_validation=1)
    builder = build(config, tmp_path)
    for split, samples in (("train", 0), ("validation", 4)):
        (stored,) = examples(builder, split).values()
        made = scenes.make_example(
            config.seed, split, 0, config.size, (), config.ranges, samples
        )
        for name in ("left", "right", "blurred", "sharp", "coc", "disparity", "mask"):
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
        for name in ("left", "right", "blurred", "sharp", "coc", "disparity", "mask"):
            np.testing.assert_array_equal(stored[name], made[name])


@pytest.mark.slow
def test_number_of_processes_does_not_change_the_examples(tmp_path):
    built = [
        build(tiny("procedural", num_processes=number), tmp_path / str(number))
        for number in (1, 2)
    ]
    assert_equal_builds(*built)


def record_files(builder):
    """dict, name -> bytes of the records, which hold the examples in their order."""
    folder = pathlib.Path(builder.data_dir)
    return {path.name: path.read_bytes() for path in folder.glob("*.tfrecord-*")}


def assert_equal_builds(first, second):
    files = record_files(first)
    assert len(files) == 2  # a shard of train and one of validation
    assert files == record_files(second)
    assert first.info.splits["train"].num_examples == 3


def interrupt_after(monkeypatch, count):
    """Every later example raises, as a full disk would; returns the indices made."""
    made = []
    original = scenes.make_example

    @functools.wraps(original)  # by its name kept examples are known again
    def make_example(index, **arguments):
        if len(made) == count:
            raise OSError("no space left on device")
        made.append((arguments["split"], index))
        return original(index=index, **arguments)

    monkeypatch.setattr(scenes, "make_example", make_example)
    return made


def test_an_interrupted_build_goes_on_where_it_stopped(tmp_path, monkeypatch):
    expected = build(tiny("procedural"), tmp_path / "at_once")
    with monkeypatch.context() as patch:
        made = interrupt_after(patch, 2)
        with pytest.raises(OSError, match="no space left"):
            build(tiny("procedural"), tmp_path / "data")
    assert made == [("train", 0), ("train", 1)]
    folder = tmp_path / "data" / "synthetic_dp" / "tiny_procedural"
    assert [path.name for path in folder.iterdir()] == ["2.0.0.partial"]
    with monkeypatch.context() as patch:
        made = interrupt_after(patch, 99)
        resumed = build(tiny("procedural"), tmp_path / "data")
    assert made == [("train", 2), ("validation", 0), ("validation", 1)]
    assert_equal_builds(resumed, expected)
    assert [path.name for path in folder.iterdir()] == ["2.0.0"]


def test_examples_that_version_1_kept_are_not_made_again(tmp_path, monkeypatch):
    expected = build(tiny("procedural"), tmp_path / "at_once")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(OSError, match="no space left"):
            build(tiny("procedural"), tmp_path / "data")
    folder = tmp_path / "data" / "synthetic_dp" / "tiny_procedural"
    (folder / "2.0.0.partial").rename(folder / "1.0.0.partial")
    for path in folder.rglob("*.npz"):
        with np.load(path) as arrays:
            words = {"blurred": "combined"}
            older = {words.get(name, name): arrays[name] for name in arrays.files}
        np.savez(path, **older)
    with monkeypatch.context() as patch:
        made = interrupt_after(patch, 99)
        resumed = build(tiny("procedural"), tmp_path / "data")
    assert made == [("train", 2), ("validation", 0), ("validation", 1)]
    assert_equal_builds(resumed, expected)
    assert [path.name for path in folder.iterdir()] == ["2.0.0"]


def test_an_interrupted_build_of_other_arguments_starts_anew(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(OSError, match="no space left"):
            build(tiny("procedural"), tmp_path)
    with monkeypatch.context() as patch:
        made = interrupt_after(patch, 99)
        build(tiny("procedural", seed=1), tmp_path)
    assert len(made) == 5


def test_beam_builds_the_same_files(tmp_path, monkeypatch):
    beam = pytest.importorskip("apache_beam", reason="needs Apache Beam: [beam]")
    expected = build(tiny("procedural"), tmp_path / "without")
    runner = {"beam_runner": beam.runners.DirectRunner()}
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Exception, match="no space left"):
            build(tiny("procedural"), tmp_path / "with", **runner)
    with monkeypatch.context() as patch:
        made = interrupt_after(patch, 99)
        built = build(tiny("procedural"), tmp_path / "with", **runner)
    assert len(made) == 3  # of 5, two were there
    assert_equal_builds(built, expected)


def test_random_access_gives_the_same_examples(tmp_path):
    """`tfds.data_source` needs array_record, `as_dataset` needs TFRecord."""
    sequential = examples(build(tiny("procedural"), tmp_path / "a"), "train")
    builder = build(tiny("procedural"), tmp_path / "b", file_format="array_record")
    source = builder.as_data_source(split="train")
    assert len(source) == 3
    for index in (2, 0, 1):
        example = source[index]
        expected = sequential[example["scene_id"].decode()]
        assert example.keys() == expected.keys()
        for name in expected.keys() - {"camera", "scene_id"}:
            assert example[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(example[name], expected[name])
        assert example["camera"] == expected["camera"]


def test_training_photographs_never_reach_validation(tmp_path):
    write_photographs(tmp_path)
    builder = build(tiny("photos"), tmp_path / "data", str(tmp_path))
    for split, channel in (("train", 0), ("validation", 1)):
        for example in examples(builder, split).values():
            others = [c for c in range(3) if c != channel]
            assert example["sharp"][..., channel].mean() > 1000
            assert example["sharp"][..., others].max() == 0


def test_free_photos_come_from_one_tree_split_by_name(tmp_path):
    names = {"train": [], "validation": []}
    for number in range(12):  # red ones are for training, green ones for validation
        path = tmp_path / f"{number}.png"
        path.touch()
        split = "train" if zlib.crc32(path.name.encode()) % 9 else "validation"
        names[split].append(path)
        image = np.zeros((80, 80, 3), np.uint8)
        random = np.random.default_rng(number)
        image[..., 2 if split == "train" else 1] = random.integers(60, 255, (80, 80))
        cv2.imwrite(str(path), image)
    assert names["validation"] and names["train"]
    ranges = dataclasses.replace(builder_module.scene_ranges.WIDE, procedural=0.0)
    config = tiny("free_photos", ranges=ranges)
    builder = build(config, tmp_path / "data", str(tmp_path))
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
