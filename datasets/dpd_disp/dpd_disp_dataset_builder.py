"""dpd_disp: dual-pixel photographs with depth, Punnappurath et al., ICCP 2020."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import published_files

_SCENES = 100
_ROOTS = ("DPD-disp", "DPD_disp", "dpd_disp")
_DEPTHS = "gt"  # folder of depth maps beside the photographs
# what follows a scene's last underscore, in lower case -> feature
_KINDS = {
    "b": "blurred",
    "l": "left",
    "r": "right",
    "gt": "depth",
    "depth": "depth",
    "d": "depth",
}
_EXPECTED = "NNNN_B, NNNN_L and NNNN_R"
_ABSENT = np.zeros((1, 1, 1), np.uint8)  # PNG has no empty image
_SHAPE_TOLERANCE = 0.02  # of width over height, between a photograph and its depth


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example per photograph; there is no all-in-focus image."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the evaluation set from the page of Punnappurath et al., unzip it and "
        f"pass the folder as manual_dir; it holds {_EXPECTED} per scene, and its depth "
        "as NNNN_gt or gt/NNNN."
    )

    def _info(self):
        def image(channels):
            return tfds.features.Image(
                shape=(None, None, channels), dtype=np.uint8, encoding_format="png"
            )

        features = {
            "blurred": image(3),
            "left": image(3),
            "right": image(3),
            "depth": image(1),
            "has_depth": np.bool_,
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        scenes = find_scenes(published_files.manual_folder(dl_manager))
        return {"test": self._generate_examples(scenes)}

    def _generate_examples(self, scenes):
        for scene_id, paths in scenes.items():
            yield scene_id, {**read_example(paths), "scene_id": scene_id}


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return any(folder.glob("*_[bB].*"))


def find_scenes(manual_dir):
    """dict, scene -> dict of paths by feature; `depth` where there is one.

    Raises:
        DatasetFilesError: if the folder is another, a view is missing or
            a file's name says nothing.
    """
    root = published_files.find_root(manual_dir, _ROOTS, is_root, _EXPECTED)
    scenes = {}
    for path in published_files.list_images(root):
        scene, _, kind = path.stem.rpartition("_")
        if not scene or kind.lower() not in _KINDS:
            raise published_files.DatasetFilesError(
                f"Expected names as 0101_B, _L, _R or _gt. Received: {path}; rename it."
            )
        _add(scenes.setdefault(scene, {}), _KINDS[kind.lower()], path)
    if (root / _DEPTHS).is_dir():
        for path in published_files.list_images(root / _DEPTHS):
            scene, _, kind = path.stem.rpartition("_")
            if path.stem in scenes or _KINDS.get(kind.lower()) != "depth":
                scene = path.stem
            _add(scenes.setdefault(scene, {}), "depth", path)
    for scene, paths in scenes.items():
        _check_complete(root, scene, paths)
    published_files.check_count(len(scenes), _SCENES, root)
    return scenes


def _add(paths, role, path):
    if role in paths:
        raise published_files.DatasetFilesError(
            f"Expected one file. Received: {paths[role]} and {path}."
        )
    paths[role] = path


def _check_complete(root, scene, paths):
    given = next(iter(paths.values()))
    for role, kind in (("blurred", "B"), ("left", "L"), ("right", "R")):
        if role not in paths:
            raise published_files.DatasetFilesError(
                f"Expected {scene}_{kind} in {root} beside {given}. Received: none."
            )


def read_example(paths):
    """The images of a scene; without depth one black pixel and a false flag.

    Raises:
        DatasetFilesError: naming a file that cannot be read or has
            another size, or depth of another shape.
    """
    views = ("blurred", "left", "right")
    read = {role: published_files.read_rgb(paths[role], np.uint8) for role in views}
    pixels = [read[role][0] for role in views]
    published_files.check_sizes([paths[role] for role in views], pixels)
    example = {role: stored for role, (_, stored) in read.items()}
    example["has_depth"] = "depth" in paths
    example["depth"] = _ABSENT
    if example["has_depth"]:
        example["depth"] = published_files.read_grey(paths["depth"])
        _check_shape(paths, pixels[0], example["depth"])
    return example


def _check_shape(paths, photograph, depth):
    ratios = [image.shape[1] / image.shape[0] for image in (photograph, depth)]
    if abs(ratios[1] / ratios[0] - 1) > _SHAPE_TOLERANCE:
        raise published_files.DatasetFilesError(
            f"Expected the shape of {paths['blurred']}, {photograph.shape[:2]}. "
            f"Received: {paths['depth']} of {depth.shape[:2]}."
        )
