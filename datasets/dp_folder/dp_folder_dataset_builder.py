"""dp_folder: any folder of dual-pixel photographs, with or without ground truth."""

import struct
from typing import ClassVar

import cv2
import numpy as np
import tensorflow_datasets as tfds
from etils import epath

_EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
# file or folder name -> feature
_ROLES = {"combined": "combined", "left": "left", "right": "right", "target": "sharp"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_RGB = 2
_MAX_PIXELS = 1 << 28
_MAX_BYTES = 1 << 31
# PNG has no empty image: what a scene lacks is one black pixel
_ABSENT = np.zeros((1, 1, 3), np.uint16)


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example per scene of the folder; features are the same for every folder."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
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
            "combined": view,
            "sharp": view,
            "has_views": np.bool_,
            "has_sharp": np.bool_,
            "bit_depth": np.int32,
            "scene_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("combined", "sharp"),
        )

    def _split_generators(self, dl_manager):
        root = epath.Path(dl_manager.manual_dir)
        return {"test": self._generate_examples(find_scenes(root))}

    def _generate_examples(self, scenes):
        for scene_id, paths in scenes.items():
            yield scene_id, read_scene(scene_id, paths)


def find_scenes(root):
    """Files of every scene of a folder in either layout.

    Args:
        root: epath.Path.

    Returns:
        dict: scene name -> dict of paths by feature (`combined`, `left`, ...).

    Raises:
        FileNotFoundError: if there is no scene, or a scene lacks a file it needs.
        ValueError: if the files of the flat layout do not pair.
    """
    if (root / "combined").is_dir():
        return _pair_folders(root)
    folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
    scenes = {folder.name: _files_by_role(folder) for folder in folders}
    scenes = {name: paths for name, paths in scenes.items() if paths}
    if not scenes:
        raise FileNotFoundError(
            f"Expected <scene>/combined.png or combined/<name>.png in {root}. "
            "Received: neither."
        )
    for name, paths in scenes.items():
        _check_complete(root / name, paths)
    return scenes


def _files_by_role(folder):
    """Images of a scene's folder that have one of the known names."""
    found = {}
    for path in _images(folder):
        role = _ROLES.get(path.stem.lower())
        if role in found:
            raise ValueError(f"Expected one file. Received: {found[role]} and {path}")
        if role is not None:
            found[role] = path
    return found


def _pair_folders(root):
    """Scenes of the layout with one folder per kind of image."""
    kinds = {
        role: _images(root / name)
        for name, role in _ROLES.items()
        if (root / name).is_dir()
    }
    _check_complete(root, kinds)
    combined = kinds["combined"]
    if not combined:
        raise FileNotFoundError(f"Expected images in {root / 'combined'}. Found none.")
    names = [path.stem for path in combined]
    if len(set(names)) != len(names):
        raise ValueError(f"Expected different names in {root / 'combined'}.")
    scenes = {name: {} for name in names}
    for role, paths in kinds.items():
        if {path.stem for path in paths} == set(names):
            paths = sorted(paths, key=lambda path: names.index(path.stem))
        if len(paths) != len(names):
            raise ValueError(
                f"Expected as many images as in {root / 'combined'} ({len(names)}). "
                f"Received: {len(paths)} in {paths[0].parent if paths else role}."
            )
        for name, path in zip(names, paths):
            scenes[name][role] = path
    return scenes


def _images(folder):
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _EXTENSIONS)


def _check_complete(place, roles):
    if "combined" not in roles:
        raise FileNotFoundError(f"Expected combined.png in {place}. Received: none.")
    if ("left" in roles) != ("right" in roles):
        given, missing = ("left", "right") if "left" in roles else ("right", "left")
        raise FileNotFoundError(
            f"Expected {missing} beside {given} in {place}. Received: {given} alone."
        )


def read_scene(scene_id, paths):
    """One example; what the scene lacks is a single black pixel and a false flag.

    Raises:
        ValueError: if a file is no RGB or grey image of 8 or 16 bits, or the sizes of a
            scene differ; the message names the file.
    """
    example = {role: _ABSENT for role in _ROLES.values()}
    shapes, depths = {}, {}
    for role, path in paths.items():
        example[role], shapes[role], depths[role] = _read_image(path)
        if shapes[role] != shapes["combined"]:
            raise ValueError(
                f"Expected the size {shapes['combined']} of {paths['combined']}. "
                f"Received: {path} of {shapes[role]}."
            )
    example["has_views"] = "left" in paths
    example["has_sharp"] = "sharp" in paths
    example["bit_depth"] = min(depths.values())
    example["scene_id"] = scene_id
    return example


def _read_image(path):
    """(16-bit image or the PNG's own bytes, (height, width), bit depth of the file)."""
    if path.stat().length > _MAX_BYTES:
        raise ValueError(f"Expected at most {_MAX_BYTES} bytes. Received: {path}.")
    content = path.read_bytes()
    if content[:8] == _PNG_SIGNATURE:
        width, height, depth, colour = struct.unpack(">IIBB", content[16:26])
        if width * height > _MAX_PIXELS:
            raise ValueError(f"Expected <= {_MAX_PIXELS} pixels. Received: {path}.")
        if depth == 16 and colour == _PNG_RGB:
            return content, (height, width), 16  # stored as it is, bit for bit
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"Expected an image of 8 or 16 bits. Received: {path}.")
    if image.ndim == 3 and image.shape[2] != 3:
        raise ValueError(f"Expected RGB without transparency. Received: {path}.")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=-1)
    depth = 8 * image.dtype.itemsize
    # x * 257 is exact: >> 8 gives the 8-bit value back
    image = image[..., ::-1].astype(np.uint16) * np.uint16(257 if depth == 8 else 1)
    return image, image.shape[:2], depth
