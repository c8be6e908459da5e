"""How a batch is divided: every row counts once, for any number of devices."""

import itertools

import pytest

from tf_defocus.configs import Recipe
from tf_defocus.training.batch_shares import check_batch_sizes, device_pieces


@pytest.mark.parametrize(
    ("size", "parts", "devices"),
    [(4, 1, 2), (4, 2, 2), (5, 1, 3), (5, 2, 3), (7, 3, 2), (1, 1, 3), (2, 2, 4)],
)
def test_every_row_counts_once_whatever_the_devices(size, parts, devices):
    counted = dict.fromkeys(range(size), 0.0)
    for device in range(devices):
        for part, piece in enumerate(device_pieces(device, size, parts, devices)):
            assert all(row % parts == part for row in piece.rows)
            assert [part + parts * place for place in piece.places] == list(piece.rows)
            assert piece.size == len(range(part, size, parts))
            for row in piece.rows:
                counted[row] += piece.weight / len(piece.rows)
    assert list(counted.values()) == pytest.approx([1 / size] * size)
    for part in range(parts):
        shares = [
            device_pieces(device, size, parts, devices)[part].share
            for device in range(devices)
        ]
        assert sum(shares) == pytest.approx(1)
        assert max(shares) - min(shares) < 1 / len(range(part, size, parts)) + 1e-9


def test_one_device_has_all_rows_in_order():
    (piece,) = device_pieces(0, 4, 1, 1)
    assert (piece.rows, piece.share, piece.weight) == ((0, 1, 2, 3), 1.0, 1.0)


@pytest.mark.parametrize("uneven", [False, True])
def test_sizes_that_do_not_divide_are_refused_with_the_nearest(uneven):
    recipe = Recipe(name="test", model="kpac_2level", batch_size=7)
    for parts, devices in itertools.product((1, 2), (1, 2, 4)):
        changed = recipe.replace(accumulation_steps=parts)
        if uneven or parts * devices in (1, 7):
            check_batch_sizes(changed, devices, uneven)
            continue
        with pytest.raises(ValueError, match=r"nearest|would") as caught:
            check_batch_sizes(changed, devices, uneven)
        assert f"devices = {parts * devices}; " in str(caught.value)
    small = recipe.replace(batch_size=1, accumulation_steps=2)
    with pytest.raises(ValueError, match="at least accumulation_steps = 2"):
        check_batch_sizes(small, 1, True)
