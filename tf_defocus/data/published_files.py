"""The files of published datasets: found, paired, and read bit for bit or refused.

What the builders of `datasets/` share. Pairing works on lists of names and paths alone,
so that it is tested without images. Every refusal names the file or folder and says
what to do about it.
"""

import pathlib
import re

import numpy as np
from absl import logging

from tf_defocus.images import png
from tf_defocus.images.files import ImageFileError, read_image

IMAGE_EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
ARCHIVES = (".zip", ".tgz", ".tar", ".gz", ".7z", ".rar")
PNG_RGB = 2  # colour type
_MAX_BYTES = 1 << 31
_MAX_PIXELS = 1 << 28


class DatasetFilesError(ValueError):
    """The files are not the dataset: one line with the file and the remedy."""


def is_hidden(path):
    """Whether a file is the desktop's, not the dataset's: `._x`, `.DS_Store`."""
    return path.name.startswith(".") or path.name in ("Thumbs.db", "__MACOSX")


def natural_key(name):
    """Sorts `x2` before `x10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(p), "") if p.isdigit() else (-1, p.lower()) for p in parts]


def list_images(folder, extensions=IMAGE_EXTENSIONS):
    """Images of a folder in natural order, extensions in any case.

    Raises:
        DatasetFilesError: if the folder does not exist or holds no image.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise DatasetFilesError(f"Expected a folder {folder}. Received: none.")
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in extensions and not is_hidden(path)
    ]
    if not found:
        raise DatasetFilesError(f"Expected images in {folder}. Received: none.")
    return sorted(found, key=lambda path: natural_key(path.name))


def by_stem(paths):
    """dict, name without extension -> path.

    Raises:
        DatasetFilesError: if two files differ in the extension alone.
    """
    found = {}
    for path in paths:
        if path.stem in found:
            raise DatasetFilesError(
                f"Expected one file. Received: {found[path.stem]} and {path}."
            )
        found[path.stem] = path
    return found


def pair_by_stem(first, second, suffix=""):
    """Pairs of paths whose names agree without extension.

    Args:
        first, second: lists of paths.
        suffix: str that the names of `second` end in besides.

    Returns:
        List of (first, second) in the order of `first`.

    Raises:
        DatasetFilesError: if a file has no counterpart; the message names it.
    """
    left, right = by_stem(first), by_stem(second)
    wanted = {stem + suffix: stem for stem in left}
    for stem in wanted:
        if stem not in right:
            raise DatasetFilesError(
                f"Expected {stem} in {second[0].parent} beside {left[wanted[stem]]}. "
                "Received: none."
            )
    for stem, path in right.items():
        if stem not in wanted:
            raise DatasetFilesError(
                f"Expected a counterpart of {path} in {first[0].parent}. "
                "Received: none."
            )
    return [(path, right[stem + suffix]) for stem, path in left.items()]


def pair_by_order(first, second):
    """Pairs of paths by sorted order; by name as soon as one name agrees.

    Raises:
        DatasetFilesError: if the counts differ, or only some of the names agree.
    """
    if {path.stem for path in first} & {path.stem for path in second}:
        return pair_by_stem(first, second)
    if len(first) != len(second):
        raise DatasetFilesError(
            f"Expected as many images in {second[0].parent} as in {first[0].parent} "
            f"({len(first)}). Received: {len(second)}."
        )
    return list(zip(first, second))


def pair_view(blurred, view, suffix):
    """Pairs of blurred images with a view: by name, with or without `suffix`.

    Where no name of `view` is that of a blurred image, as in renamed copies, sorted
    order decides.

    Raises:
        DatasetFilesError: as `pair_by_stem` and `pair_by_order`.
    """
    names = {path.stem for path in blurred}
    if names & {path.stem for path in view}:
        return pair_by_stem(blurred, view)
    if names & {path.stem.removesuffix(suffix) for path in view}:
        return pair_by_stem(blurred, view, suffix)
    return pair_by_order(blurred, view)


