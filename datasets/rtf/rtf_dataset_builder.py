"""rtf: small photographs of a light field camera, D'Andres et al., IEEE TIP 2016."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import published_files, published_maps

_SCENES = 22
_INPUTS = ("input", "Noisy_Blurred_Images")
_TARGETS = ("target", "ground_truth")
_MAPS = ("gt", "blur_map")
_VARIABLE = "blurMap"
_ABSENT = np.zeros((1, 1, 1), np.float32)
_CUT_OFF = 20  # columns that the all-in-focus images lack on the right


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example per scene, the columns that both images have."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "1.1.0": "Blur maps.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the RTF set of D'Andres et al. and pass its folder as manual_dir; it "
        "holds input (or Noisy_Blurred_Images) of 360 x 360 and target (or "
        "ground_truth) of 340 x 360, 22 images each, and gt with a blur map NAME.mat "
        "each where you have them."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        features = {
            "blurred": image,
            "sharp": image,
            "blur_map": tfds.features.Tensor(
                shape=(None, None, 1), dtype=np.float32, encoding="zlib"
            ),
            "has_blur_map": np.bool_,
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "sharp"),
        )

    def _split_generators(self, dl_manager):
        scenes = find_scenes(published_files.manual_folder(dl_manager))
        return {"test": self._generate_examples(scenes)}

    def _generate_examples(self, scenes):
        for paths in scenes:
            name = paths["blurred"].stem
            yield name, {**read_example(paths), "scene_id": name}


def _folder(root, names):
    return next((root / name for name in names if (root / name).is_dir()), None)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return all(_folder(folder, names) for names in (_INPUTS, _TARGETS))


def find_scenes(manual_dir):
    """List of dict of paths, `blurred`, `sharp` and, where there are any, `blur_map`.

    Raises:
        DatasetFilesError: if the folders are missing or do not pair.
    """
    expected = f"{' or '.join(_INPUTS)}, and {' or '.join(_TARGETS)}"
    root = published_files.find_root(manual_dir, ("RTF",), is_root, expected)
    photographs = published_files.list_images(_folder(root, _INPUTS))
    published_files.check_count(len(photographs), _SCENES, root)
    targets = published_files.list_images(_folder(root, _TARGETS))
    pairs = published_files.pair_by_order(photographs, targets)
    scenes = [{"blurred": path, "sharp": sharp} for path, sharp in pairs]
    folder = _folder(root, _MAPS)
    if folder is not None:
        maps = published_files.pair_by_order(photographs, _list_maps(folder))
        for scene, (_, path) in zip(scenes, maps):
            scene["blur_map"] = path
    return scenes


def _list_maps(folder):
    if any(path.is_dir() for path in folder.iterdir()):
        raise published_files.DatasetFilesError(
            f"Expected blur maps NAME.mat in {folder}. Received: folders, as of noise "
            "levels; pass a copy with the maps of one of them."
        )
    return published_files.list_images(folder, (".mat",))


def read_example(paths):
    """The images and the blur map of a scene, the columns that all of them have.

    Raises:
        DatasetFilesError: if a file cannot be read, or sizes differ by
            anything but the columns that the all-in-focus images lack.
    """
    blurred, sharp = (
        published_files.read_rgb(paths[role], np.uint8)[0]
        for role in ("blurred", "sharp")
    )
    _check_size(paths["sharp"], sharp, paths["blurred"], blurred)
    common = sharp.shape[1]
    example = {"blurred": blurred[:, :common], "sharp": sharp}
    example["has_blur_map"] = "blur_map" in paths
    example["blur_map"] = _ABSENT
    if example["has_blur_map"]:
        values = published_maps.read_mat(paths["blur_map"], _VARIABLE)
        _check_size(paths["blur_map"], values, paths["blurred"], blurred)
        if values.shape[1] < common:
            raise published_files.DatasetFilesError(
                f"Expected the {common} columns of {paths['sharp']}. Received: "
                f"{paths['blur_map']} of {values.shape[1]}."
            )
        example["blur_map"] = values[:, :common]
    return example


def _check_size(path, image, first_path, first):
    height, width = first.shape[:2]
    if image.shape[0] != height or image.shape[1] not in (width, width - _CUT_OFF):
        raise published_files.DatasetFilesError(
            f"Expected {height} x {width - _CUT_OFF} or {height} x {width}, the size "
            f"of {first_path}. Received: {path} of {image.shape[0]} x {image.shape[1]}."
        )
