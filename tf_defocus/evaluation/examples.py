"""What is evaluated: pairs of defocused views and a sharp image, from any source.

Readers yield examples lazily and in a fixed order. An incomplete pair is an error that
names it, never a pair less: an average must not depend on which files are missing.
"""

import pathlib
from typing import NamedTuple

import numpy as np

from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.builders import load_examples
from tf_defocus.images import levels, scene_folders
from tf_defocus.images.files import read_image
from tf_defocus.images.kinds import format_of_extension

VIEWS = ("blurred", "left", "right")


class Example(NamedTuple):
    """One pair to be scored.

    Attributes:
        name: str, unique within its set.
        views: dict, `"blurred"`, `"left"`, `"right"` (those there are) -> (height,
            width, 3) uint8, uint16 or float32.
        sharp: array like the views.
        coc: (height, width, 1) float32, signed circle of confusion [px], or None.
        others: dict, name of another method -> its published picture of this example.
    """

    name: str
    views: dict
    sharp: np.ndarray
    coc: np.ndarray | None = None
    others: dict = {}  # noqa: RUF012 - never written to


def read_set(
    folder=None,
    arrays=None,
    dataset=None,
    split="test",
    data_dir=None,
    manual_dir=None,
    others=(),
):
    """The examples of one source, and the set's name, as the tools' options say.

    Args:
        folder: of `read_folder`, or None.
        arrays: folder of `read_arrays`, or None.
        dataset, split, data_dir, manual_dir: of `read_dataset`, or None.
        others: of `read_folder`.

    Returns:
        (iterator of `Example`, str).

    Raises:
        ValueError: unless one of folder, arrays and dataset is given.
    """
    if sum(map(bool, (folder, dataset, arrays))) != 1:
        raise ValueError("Give one of --folder, --dataset and --arrays")
    if folder:
        return read_folder(folder, others), pathlib.Path(folder).resolve().name
    if arrays:
        source = StoredArrays(arrays).source
        named = [source[key] for key in ("dataset", "split") if key in source]
        return read_arrays(arrays), ", ".join(named) or str(arrays)
    examples = read_dataset(dataset, split, data_dir, manual_dir)
    return examples, f"{dataset}, {split}"


def read_folder(folder, others=()):
    """Reads pairs from a folder, in either of the layouts of `scene_folders`.

    PNG, TIFF and JPEG files are found. Views that no example has are left out; a view
    that some examples have and others lack is an error.

    Args:
        folder: str or path.
        others: names of other methods whose published pictures lie beside the views.

    Returns:
        Iterator of `Example`, sorted by name.

    Raises:
        FileNotFoundError: if there is no pair, or a pair lacks a file.
        ValueError: if a picture is there twice, with two extensions.
    """
    folder = pathlib.Path(folder)
    found = _find_by_kind(folder) or _find_by_scene(folder)
    if not found:
        raise FileNotFoundError(
            "Expected <scene>/target.png or target/<name>.png with the views beside "
            f"it. Received: {folder}, which holds neither"
        )
    views = [view for view in VIEWS if any(view in files for files in found.values())]
    if not views:
        raise FileNotFoundError(
            f"{folder} holds target pictures but no view; put combined, left or right "
            "pictures beside them"
        )
    wanted = [*views, *others, "sharp"]
    for name, files in found.items():
        missing = [kind for kind in wanted if kind not in files]
        if missing:
            raise FileNotFoundError(
                f"{folder}: example {name!r} lacks {_named(missing)}; every example "
                f"must have {_named(wanted)}"
            )
    return _read_files(found, views, others)


def _named(kinds):
    """What their files are called."""
    return ", ".join(scene_folders.WORDS.get(kind, (kind,))[0] for kind in kinds)


def _read_files(found, views, others):
    for name in sorted(found):
        pixels = {
            kind: read_image(found[name][kind]).pixels
            for kind in (*views, *others, "sharp")
        }
        yield Example(
            name,
            {view: pixels[view] for view in views},
            pixels["sharp"],
            others={method: pixels[method] for method in others},
        )


def _find_by_scene(folder):
    """dict, scene -> dict, kind -> path; a folder without any such file is no scene."""
    found = {}
    for scene in _folders(folder):
        paths = _pictures(scene)
        files = {path.stem: path for path in paths} | scene_folders.by_role(paths)
        if {*VIEWS, "sharp"} & files.keys():
            found[scene.name] = files
    return found


