"""dpdd: the dual-pixel defocus deblurring set of Abuolaim and Brown, ECCV 2020."""

import dataclasses
import functools
import pathlib
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, dpdnet_patches, published_files

_SPLITS = {"train": "train", "validation": "val", "test": "test"}  # ours -> files'
_ENVIRONMENTS = ("unknown", "indoor", "outdoor")
_ROLES = ("blurred", "left", "right", "sharp")
_EXPECTED = "{train,val,test}_c/source or {train,val,test}/inputC"
_ROOTS = ("dd_dp_dataset_canon", "DPDD", "dd_dp_dataset_canon_patch")
# role -> folder below the root, for a split
_LAYOUTS = (
    {
        "blurred": "{0}_c/source",
        "left": "{0}_l/source",
        "right": "{0}_r/source",
        "sharp": "{0}_c/target",
    },
    {
        "blurred": "{0}/inputC",
        "left": "{0}/inputL",
        "right": "{0}/inputR",
        "sharp": "{0}/target",
    },
    {
        "blurred": "{0}/{0}/inputC",
        "left": "{0}/{0}/inputL",
        "right": "{0}/{0}/inputR",
        "sharp": "{0}/{0}/target",
    },
)


@dataclasses.dataclass
class DpddConfig(tfds.core.BuilderConfig):
    """What of DPDD is stored.

    Attributes:
        bits: int, 16 or 8 per sample.
        patch_size: int [px]; 0: whole images.
        train_stride, validation_stride: int [px], between patches.
        dropped: float, share of the least sharp training patches of a scene.
        lists: folder of train.txt, val.txt and test.txt, the pairs to expect; the
            published ones if empty.
    """

    bits: int = 16
    patch_size: int = 0
    train_stride: int = 204
    validation_stride: int = 506
    dropped: float = 0.3
    lists: str = ""


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per scene, or per patch of a scene."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get dd_dp_dataset_canon.zip from the authors of DPDD (or the copies of IFAN, "
        "DRBNet, Restormer, K3DN), unzip it and pass the folder as manual_dir; it "
        f"holds {_EXPECTED}, 350 + 74 + 76 scenes of four images."
    )
    BUILDER_CONFIGS: ClassVar = [
        DpddConfig(name="full_16bit", description="The files, bit for bit."),
        DpddConfig(name="full_8bit", description="16-bit values >> 8.", bits=8),
        DpddConfig(
            name="patches_512_16bit",
            description="DPDNet's patches, 16 bits.",
            patch_size=512,
        ),
        DpddConfig(
            name="patches_512_8bit",
            description="DPDNet's patches, >> 8.",
            patch_size=512,
            bits=8,
        ),
    ]

    def _info(self):
        config = self.builder_config
        dtype = np.uint16 if config.bits == 16 else np.uint8
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=dtype, encoding_format="png"
        )
        features = {
            **{role: image for role in _ROLES},
            "scene_id": tfds.features.Text(),
            "environment": tfds.features.ClassLabel(names=_ENVIRONMENTS),
        }
        if config.patch_size:
            features["patch_yx"] = tfds.features.Tensor(shape=(2,), dtype=np.int32)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "sharp"),
        )

    def _split_generators(self, dl_manager):
        config = self.builder_config
        lists = epath.Path(config.lists or self.pkg_dir_path / "splits")
        published = {split: read_pairs(lists, split) for split in _SPLITS.values()}
        patches = bool(config.patch_size)
        manual_dir = published_files.manual_folder(dl_manager)
        scenes = find_scenes(manual_dir, published, patches)
        return {
            split: self._generate_examples(split, scenes[name])
            for split, name in _SPLITS.items()
            if name in scenes
        }

    def _generate_examples(self, split, scenes):
        make = functools.partial(make_examples, split=split, config=self.builder_config)
        return self.examples_of(scenes, make)


