"""rtf: small photographs of a light field camera, D'Andres et al., IEEE TIP 2016."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus import dataset_files

_SCENES = 22
_INPUTS = ("input", "Noisy_Blurred_Images")
_TARGETS = ("target", "ground_truth")
_CUT_OFF = 20  # columns that the all-in-focus images lack on the right


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example per scene, the columns that both images have."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the RTF set of D'Andres et al. and pass its folder as manual_dir; it "
        "holds input (or Noisy_Blurred_Images) of 360 x 360 and target (or "
        "ground_truth) of 340 x 360, 22 images each."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        features = {
            "combined": image,
            "sharp": image,
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("combined", "sharp"),
        )

    def _split_generators(self, dl_manager):
        pairs = find_pairs(dataset_files.manual_folder(dl_manager))
        return {"test": self._generate_examples(pairs)}

    def _generate_examples(self, pairs):
        for paths in pairs:
            images = [dataset_files.read_rgb(path, np.uint8)[0] for path in paths]
            combined, sharp = crop_to_common_width(paths, *images)
            name = paths[0].stem
            yield name, {"combined": combined, "sharp": sharp, "scene_id": name}


def _folder(root, names):
    return next((root / name for name in names if (root / name).is_dir()), None)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return all(_folder(folder, names) for names in (_INPUTS, _TARGETS))


def find_pairs(manual_dir):
    """List of (photograph, all-in-focus image).

    Raises:
        dataset_files.DatasetFilesError: if the folders are missing or do not pair.
    """
    expected = f"{' or '.join(_INPUTS)}, and {' or '.join(_TARGETS)}"
    root = dataset_files.find_root(manual_dir, ("RTF",), is_root, expected)
    photographs = dataset_files.list_images(_folder(root, _INPUTS))
    dataset_files.check_count(len(photographs), _SCENES, root)
    return dataset_files.pair_by_order(
        photographs, dataset_files.list_images(_folder(root, _TARGETS))
    )


def crop_to_common_width(paths, combined, sharp):
    """Cuts the photograph's right columns off where the sharp image has none.

    Raises:
        dataset_files.DatasetFilesError: if the sizes differ by anything else.
    """
    height, width = combined.shape[:2]
    common = sharp.shape[1]
    if sharp.shape[0] != height or common not in (width, width - _CUT_OFF):
        raise dataset_files.DatasetFilesError(
            f"Expected {height} x {width - _CUT_OFF} or {height} x {width}, the size "
            f"of {paths[0]}. Received: {paths[1]} of {sharp.shape[0]} x {common}."
        )
    return combined[:, :common], sharp
