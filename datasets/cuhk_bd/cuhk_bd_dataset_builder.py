"""cuhk_bd: photographs with masks of defocus, Shi, Xu and Jia, CVPR 2014."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, published_files

_SCENES = 704
_PREFIX = "out_of_focus"
_ROOTS = ("CUHK", "CUHK-BD", "dblurdetect", "dataset", "image")
_THRESHOLD = 127


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per photograph with defocus blur."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the blur detection set from the page of Shi, Xu and Jia, unzip it and "
        "pass the folder as manual_dir; it holds image/out_of_focus0001.jpg to 0704 "
        "and gt/out_of_focus0001.png."
    )

    def _info(self):
        def image(channels):
            return tfds.features.Image(
                shape=(None, None, channels), dtype=np.uint8, encoding_format="png"
            )

        features = {
            "blurred": image(3),
            "mask": image(1),
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "mask"),
        )

    def _split_generators(self, dl_manager):
        pairs = find_pairs(published_files.manual_folder(dl_manager))
        return {"test": self._generate_examples(pairs)}

    def _generate_examples(self, pairs):
        return self.examples_of(pairs, make_example)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    image, masks = folder / "image", folder / "gt"
    return image.is_dir() and masks.is_dir() and any(image.glob(f"{_PREFIX}*"))


def find_pairs(manual_dir):
    """List of (photograph, mask) with defocus blur; motion blur is left out.

    Raises:
        DatasetFilesError: if the folder is another, or a mask is missing.
    """
    expected = f"image/{_PREFIX}*.jpg and gt/{_PREFIX}*.png"
    root = published_files.find_root(manual_dir, _ROOTS, is_root, expected)
    found = [
        [
            path
            for path in published_files.list_images(root / name)
            if path.stem.startswith(_PREFIX)
        ]
        for name in ("image", "gt")
    ]
    published_files.check_count(len(found[0]), _SCENES, root)
    if not found[1]:
        raise published_files.DatasetFilesError(
            f"Expected masks {_PREFIX}*.png in {root / 'gt'}. Received: none."
        )
    return published_files.pair_by_stem(*found)


def make_example(pair):
    """Yields (key, example) of a photograph and its mask."""
    photograph, mask = pair
    yield photograph.stem, read_example(photograph, mask)


def read_example(photograph, mask):
    """A photograph and its mask, 255 where the file is above 127."""
    pixels, stored = published_files.read_rgb(photograph, np.uint8)
    grey = published_files.read_grey(mask)
    published_files.check_sizes((photograph, mask), (pixels, grey))
    levels = np.where(grey > _THRESHOLD, 255, 0).astype(np.uint8)
    return {"blurred": stored, "mask": levels, "scene_id": photograph.stem}
