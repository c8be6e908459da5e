"""How many sizes a photograph needs: each is restored once."""

import numpy as np

from tests.testing import load_tool

tool = load_tool("benchmark.scales_by_size")


class Brightening:
    """Stands for a `Restorer`; notes the sizes it was given."""

    def __init__(self):
        self.heights = []

    def restore(self, blurred):
        self.heights.append(len(blurred))
        change = 8 if blurred.dtype == np.uint8 else 8 / 255
        return (blurred + change).astype(blurred.dtype)


def test_every_size_is_restored_once(rng, monkeypatch):
    monkeypatch.setattr(tool.over_scales, "PROTECTED", (-2, -1))
    blurred = rng.integers(100, 140, (48, 72, 3), dtype=np.uint8)
    restorer = Brightening()
    restored = tool.restore_with_each(restorer, blurred)
    assert restorer.heights == [48, 24, 12, 6]
    assert len(restored) == 4
    for image in restored:
        assert 0 < (image.astype(int) - blurred).mean() <= 8
