"""Examples rendered on the spot, with all that is known about their defocus.

What stored arrays do not keep, the circle of confusion of every pixel, these have. They
are those of `synthetic_dp`'s builder: the same seed, split and number give the same
pixels.
"""

from tf_defocus.evaluation.examples import VIEWS, Example
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
