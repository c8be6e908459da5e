"""Side-by-side pictures: input, every method, sharp, with scores or enlarged crops."""

import pathlib

import cv2
import numpy as np

from tf_defocus.images import levels
from tf_defocus.images.files import Image, write_image

BAR_HEIGHT = 28  # [px], the strip above each picture that holds its label
LABEL_HEIGHT = 12  # [px], of capital letters
GAP = 4  # [px]
BOX_COLOURS = ((255, 200, 0), (0, 200, 255), (255, 90, 160), (120, 230, 60))
PICTURES = "pictures"  # folder of them in a result


def write_comparison(folder, record, pictures):
    """Writes `<name>.png`: the pictures in a row, each with its name and scores.

    Args:
        folder: str or path of an existing folder.
        record: dict with `name` and `scores`, method -> score name -> float.
        pictures: dict, label -> (height, width, 3) float32 in [0, 1], of one size.

    Returns:
        Path of the file.
    """
    columns = []
    for label, picture in pictures.items():
        scores = record["scores"].get(label)
        text = label
        if scores:
            text += f" {scores['psnr']:.2f} dB {scores['ssim']:.3f}"
        columns.append(_labelled(picture, text))
        columns.append(np.full((columns[0].shape[0], GAP, 3), 255, "uint8"))
    path = comparison_path(folder, record["name"])
    write_image(path, Image(np.concatenate(columns[:-1], axis=1)))
    return path


def comparison_path(folder, name):
    """Path of the picture of one example that `write_comparison` writes."""
    return pathlib.Path(folder) / f"{_file_name(name)}.png"


def write_single(folder, record, pictures):
    """Writes `<name>/<label>.png`: every picture by itself, 8 bit, as pages show them.

    Args:
        folder: str or path of an existing folder.
        record: dict with `name`.
        pictures: dict, label -> (height, width, 3) float32 in [0, 1].
    """
    for label, picture in pictures.items():
        path = single_path(folder, record["name"], label)
        path.parent.mkdir(exist_ok=True)
        write_image(path, Image(levels.to_levels(picture, "uint8")))


def find_single(folders, name, label):
    """The picture of `write_single` in the first result that has it, or None."""
    paths = (single_path(folder / PICTURES, name, label) for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def single_path(folder, name, label):
    """Path of the picture of one example and method that `write_single` writes."""
    return pathlib.Path(folder) / _file_name(name) / f"{_file_name(label)}.png"


def _file_name(name):
    return name.replace("/", "_")


def _labelled(picture, text):
    """The picture as uint8 below a dark bar with a text no wider than the picture."""
    pixels = levels.to_levels(picture, "uint8")
    width = pixels.shape[1]
    bar = np.full((BAR_HEIGHT, width, 3), 32, "uint8")
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = cv2.getFontScaleFromHeight(font, LABEL_HEIGHT)
    (text_width, _), _ = cv2.getTextSize(text, font, scale, 1)
    scale = min(scale, scale * (width - 2 * GAP) / text_width)
    origin = GAP, (BAR_HEIGHT + LABEL_HEIGHT) // 2
    cv2.putText(bar, text, origin, font, scale, (240, 240, 240), 1, cv2.LINE_AA)
    return np.concatenate([bar, pixels])


def zoomed_comparison(pictures, crops, tile):
    """The first picture with boxes, and beside it every picture's crops, enlarged.

    Args:
        pictures: dict, label -> (height, width, 3) float32 in [0, 1], of one size.
        crops: list of (left, top, width, height) [px], at least one, inside.
        tile: int [px], width of an enlarged crop.

    Returns:
        (height, width, 3) uint8: a column per picture below its label, a row per crop,
        in frames of the boxes' colours.

    Raises:
        ValueError: if a crop is empty or not inside the pictures.
    """
    whole = next(iter(pictures.values()))
    for crop in crops:
        _check_inside(crop, whole.shape)
    columns = [
        _stacked([_enlarged(picture, crop, tile) for crop in crops])
        for picture in pictures.values()
    ]
    grid = [_labelled(c / np.float32(255), t) for c, t in zip(columns, pictures)]
    boxed = _boxed(whole, crops, grid[0].shape[0])
    joined = [boxed]
    for column in grid:
        joined += [np.full((len(column), GAP, 3), 255, "uint8"), column]
    return np.concatenate(joined, axis=1)


def _check_inside(crop, shape):
    left, top, width, height = crop
    inside = left + width <= shape[1] and top + height <= shape[0]
    if min(left, top) < 0 or min(width, height) < 1 or not inside:
        raise ValueError(
            f"Expected a crop left, top, width, height inside {shape[1]}x{shape[0]} "
            f"px. Received: {', '.join(map(str, crop))}"
        )


def _colour(index):
    return BOX_COLOURS[index % len(BOX_COLOURS)]


def _enlarged(picture, crop, tile):
    left, top, width, height = crop
    part = levels.to_levels(picture[top : top + height, left : left + width], "uint8")
    size = tile, max(round(tile * height / width), 1)
    return cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)


def _stacked(tiles):
    """Tiles in a column, each in the frame of its box."""
    framed = []
    for index, tile in enumerate(tiles):
        frame = cv2.copyMakeBorder(
            tile, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=_colour(index)
        )
        framed += [frame, np.full((GAP, frame.shape[1], 3), 255, "uint8")]
    return np.concatenate(framed[:-1])


def _boxed(picture, crops, height):
    """The whole picture at a height [px], with the boxes of its crops."""
    scale = height / picture.shape[0]
    size = max(round(picture.shape[1] * scale), 1), height
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = cv2.resize(levels.to_levels(picture, "uint8"), size, interpolation=kind)
    for index, (left, top, width, tall) in enumerate(crops):
        corners = np.array([[left, top], [left + width, top + tall]]) * scale
        first, last = (tuple(map(int, np.rint(corner))) for corner in corners)
        cv2.rectangle(shown, first, last, _colour(index), 2)
    return shown
