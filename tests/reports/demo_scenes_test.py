"""The demonstration's scenes: in focus where they say so, and blurred elsewhere."""

import numpy as np

from tf_defocus.images import levels
from tf_defocus.reports import demo_scenes


def test_scenes_are_sharp_in_focus_and_blurred_by_the_stated_width(monkeypatch):
    monkeypatch.setattr(demo_scenes, "_LARGE", (120, 192))
    monkeypatch.setattr(demo_scenes, "_WIDEST", 8.0)
    scene = demo_scenes.large_example()
    assert scene.sharp.shape == (120, 192, 3) and scene.sharp.dtype == np.uint16
    coc = scene.coc[..., 0]
    assert coc[0].min() == 8 and (coc[-24:] == 0).all()
    error = levels.to_float(scene.views["blurred"]) - levels.to_float(scene.sharp)
    assert np.abs(error[-24:]).max() < 1e-4
    squared = np.square(error).mean(axis=(1, 2))
    assert squared[:24].mean() > 4 * squared[64:88].mean() > 0