def make_examples(scene, split, config):
    """Yields (key, example): the scene, or every patch of it that is kept."""
    example = {"scene_id": scene["scene_id"], "environment": scene["environment"]}
    pixels, stored = read_scene(scene["paths"], config.bits)
    if not config.patch_size or scene["is_patch"]:
        if config.patch_size:
            example["patch_yx"] = np.full(2, -1, np.int32)  # not recorded
        yield scene["scene_id"], {**example, **stored}
        return
    for corner, images in cut_patches(pixels, split, config):
        key = f"{scene['scene_id']}_{corner[0]}_{corner[1]}"
        example["scene_id"] = key
        yield key, {**example, **images, "patch_yx": np.int32(corner)}


def read_pairs(lists, split):
    """[(name of the source, name of the target)] of a published split, in order."""
    text = (epath.Path(lists) / f"{split}.txt").read_text()
    return [tuple(line.split()) for line in text.splitlines()]


def find_scenes(manual_dir, published, patches=False):
    """Files of every scene of every split.

    Args:
        manual_dir: path, the dataset's folder or its parent.
        published: dict, `train`, `val`, `test` -> list of (source, target) names.
        patches: bool, whether a patch config asks; splits are then `train` and `val`.

    Returns:
        dict, split -> list of dict with `scene_id`, `environment`, `is_patch` and
        `paths`, a dict of paths by feature.

    Raises:
        DatasetFilesError: if the folder is not DPDD or is incomplete.
    """
    root = published_files.find_root(manual_dir, _ROOTS, is_root, _EXPECTED)
    found = _list_files(root)
    cut = _are_patches(found)
    wanted = _wanted_splits(root, found, patches, cut)
    scenes = {}
    for split in wanted:
        pairs = pair_split(found[split], None if cut else published[split])
        labels = ["unknown"] * len(pairs)
        if split == "test":
            labels = read_environments(root, len(pairs))
        scenes[split] = [
            {
                "scene_id": paths["blurred"].stem,
                "environment": label,
                "is_patch": cut,
                "paths": paths,
            }
            for paths, label in zip(pairs, labels)
        ]
    return scenes


def holds_patches(manual_dir):
    """Whether the folder holds DPDNet's patches; raises as `find_scenes` does."""
    root = published_files.find_root(manual_dir, _ROOTS, is_root, _EXPECTED)
    return _are_patches(_list_files(root))


def _list_files(root):
    """dict, split -> dict, feature -> sorted paths, for the splits that are there."""
    found = {}
    for split in _SPLITS.values():
        folders = _folders(root, split)
        if folders is not None:
            files = {r: published_files.list_images(p) for r, p in folders.items()}
            found[split] = files
    return found


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return any(_folders(folder, split) for split in _SPLITS.values())


def _folders(root, split):
    """dict of existing folders by feature, or None where the split is not there."""
    for layout in _LAYOUTS:
        if (root / layout["blurred"].format(split)).is_dir():
            return {role: root / name.format(split) for role, name in layout.items()}
    return None


def _are_patches(found):
    """DPDNet's patches have names of five digits; originals start with 1P0A."""
    paths = [path for files in found.values() for path in files["blurred"]]
    return all(len(path.stem) == 5 and path.stem.isdigit() for path in paths)


def _wanted_splits(root, found, patches, cut):
    if cut and not patches:
        raise published_files.DatasetFilesError(
            f"Expected whole images. Received: {root} holds DPDNet's patches; build "
            "a config patches_512_*."
        )
    wanted = ["train", "val"] if patches else ["train", "val", "test"]
    if not patches and list(found) == ["test"] and _has_equal_names(found["test"]):
        return ["test"]  # as K3DN's evaluation has it
    for split in wanted:
        if split not in found:
            raise published_files.DatasetFilesError(
                f"Expected the splits {wanted} in {root}. Received: {sorted(found)}; "
                f"{split} is missing, unzip the whole archive."
            )
    return wanted


