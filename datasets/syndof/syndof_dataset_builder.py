"""syndof: photographs with rendered defocus and its map, Lee et al., CVPR 2019."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, published_files

_IMAGES, _MAPS = "image", "blur_map"
_ROOTS = ("SYNDOF", "syndof", "train")
_CHANNEL = 1  # of the maps' three
LEVELS_PER_PIXEL = 10


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per rendered photograph."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get SYNDOF from DMENet's page, unzip it and pass the folder as manual_dir; it "
        "holds image/ and blur_map/ with files of the same names."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        blur_map = tfds.features.Tensor(
            shape=(None, None, 1), dtype=np.float32, encoding="zlib"
        )
        features = {
            "blurred": image,
            "blur_map": blur_map,
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "blur_map"),
        )

    def _split_generators(self, dl_manager):
        pairs = find_pairs(published_files.manual_folder(dl_manager))
        return {"train": self._generate_examples(pairs)}

    def _generate_examples(self, pairs):
        return self.examples_of(pairs, make_example)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return (folder / _IMAGES).is_dir() and (folder / _MAPS).is_dir()


def find_pairs(manual_dir):
    """List of (photograph, map).

    Raises:
        DatasetFilesError: if the folder is another, or a photograph or map is alone.
    """
    expected = f"{_IMAGES}/ and {_MAPS}/"
    root = published_files.find_root(manual_dir, _ROOTS, is_root, expected)
    found = [published_files.list_images(root / name) for name in (_IMAGES, _MAPS)]
    return published_files.pair_by_stem(*found)


def make_example(pair):
    """Yields (key, example) of a photograph and its map."""
    photograph, blur_map = pair
    yield photograph.stem, read_example(photograph, blur_map)


def read_example(photograph, blur_map):
    """A photograph, and the diameter of its circles of confusion [px]."""
    pixels, stored = published_files.read_rgb(photograph, np.uint8)
    levels, _ = published_files.read_rgb(blur_map, np.uint8)
    published_files.check_sizes((photograph, blur_map), (pixels, levels))
    diameter = levels[..., _CHANNEL : _CHANNEL + 1].astype(np.float32)
    return {
        "blurred": stored,
        "blur_map": diameter / np.float32(LEVELS_PER_PIXEL),
        "scene_id": photograph.stem,
    }
