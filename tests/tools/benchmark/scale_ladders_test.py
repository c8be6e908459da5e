"""Ladders of sizes: what is restored, and what the width alone could choose."""

import numpy as np

from tests.testing import load_tool

tool = load_tool("benchmark.scale_ladders")


class Brightening:
    """Stands for a `Restorer`."""

    def restore(self, blurred):
        return blurred + np.float32(0.01)


def test_a_cascade_restores_what_the_coarser_sizes_improved(rng, monkeypatch):
    def choose(evidence, num_scales):
        trust = np.zeros((*evidence.shape, num_scales), np.float32)
        trust[..., -1] = 1  # the coarsest alone
        return trust, None

    monkeypatch.setattr(tool.scale_choice, "choose_everywhere", choose)
    blurred = 0.5 * rng.random((64, 96, 3), dtype=np.float32)
    found = tool.ladders(Brightening(), Brightening(), blurred)
    assert [len(changes) for changes in found.values()] == [4, 4, 7, 4]
    for index, change in enumerate(found["cascade"]):
        assert change.shape == (64 >> index, 96 >> index, 3)
        np.testing.assert_allclose(change, 0.01 * (4 - index), atol=1e-5)
    three = [change.shape[:2] for change in found["with three sizes between"][4:]]
    assert three == [(48, 64), (24, 32), (8, 16)]


def test_the_width_tells_how_much_of_a_change_is_right(rng):
    parts = []
    for _ in range(2):
        sharp, blurred = (rng.random((64, 64, 3), dtype=np.float32) for _ in range(2))
        coc = np.full((64, 64), 1.5, np.float32)
        coc[:, 32:] = 24  # there a third of the change is right, elsewhere half of it
        factor = np.where(coc > 2, 3, 2)[..., None].astype(np.float32)
        example = {"sharp": sharp, "blurred": blurred, "coc": coc}
        parts.append(tool.cells_of(example, [factor * (sharp - blurred)]))
    gains = tool.mean_gains(parts)
    assert gains[0] > 10 and gains[3] > 10
    assert np.isnan(gains[[1, 2, 4, 5]]).all()
