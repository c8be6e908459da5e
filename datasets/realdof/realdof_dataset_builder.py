"""realdof: pairs of a dual-camera rig, the test set of Lee et al., CVPR 2021."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import published_files

_SCENES = 50


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example per scene."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get RealDOF.zip by the links of IFAN's page, unzip it and pass the folder as "
        "manual_dir; it holds RealDOF/source and RealDOF/target, 50 images each."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        features = {
            "blurred": image,
            "sharp": image,
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "sharp"),
        )

    def _split_generators(self, dl_manager):
        pairs = find_pairs(published_files.manual_folder(dl_manager))
        return {"test": self._generate_examples(pairs)}

    def _generate_examples(self, pairs):
        for paths in pairs:
            read = [published_files.read_rgb(path, np.uint8) for path in paths]
            published_files.check_sizes(paths, [pixels for pixels, _ in read])
            name = paths[0].stem
            yield name, {"blurred": read[0][1], "sharp": read[1][1], "scene_id": name}


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return (folder / "source").is_dir() and (folder / "target").is_dir()


def find_pairs(manual_dir):
    """List of (photograph, all-in-focus image).

    Raises:
        DatasetFilesError: if the folder is not RealDOF.
    """
    root = published_files.find_root(
        manual_dir, ("RealDOF",), is_root, "source and target"
    )
    photographs = published_files.list_images(root / "source")
    published_files.check_count(len(photographs), _SCENES, root)
    return published_files.pair_by_order(
        photographs, published_files.list_images(root / "target")
    )
