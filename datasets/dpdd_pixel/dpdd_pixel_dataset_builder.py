"""dpdd_pixel: DPDD's test photographs of a Pixel 4, Abuolaim and Brown, ECCV 2020."""

import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import published_files

_SCENES = 13
_ROOTS = ("dd_dp_dataset_pixel", "PixelDP")


@dataclasses.dataclass
class DpddPixelConfig(tfds.core.BuilderConfig):
    """What is stored: `bits` per sample, 16 or 8."""

    bits: int = 16


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example per photograph; there is no all-in-focus image."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get dd_dp_dataset_pixel.zip from the authors of DPDD, or PixelDP as IFAN has "
        "it, unzip it and pass the folder as manual_dir; it holds "
        "test_{c,l,r}/source."
    )
    BUILDER_CONFIGS: ClassVar = [
        DpddPixelConfig(name="full_16bit", description="The files, bit for bit."),
        DpddPixelConfig(name="full_8bit", description="Values >> 8.", bits=8),
    ]

    def _info(self):
        dtype = np.uint16 if self.builder_config.bits == 16 else np.uint8
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=dtype, encoding_format="png"
        )
        features = {name: image for name in ("blurred", "left", "right")}
        features["scene_id"] = tfds.features.Text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        scenes = find_scenes(published_files.manual_folder(dl_manager))
        return {"test": self._generate_examples(scenes)}

    def _generate_examples(self, scenes):
        dtype = np.uint16 if self.builder_config.bits == 16 else np.uint8
        for paths in scenes:
            read = [published_files.read_rgb(path, dtype) for path in paths]
            published_files.check_sizes(paths, [pixels for pixels, _ in read])
            images = zip(("blurred", "left", "right"), (stored for _, stored in read))
            name = paths[0].stem
            yield name, {**dict(images), "scene_id": name}


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return (folder / "test_c" / "source").is_dir()


def find_scenes(manual_dir):
    """List of (blurred, left, right).

    Raises:
        DatasetFilesError: if the folder is another, or views are missing.
    """
    expected = "test_{c,l,r}/source"
    root = published_files.find_root(manual_dir, _ROOTS, is_root, expected)
    if (root / "test_c" / "target").is_dir():
        raise published_files.DatasetFilesError(
            f"Expected no test_c/target in {root}. Received: one; it is the Canon set, "
            "build dpdd."
        )
    blurred, left, right = (
        published_files.list_images(root / f"test_{view}" / "source") for view in "clr"
    )
    published_files.check_count(len(blurred), _SCENES, root)
    lefts = dict(published_files.pair_view(blurred, left, "_L"))
    rights = dict(published_files.pair_view(blurred, right, "_R"))
    return [(path, lefts[path], rights[path]) for path in blurred]
