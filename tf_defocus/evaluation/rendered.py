"""Examples rendered on the spot, with all that is known about their defocus.

What stored arrays do not keep, the circle of confusion of every pixel, these have. They
are those of `synthetic_dp`'s builder: the same seed, split and number give the same
pixels.
"""

import cv2
import numpy as np

from tf_defocus.evaluation.examples import VIEWS, Example
from tf_defocus.optics import psf
from tf_defocus.synthesis import scenes

SEED = 2021  # of the builder's configurations


def render_examples(
    count, size=256, photographs=(), split="validation", exact=64, seed=SEED, first=0
):
    """Renders examples of random scenes.

    Args:
        count: int.
        size: int [px], side of the squares.
        photographs: paths of sharp photographs; none: procedural textures.
        split: "train" or "validation".
        exact: int, points of the aperture of the exact renderer; 0 renders by layers,
            which is faster.
        seed: int, of the whole set.
        first: int, number of the first example.

    Yields:
        `Example`: 16-bit views `blurred`, `left`, `right`, the sharp image, and the
        signed circle of confusion [px].

    Raises:
        ValueError: if the split is unknown.
    """
    for index in range(first, first + count):
        made = scenes.make_example(
            seed, split, index, size, photographs, aperture_samples=exact
        )
        views = {view: made[view] for view in VIEWS}
        name = f"{split}_{index:06d}"
        yield Example(name, views, made["sharp"], made["coc"])


def blurred_by_disc(photograph, radius):
    """A photograph behind a disc of that radius [px], mirrored at its edges."""
    kernel = psf.disc(radius)
    return cv2.filter2D(photograph, -1, kernel, borderType=cv2.BORDER_REFLECT)


def strips_of_blur(photograph, radii):
    """The photograph in vertical strips of one width, each behind its disc.

    Args:
        photograph: (height, width, 3) float32 in [0, 1].
        radii: of the discs [px], from left to right.

    Returns:
        Like `photograph`.
    """
    columns = np.array_split(np.arange(photograph.shape[1]), len(radii))
    parts = [blurred_by_disc(photograph, r)[:, c] for r, c in zip(radii, columns)]
    return np.concatenate(parts, axis=1)