def group_by_scene(images, targets, separator):
    """Pairs of many images with one target by what stands before `separator`.

    Args:
        images, targets: lists of paths; `IMG_1_ap2.png` belongs to `IMG_1.png`.
        separator: str, `_ap`.

    Returns:
        List of (image, target) in the order of `images`.

    Raises:
        DatasetFilesError: if an image has no target, or a target no image.
    """
    sharp = by_stem(targets)
    scenes = {path: path.stem.split(separator)[0] for path in images}
    for path, scene in scenes.items():
        if scene not in sharp:
            raise DatasetFilesError(
                f"Expected {scene} in {targets[0].parent} for {path}. Received: none."
            )
    for scene in sharp.keys() - set(scenes.values()):
        raise DatasetFilesError(
            f"Expected images of the scene of {sharp[scene]} in {images[0].parent}. "
            "Received: none."
        )
    return [(path, sharp[scene]) for path, scene in scenes.items()]


def check_names(found, expected, folder):
    """Compares the names in a folder with a published list.

    Raises:
        DatasetFilesError: naming the first missing or unexpected one and the counts.
    """
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    if missing or extra:
        kind, name = ("missing", missing[0]) if missing else ("unexpected", extra[0])
        raise DatasetFilesError(
            f"Expected the {len(expected)} published images in {folder}. Received: "
            f"{len(missing)} missing, {len(extra)} unexpected; {kind}: {name}."
        )


def check_count(found, published, folder):
    """Warns where a folder holds another number of scenes than was published."""
    if found != published:
        logging.warning("%s holds %d scenes; %d expected", folder, found, published)


def find_root(folder, names, is_root, expected):
    """The folder of a dataset: the one given, or a child of it of a known name.

    Args:
        folder: path that the user gave.
        names: names that the dataset's folder has when unzipped.
        is_root: function of a path, whether the dataset's files are there.
        expected: str, what should be there, for the message.

    Raises:
        DatasetFilesError: saying whether the folder is missing, an archive, a parent or
            a child of the right one, or something else.
    """
    folder = pathlib.Path(folder)
    if not folder.exists():
        raise DatasetFilesError(f"Expected a folder {folder}. Received: none.")
    if folder.is_file():
        kind = "an archive" if folder.suffix.lower() in ARCHIVES else "a file"
        raise DatasetFilesError(
            f"Expected a folder. Received: {folder}, {kind}; unzip it and pass the "
            "folder."
        )
    for root in (folder, *(folder / name for name in names)):
        if root.is_dir() and is_root(root):
            return root
    raise DatasetFilesError(
        f"Expected {expected} in {folder}. Received: {_explain(folder, is_root)}"
    )


def manual_folder(dl_manager):
    """The user's folder, from TFDS' download manager.

    Raises:
        DatasetFilesError: if it is a file; TFDS itself names a missing or empty one.
    """
    try:
        return pathlib.Path(dl_manager.manual_dir)
    except NotADirectoryError as error:
        raise DatasetFilesError(
            f"Expected manual_dir to be a folder. Received: a file ({error}); unzip "
            "it and pass the folder."
        ) from error


def _explain(folder, is_root):
    for parent in list(folder.resolve().parents)[:3]:
        if is_root(parent):
            return f"a folder inside the dataset; pass {parent}."
    for pattern in ("*", "*/*", "*/*/*"):
        for child in sorted(folder.glob(pattern)):
            if child.is_dir() and not is_hidden(child) and is_root(child):
                return f"a parent of it; pass {child}."
    archives = [p for p in folder.iterdir() if p.suffix.lower() in ARCHIVES]
    if archives:
        return f"an archive; unzip {min(archives)} first."
    held = sorted(path.name for path in folder.iterdir() if not is_hidden(path))
    return f"a folder of {held[:5]}."


