"""ddd_syn: dual-pixel views rendered from NYU depth maps, Pan et al., CVPR 2021."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, published_files, published_maps

_SPLITS = {"train": "training", "test": "testing", "test1": "testing1"}
_COUNTS = {"train": 5000, "test": 350, "test1": 150}
_FOLDERS = {"dp": (), "disp": ((".pfm",),), "gt": ()}  # what is listed there
# feature -> folder and what follows the number in the file's name
_NAMES = {
    "left": ("dp", "_l"),
    "right": ("dp", "_r"),
    "disparity": ("disp", "_dm"),
    "sharp": ("gt", "_m"),
}


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per rendered image; ids overlap across the folders."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Run the simulator of Pan et al. on NYU's labelled depth maps and pass its "
        "folder NYU as manual_dir; it holds {training,testing,testing1}/{dp,disp,gt} "
        "with NNNN_l.png, NNNN_r.png, NNNN_dm.pfm and NNNN_m.png."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        features = {
            "left": image,
            "right": image,
            "sharp": image,
            "disparity": tfds.features.Tensor(
                shape=(None, None, 1), dtype=np.float32, encoding="zlib"
            ),
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        splits = find_scenes(published_files.manual_folder(dl_manager))
        return {
            split: self._generate_examples(scenes) for split, scenes in splits.items()
        }

    def _generate_examples(self, scenes):
        return self.examples_of(list(scenes.items()), make_example)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return any((folder / name / "dp").is_dir() for name in _SPLITS.values())


def find_scenes(manual_dir):
    """dict, split -> dict, scene -> dict of paths by feature.

    A scene's name holds the folder, for ids start anew in each.

    Raises:
        DatasetFilesError: naming a missing file.
    """
    expected = "{training,testing,testing1}/{dp,disp,gt}"
    names = ("NYU", "simudata/NYU")
    root = published_files.find_root(manual_dir, names, is_root, expected)
    splits = {}
    for split, name in _SPLITS.items():
        if (root / name).is_dir():
            splits[split] = _find_split(root / name)
            count = len(splits[split])
            published_files.check_count(count, _COUNTS[split], root / name)
    return splits


def _find_split(folder):
    files = {
        kind: published_files.by_stem(
            published_files.list_images(folder / kind, *suffixes)
        )
        for kind, suffixes in _FOLDERS.items()
    }
    for stem, path in files["dp"].items():
        if not stem.endswith(("_l", "_r")):
            raise published_files.DatasetFilesError(
                f"Expected NNNN_l and NNNN_r in {folder / 'dp'}. Received: {path}."
            )
    numbers = sorted(
        {stem[:-2] for stem in files["dp"]}, key=published_files.natural_key
    )
    wanted = {
        number: {role: (kind, number + end) for role, (kind, end) in _NAMES.items()}
        for number in numbers
    }
    known = {place for scene in wanted.values() for place in scene.values()}
    for kind, stem in sorted(known):
        if stem not in files[kind]:
            raise published_files.DatasetFilesError(
                f"Expected {stem} in {folder / kind}. Received: none."
            )
    return {
        f"{folder.name}_{number}": {
            role: files[kind][stem] for role, (kind, stem) in scene.items()
        }
        for number, scene in wanted.items()
    }


def make_example(scene):
    """Yields (key, example) of a scene's name and its paths."""
    scene_id, paths = scene
    yield scene_id, {**read_example(paths), "scene_id": scene_id}


def read_example(paths):
    """The views, the sharp image and the disparity of a scene."""
    read = {
        role: published_files.read_rgb(paths[role], np.uint8)
        for role in ("left", "right", "sharp")
    }
    disparity = published_maps.read_pfm(paths["disparity"])
    images = {role: pixels for role, (pixels, _) in read.items()}
    images["disparity"] = disparity
    published_files.check_sizes([paths[role] for role in images], list(images.values()))
    return {**{r: stored for r, (_, stored) in read.items()}, "disparity": disparity}
