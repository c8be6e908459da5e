"""dp_folder: any folder of dual-pixel photographs, with or without ground truth."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, published_files
from tf_defocus.images import scene_folders

_ROLES = ("blurred", "left", "right", "sharp")
_SUFFIXES = {"left": "_L", "right": "_R"}  # that views' names may end in
_EXPECTED = "<scene>/combined.png or combined/<name>.png"
# PNG has no empty image: what a scene lacks is one black pixel
_ABSENT = np.zeros((1, 1, 3), np.uint16)


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per scene of the folder; features are the same for every folder."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "manual_dir is your folder. Either one folder per scene, "
        "<scene>/{combined,left,right,target}.png, or one folder per kind, "
        "{combined,left,right,target}/<name>.png, paired by name, else by sorted "
        "order. left and right are optional together, target is optional. PNG, TIFF or "
        "JPEG, 8 or 16 bits."
    )

    def _info(self):
        view = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint16, encoding_format="png"
        )
        features = {
            "left": view,
            "right": view,
            "blurred": view,
            "sharp": view,
            "has_views": np.bool_,
            "has_sharp": np.bool_,
            "bit_depth": np.int32,
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
        return self.examples_of(list(scenes.items()), make_example)


def is_root(folder):
    """Whether the folder is one of either layout."""
    if "blurred" in _folders_by_role(folder):
        return True
    return any(_images_by_name(child) for child in _folders(folder))


def find_scenes(manual_dir):
    """Files of every scene of a folder in either layout.

    Returns:
        dict: scene name -> dict of paths by feature (`blurred`, `left`, ...).

    Raises:
        DatasetFilesError: if there is no scene, a scene lacks a file it
            needs, or the files of the flat layout do not pair.
    """
    root = published_files.find_root(manual_dir, (), is_root, _EXPECTED)
    if "blurred" in _folders_by_role(root):
        return _pair_folders(root)
    scenes = {folder.name: _files_by_role(folder) for folder in _folders(root)}
    scenes = {name: paths for name, paths in scenes.items() if paths}
    for name, paths in scenes.items():
        _check_complete(root / name, paths)
    return scenes


def _folders(root):
    found = (
        p for p in root.iterdir() if p.is_dir() and not published_files.is_hidden(p)
    )
    return sorted(found)


def _images_by_name(folder):
    """Images of a scene's folder that have one of the known names."""
    return [
        path
        for path in sorted(folder.iterdir())
        if scene_folders.role_of(path.stem)
        and path.suffix.lower() in published_files.IMAGE_EXTENSIONS
        and path.is_file()
    ]


def _files_by_role(folder):
    try:
        return scene_folders.by_role(_images_by_name(folder))
    except ValueError as error:
        raise published_files.DatasetFilesError(str(error)) from error


def _folders_by_role(root):
    try:
        return scene_folders.folders_by_role(root)
    except ValueError as error:
        raise published_files.DatasetFilesError(str(error)) from error


def _pair_folders(root):
    """Scenes of the layout with one folder per kind of image."""
    kinds = {
        role: published_files.list_images(folder)
        for role, folder in _folders_by_role(root).items()
    }
    _check_complete(root, kinds)
    blurred = published_files.by_stem(kinds["blurred"])
    matched = {
        role: dict(
            published_files.pair_view(kinds["blurred"], paths, _SUFFIXES.get(role, ""))
        )
        for role, paths in kinds.items()
    }
    return {
        name: {role: pairs[path] for role, pairs in matched.items()}
        for name, path in blurred.items()
    }


def _check_complete(place, roles):
    if "blurred" not in roles:
        raise published_files.DatasetFilesError(
            f"Expected combined.png in {place}. Received: none."
        )
    if ("left" in roles) != ("right" in roles):
        given, missing = ("left", "right") if "left" in roles else ("right", "left")
        raise published_files.DatasetFilesError(
            f"Expected {missing} beside {given} in {place}. Received: {given} alone."
        )


def make_example(scene):
    """Yields (key, example) of a scene's name and its paths."""
    yield scene[0], read_scene(*scene)


def read_scene(scene_id, paths):
    """One example; what the scene lacks is a single black pixel and a false flag.

    Raises:
        DatasetFilesError: if a file is no RGB or grey image of 8 or 16
            bits, or the sizes of a scene differ; the message names the file.
    """
    read = {role: published_files.read_native(path) for role, path in paths.items()}
    pixels = [image for image, _ in read.values()]
    published_files.check_sizes(list(paths.values()), pixels)
    example = dict.fromkeys(_ROLES, _ABSENT)
    for role, (image, stored) in read.items():
        deep = image.dtype == np.uint16
        # x * 257 is exact: >> 8 gives the 8-bit value back
        example[role] = stored if deep else image * np.uint16(257)
    example["has_views"] = "left" in paths
    example["has_sharp"] = "sharp" in paths
    example["bit_depth"] = min(8 * image.dtype.itemsize for image in pixels)
    example["scene_id"] = scene_id
    return example