def read_png_header(path):
    """Width, height, bits per sample and colour type of a PNG file.

    Raises:
        DatasetFilesError: if the file is no PNG; `.png` on it does not count.
    """
    with pathlib.Path(path).open("rb") as file:
        start = file.read(33)
    return _parse_header(start, path)


def _parse_header(content, path):
    if content[:8] != png.SIGNATURE:
        raise DatasetFilesError(f"Expected a PNG file. Received: {path}.")
    try:
        width, height, depth, colour = png.read_header(content)
    except ValueError as error:
        raise DatasetFilesError(f"{path}: {error}.") from error
    if width * height > _MAX_PIXELS:
        raise DatasetFilesError(
            f"Expected at most {_MAX_PIXELS} pixels. Received: {path}."
        )
    return width, height, depth, colour


def read_native(path):
    """One image at its file's own depth, and what of it may be stored as it stands.

    Grey files become three equal channels.

    Args:
        path: a PNG, TIFF or JPEG file.

    Returns:
        (pixels, stored): (height, width, 3) uint8 or uint16, and the file's own bytes
        where they hold just that, else the pixels.

    Raises:
        DatasetFilesError: if the file is truncated, has transparency, or is no RGB or
            grey image of 8 or 16 bits.
    """
    path = pathlib.Path(path)
    if path.stat().st_size > _MAX_BYTES:
        raise DatasetFilesError(f"Expected <= {_MAX_BYTES} bytes. Received: {path}.")
    try:
        image = read_image(path)
    except ImageFileError as error:
        raise DatasetFilesError(str(error)) from error
    pixels = image.pixels
    if image.alpha is not None:
        raise DatasetFilesError(f"Expected no transparency. Received: {path}.")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DatasetFilesError(
            f"Expected an image of 8 or 16 bits. Received: {path} of {pixels.dtype}."
        )
    content = path.read_bytes()
    if content[:8] == png.SIGNATURE:
        header = _parse_header(content, path)
        size = pixels.shape[1], pixels.shape[0]  # upright: EXIF may turn them
        if header == (*size, 8 * pixels.dtype.itemsize, PNG_RGB):
            return pixels, content
    return pixels, pixels


def read_rgb(path, dtype):
    """One image of a dataset, and whether it may be stored as its file stands.

    A 16-bit file becomes uint8 by `>> 8`, as in the published 8-bit numbers.

    Args:
        path: a PNG, TIFF or JPEG file.
        dtype: np.uint8 or np.uint16, what the dataset holds.

    Returns:
        (pixels, stored): as `read_native`, of `dtype`.

    Raises:
        DatasetFilesError: as `read_native`, or if the file holds 8 bits where 16 are
            wanted.
    """
    pixels, stored = read_native(path)
    if pixels.dtype == np.dtype(dtype):
        return pixels, stored
    if pixels.dtype < dtype:
        raise DatasetFilesError(
            f"Expected {8 * np.dtype(dtype).itemsize} bits per sample. Received: "
            f"{path} of {8 * pixels.dtype.itemsize} bits; get the "
            "original file or build an 8-bit config."
        )
    pixels = (pixels >> 8).astype(np.uint8)
    return pixels, pixels


def read_grey(path):
    """(height, width, 1) uint8 of a mask's file.

    Raises:
        DatasetFilesError: if the file cannot be read or holds colours.
    """
    pixels, _ = read_rgb(path, np.uint8)
    if np.ptp(pixels, axis=-1).any():
        raise DatasetFilesError(f"Expected a grey image. Received: {path} in colour.")
    return pixels[..., :1]


def check_sizes(paths, images):
    """Refuses images of one scene that differ in size; the message names the file."""
    shape = images[0].shape[:2]
    for path, image in zip(paths, images):
        if image.shape[:2] != shape:
            raise DatasetFilesError(
                f"Expected the size {shape} of {paths[0]}. Received: {path} of "
                f"{image.shape[:2]}."
            )
