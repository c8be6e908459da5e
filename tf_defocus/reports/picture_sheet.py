"""Parts of pictures in rows, each below its label."""

import cv2
import numpy as np

BAR = 26  # [px], for the label above a part
GAP = 4  # [px]


def picture_sheet(parts, columns):
    """Labelled parts of one size in rows; what is left of the last row is white.

    Args:
        parts: list of (text, (height, width, 3) uint8).
        columns: int.

    Returns:
        (height, width, 3) uint8.
    """
    tiles = [_labelled(image, text) for text, image in parts]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _labelled(image, text):
    """A part below its label, with a white border."""
    bar = np.full((BAR, image.shape[1], 3), 255, "uint8")
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(bar, text, (2, 18), font, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    border = ((GAP, GAP), (GAP, GAP), (0, 0))
    return np.pad(np.concatenate([bar, image]), border, constant_values=255)
