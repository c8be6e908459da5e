"""Side-by-side pictures of an evaluation: input, every method, sharp, with scores."""

import pathlib

import cv2
import numpy as np

from tf_defocus.images import levels
from tf_defocus.images.files import Image, write_image

BAR_HEIGHT = 28  # [px], the strip above each picture that holds its label
LABEL_HEIGHT = 12  # [px], of capital letters
GAP = 4  # [px]
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
