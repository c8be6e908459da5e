"""DPDNet's training patches: overlapping, snapped to the border, the sharpest kept.

Source: Abuolaim and Brown, "Defocus Deblurring Using Dual-Pixel Data", ECCV 2020, and
the patch extraction published with it.
"""

import cv2
import numpy as np

SOBEL_SIZES = (3, 7, 11, 15)


def patch_corners(height, width, size, stride):
    """Corners (y, x) of overlapping patches; the last row and column end at the border.

    A full DPDD image (1120, 1680) with size 512 has 4 x 7 corners at stride 204 and
    3 x 4 at stride 506.

    Raises:
        ValueError: if the image is smaller than a patch.
    """
    if min(height, width) < size:
        raise ValueError(
            f"Expected an image of at least {size} x {size}. "
            f"Received: {height} x {width}."
        )
    rows = [*range(0, height - size, stride), height - size]
    columns = [*range(0, width - size, stride), width - size]
    return [(y, x) for y in rows for x in columns]


def sharpness_energies(patches):
    """Summed gradient magnitudes of patches at four sizes of the Sobel filter.

    Args:
        patches: list of (height, width, 3) RGB arrays, uint8 or uint16.

    Returns:
        (patches, 4) float64, at sizes 3, 7, 11 and 15.
    """
    energies = np.empty((len(patches), len(SOBEL_SIZES)))
    for row, patch in zip(energies, patches):
        grey = cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_RGB2GRAY)
        for column, size in enumerate(SOBEL_SIZES):
            horizontal = cv2.Sobel(grey, cv2.CV_64F, 1, 0, ksize=size)
            vertical = cv2.Sobel(grey, cv2.CV_64F, 0, 1, ksize=size)
            row[column] = np.hypot(horizontal, vertical).sum()
    return energies


def sharpest(energies, dropped=0.3):
    """Indices of the patches of one image that are kept, in their order.

    Each column of energies is stretched to [0, 1] over the image's patches; the product
    of the columns ranks them, and `int(dropped * patches)` of the lowest go: 8 of 28.
    Where all patches are alike, as in a constant image, a column ranks none of them
    and counts as 1 for all.

    Args:
        energies: (patches, columns) array.
        dropped: float, share of the patches.

    Returns:
        List of int.
    """
    low, high = energies.min(axis=0), energies.max(axis=0)
    span = high - low
    alike = span == 0
    stretched = (energies - low) / np.where(alike, 1.0, span)
    product = np.where(alike, 1.0, stretched).prod(axis=1)
    order = np.argsort(product, kind="stable")
    return sorted(order[int(dropped * len(order)) :].tolist())