def _find_by_kind(folder):
    """dict, name -> dict, kind -> path; empty if no folder holds the sharp images."""
    roles = scene_folders.folders_by_role(folder)
    if "sharp" not in roles:
        return {}
    known = roles.values()
    others = {path.name: path for path in _folders(folder) if path not in known}
    files = {kind: _pictures(path) for kind, path in (roles | others).items()}
    return scene_folders.match({kind: paths for kind, paths in files.items() if paths})


def _folders(folder):
    return [path for path in sorted(folder.iterdir()) if path.is_dir()]


def _pictures(folder):
    """Paths of the pictures in a folder, sorted.

    Raises:
        ValueError: if two differ in the extension alone.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        if format_of_extension(path) and not path.name.startswith("."):
            if path.stem in found:
                raise ValueError(f"{found[path.stem]} is there twice: {path}")
            found[path.stem] = path
    return list(found.values())


def read_dataset(dataset, split, data_dir=None, manual_dir=None):
    """Reads pairs of a TFDS dataset of this project.

    Args:
        dataset: str, `name/config`.
        split: str, a TFDS split.
        data_dir: where prepared data are kept.
        manual_dir: folder of files that the user fetched, for datasets that need it.

    Yields:
        `Example`, in the dataset's order.

    Raises:
        ValueError: if an example has no sharp image or no view.
    """
    loaded = load_examples(dataset, split, data_dir, manual_dir)
    for index, features in enumerate(loaded):
        views = {view: features[view] for view in VIEWS if view in features}
        if "sharp" not in features or not views:
            raise ValueError(
                f"{dataset} cannot be scored: it needs a sharp image and a view. "
                f"Received: features {sorted(features)}"
            )
        scene = features.get("scene_id", b"")
        scene = scene.decode() if isinstance(scene, bytes) else str(scene)
        name = f"{index:04d}_{scene}" if scene else f"{index:04d}"
        yield Example(name, views, features["sharp"], features.get("coc"))


def read_arrays(folder):
    """Reads pairs of decoded arrays, as training validates on them.

    Args:
        folder: of `arrays.StoredArrays`.

    Yields:
        `Example`; its `coc` is one number, the mean of the absolute value.
    """
    arrays = StoredArrays(folder)
    for index in range(len(arrays)):
        images = arrays.read_stored(index)
        sharp = images.pop("sharp")
        coc = arrays.mean_coc
        if coc is not None:
            coc = np.full((1, 1, 1), coc[index], np.float32)
        yield Example(f"{index:04d}", images, sharp, coc)


def sharp_as_input(examples):
    """The same examples with the sharp image in place of every view.

    A restorer that does no harm leaves these as they are: its scores say how much it
    alters what was in focus.

    Args:
        examples: iterable of `Example` or (name, views, sharp).

    Yields:
        `Example`, without circles of confusion or other methods' pictures.
    """
    for example in examples:
        name, views, sharp = example[:3]
        yield Example(name, dict.fromkeys(views, sharp), sharp)


def add_noise(examples, sigma, seed=0):
    """The same examples with white noise on every view [KPAC Tab. 8, GKMNet Tab. 2].

    The views stay files of their depth: noisy integers are clipped and rounded. The
    noise depends on the seed, the example's name and the view's alone, so that every
    method sees the same, whichever else is scored beside it.

    Args:
        examples: iterable of `Example` or (name, views, sharp).
        sigma: float >= 0, standard deviation [of 255, at any depth].
        seed: int.

    Yields:
        `Example`, without other methods' pictures, which were made without the noise.

    Raises:
        ValueError: if sigma is negative or not finite.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma must be at least 0 [of 255]. Received: {sigma}")
    for item in examples:
        example = Example(*item)
        views = {
            kind: _noisy(view, sigma, f"{seed}/{example.name}/{kind}")
            for kind, view in example.views.items()
        }
        yield example._replace(views=views, others={})


def _noisy(view, sigma, key):
    full = levels.full_scale(view.dtype)
    rng = np.random.default_rng(list(key.encode()))
    noise = rng.standard_normal(view.shape, dtype=np.float32)
    noisy = np.clip(view + np.float32(sigma / 255 * full) * noise, 0, full)
    if view.dtype.kind == "u":
        noisy = np.rint(noisy)
    return noisy.astype(view.dtype)