def _has_equal_names(files):
    names = [[path.stem for path in paths] for paths in files.values()]
    return all(other == names[0] for other in names)


def pair_split(files, published):
    """The four files of every scene of a split.

    Args:
        files: dict, feature -> sorted list of paths.
        published: list of (source, target) names, or None for DPDNet's patches.

    Returns:
        List of dict, feature -> path, sorted by the name of the blurred image.

    Raises:
        DatasetFilesError: naming what does not pair.
    """
    blurred = files["blurred"]
    pairs = {path: {"blurred": path} for path in blurred}
    targets = dict(published or ())
    stems = published_files.by_stem(blurred)
    original = bool(stems.keys() & targets.keys())
    if original:
        published_files.check_names(stems, targets, blurred[0].parent)
    elif published is not None and len(blurred) != len(published):
        raise published_files.DatasetFilesError(
            f"Expected {len(published)} images in {blurred[0].parent}. "
            f"Received: {len(blurred)}."
        )
    for role, suffix in (("left", "_L"), ("right", "_R")):
        for path, other in published_files.pair_view(blurred, files[role], suffix):
            pairs[path][role] = other
    sharp = files["sharp"]
    names = published_files.by_stem(sharp)
    if original and names.keys() != stems.keys():
        published_files.check_names(names, targets.values(), sharp[0].parent)
        matched = [(path, names[targets[path.stem]]) for path in blurred]
    else:
        matched = published_files.pair_by_order(blurred, sharp)
    for path, other in matched:
        pairs[path]["sharp"] = other
    return list(pairs.values())


def read_environments(root, count):
    """`indoor` or `outdoor` of the sorted test scenes; `unknown` without lists.

    The lists hold positions from 1.

    Raises:
        DatasetFilesError: if the lists do not name every scene once.
    """
    for folder in (root, root / "test", root / "test" / "test"):
        paths = [folder / f"{name}_labels.npy" for name in _ENVIRONMENTS[1:]]
        if all(path.exists() for path in paths):
            break
    else:
        return ["unknown"] * count
    labels = {}
    for name, path in zip(_ENVIRONMENTS[1:], paths):
        with pathlib.Path(path).open("rb") as file:
            positions = np.load(file, allow_pickle=False).ravel()
        labels.update({int(position): name for position in positions})
    if sorted(labels) != list(range(1, count + 1)):
        raise published_files.DatasetFilesError(
            f"Expected positions 1 to {count} in {paths[0]} and {paths[1].name}. "
            f"Received: {len(labels)} from {min(labels)} to {max(labels)}."
        )
    return [labels[position] for position in range(1, count + 1)]


def read_scene(paths, bits):
    """(pixels, stored) of a scene's images, each a dict by feature.

    Raises:
        DatasetFilesError: naming a file of other bits or size.
    """
    dtype = np.uint16 if bits == 16 else np.uint8
    read = {role: published_files.read_rgb(path, dtype) for role, path in paths.items()}
    pixels = {role: pair[0] for role, pair in read.items()}
    published_files.check_sizes(list(paths.values()), list(pixels.values()))
    return pixels, {role: pair[1] for role, pair in read.items()}


def cut_patches(pixels, split, config):
    """DPDNet's patches of a scene: ((y, x), dict of patches by feature).

    The sharpness that decides is the target's, at the bits that are stored.
    """
    size = config.patch_size
    train = split == "train"
    stride = config.train_stride if train else config.validation_stride
    height, width = pixels["sharp"].shape[:2]
    corners = dpdnet_patches.patch_corners(height, width, size, stride)
    kept = range(len(corners))
    if train:
        cuts = [pixels["sharp"][y : y + size, x : x + size] for y, x in corners]
        energies = dpdnet_patches.sharpness_energies(cuts)
        kept = dpdnet_patches.sharpest(energies, config.dropped)
    for y, x in (corners[index] for index in kept):
        yield (y, x), {r: p[y : y + size, x : x + size] for r, p in pixels.items()}
