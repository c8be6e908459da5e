"""Tiles partition the photograph, keep their margins and share one size."""

import numpy as np
import pytest

from tf_defocus.restoration.tiling import Window, feather, plan_tiles, plan_windows


@pytest.mark.parametrize("length", [8, 64, 72, 136, 1000, 6008])
@pytest.mark.parametrize("tile", [0, 64, 100, 512])
@pytest.mark.parametrize("halo", [0, 3, 8, 20])
def test_insides_partition_the_axis_and_keep_their_margin(length, tile, halo):
    windows = plan_windows(length, tile, halo, 8)
    covered = np.zeros(length, int)
    for window in windows:
        covered[window.inner_start : window.inner_stop] += 1
        assert 0 <= window.start <= window.inner_start
        assert window.inner_stop <= window.stop <= length
        assert window.start == 0 or window.inner_start - window.start >= halo
        assert window.stop == length or window.stop - window.inner_stop >= halo
        assert window.start % 8 == window.stop % 8 == window.inner_start % 8 == 0
        assert tile == 0 or window.stop - window.start <= max(tile, 8)
    assert (covered == 1).all()
    assert len({window.stop - window.start for window in windows}) == 1


def test_small_photograph_is_one_window():
    assert plan_windows(40, 64, 16, 8) == (Window(0, 40, 0, 40),)
    assert plan_windows(400, 0, 16, 8) == (Window(0, 400, 0, 400),)


def test_two_windows_by_hand():
    assert plan_windows(100, 60, 10, 10) == (
        Window(0, 60, 0, 50),
        Window(40, 100, 50, 100),
    )


def test_tile_without_inside_is_refused_with_the_smallest_that_works():
    with pytest.raises(ValueError, match="use at least 72"):
        plan_windows(1000, 64, 30, 8)
    assert len(plan_windows(1000, 72, 30, 8)) > 1


def test_tiles_are_the_product_of_both_axes():
    tiles = plan_tiles(100, 60, 60, 10, (10, 10))
    assert len(tiles) == 2
    assert tiles[1] == (Window(40, 100, 50, 100), Window(0, 60, 0, 60))


def test_feathers_of_neighbours_sum_to_one_where_they_overlap():
    first, second = plan_windows(100, 60, 10, 10)
    total = np.zeros(100)
    for window in (first, second):
        total[window.start : window.stop] += feather(window, 100, 10)
    np.testing.assert_allclose(total, 1, atol=1e-6)
    np.testing.assert_allclose(feather(first, 100, 10)[:40], 1)
