"""A picture of one colour keeps it, up to its corners."""

import itertools

import numpy as np
import pytest

from tf_defocus.models import presets
from tf_defocus.restoration.restorer import Restorer

LEVELS = (0, 128, 255)
# 15 colours: greys, primaries, their mixtures, and muted ones
COLOURS = [
    *((level,) * 3 for level in LEVELS),
    *((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)),
    *((255, 0, 255), (30, 60, 90), (200, 180, 20), (90, 20, 160), (12, 40, 8)),
    *((240, 225, 210), (64, 64, 80)),
]


@pytest.mark.parametrize("name", sorted(presets.list_presets()))
def test_flat_colours_stay_within_two_levels(name):
    restorer = Restorer.from_preset(name)
    assert len(COLOURS) == 15
    for colour in COLOURS:
        image = np.broadcast_to(np.array(colour, np.uint8), (52, 71, 3)).copy()
        restored = restorer.restore(**dict.fromkeys(restorer.view_names, image))
        change = np.abs(restored.astype(int) - image).max()
        assert change <= 2, f"{colour}: {change} levels"


def test_without_the_margin_the_corners_change():
    """What the margin is for: KPAC's own zero padding changes colours."""
    restorer = Restorer.from_preset("kpac_3level", margin=0)
    worst = 0
    for colour in itertools.islice(COLOURS, 6):
        image = np.broadcast_to(np.array(colour, np.uint8), (52, 71, 3)).copy()
        restored = restorer.restore(blurred=image)
        worst = max(worst, np.abs(restored.astype(int) - image).max())
    assert worst > 4
