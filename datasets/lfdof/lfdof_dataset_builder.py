"""lfdof: photographs refocused from light fields, Ruan et al., IEEE TCI 2021."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, published_files

_SPLITS = {"train": "train_data", "test": "test_data"}
_COUNTS = {"train": 11261, "test": 725}
_SEPARATOR = "_ap"


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per refocused photograph; many share an all-in-focus image."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get LFDOF from the authors of AIFNet, unzip it and pass the folder as "
        "manual_dir; it holds {train_data,test_data}/{input,ground_truth}."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        features = {
            "blurred": image,
            "sharp": image,
            "scene_id": tfds.features.Text(),
            "sequence_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "sharp"),
        )

    def _split_generators(self, dl_manager):
        splits = find_pairs(published_files.manual_folder(dl_manager))
        return {
            split: self._generate_examples(pairs) for split, pairs in splits.items()
        }

    def _generate_examples(self, pairs):
        return self.examples_of(pairs, make_example)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return any((folder / name / "input").is_dir() for name in _SPLITS.values())


def find_pairs(manual_dir):
    """dict, split -> list of (photograph, all-in-focus image of its scene).

    Raises:
        DatasetFilesError: if there is no test set, or files do not pair.
    """
    expected = "{train_data,test_data}/{input,ground_truth}"
    root = published_files.find_root(manual_dir, ("LFDOF",), is_root, expected)
    if not (root / _SPLITS["test"]).is_dir():
        raise published_files.DatasetFilesError(
            f"Expected {_SPLITS['test']} in {root}. Received: {_SPLITS['train']} alone."
        )
    splits = {}
    for split, name in _SPLITS.items():
        if (root / name).is_dir():
            images = published_files.list_images(root / name / "input")
            targets = published_files.list_images(root / name / "ground_truth")
            published_files.check_count(len(images), _COUNTS[split], root / name)
            splits[split] = published_files.group_by_scene(images, targets, _SEPARATOR)
    return splits


def make_example(paths):
    """Yields (key, example) of a photograph and the all-in-focus image of its scene."""
    read = [published_files.read_rgb(path, np.uint8) for path in paths]
    published_files.check_sizes(paths, [pixels for pixels, _ in read])
    yield (
        paths[0].stem,
        {
            "blurred": read[0][1],
            "sharp": read[1][1],
            "scene_id": paths[0].stem,
            "sequence_id": paths[1].stem,
        },
    )
