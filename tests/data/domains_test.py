"""Photographs of three kinds: what is stored of them, and the crops of a step."""

import numpy as np
import pytest

from tf_defocus.configs.dmenet import PAPER
from tf_defocus.data.domains import KINDS, Domain, make_domain_batch, store_domain

SETTINGS = PAPER.replace(crop_size=16, shortest_side=16, longest_side=32, batch_size=2)
ROWS, COLUMNS = np.mgrid[:24, :30]
# Every pixel is another colour, so that a crop tells where it was taken.
COLOURS = np.stack([ROWS, COLUMNS, ROWS * 0], -1).astype("uint8")
DIAMETER = (0.1 * (ROWS + COLUMNS))[..., None].astype("float32")


@pytest.fixture
def domains(tmp_path):
    rendered = {"blurred": COLOURS, "blur_map": DIAMETER}
    marked = {"blurred": COLOURS, "mask": np.where(ROWS > 9, 255, 0)[..., None]}
    unmarked = {"blurred": COLOURS.astype("uint16") * 257}
    examples = dict(zip(KINDS, (rendered, marked, unmarked)))
    return {
        kind: store_domain(kind, [example] * 2, {}, SETTINGS, tmp_path / kind)
        for kind, example in examples.items()
    }


def test_crops_of_photograph_and_target_are_of_one_place(domains):
    batch = make_domain_batch(domains, SETTINGS, 3)
    assert {key: value.shape for key, value in batch.items()} == {
        "rendered": (2, 16, 16, 3),
        "rendered_target": (2, 16, 16, 1),
        "marked": (2, 16, 16, 3),
        "marked_target": (2, 16, 16, 1),
        "unmarked": (2, 16, 16, 3),
    }
    places = np.rint(255 * batch["rendered"])
    expected = (places[..., 0] + places[..., 1]) / SETTINGS.label_scale
    np.testing.assert_allclose(batch["rendered_target"][..., 0], expected, atol=1e-6)
    rows = np.rint(255 * batch["marked"][..., 0])
    np.testing.assert_array_equal(batch["marked_target"][..., 0], rows > 9)
    again = make_domain_batch(domains, SETTINGS, 3)
    other = make_domain_batch(domains, SETTINGS, 4)
    for key, value in batch.items():
        np.testing.assert_array_equal(again[key], value)
    assert (other["unmarked"] != batch["unmarked"]).any()


def test_every_turn_and_flip_occurs(domains):
    seen = set()
    for step in range(40):
        crop = make_domain_batch(domains, SETTINGS, step)["unmarked"][0]
        rows, columns = np.rint(255 * crop[..., 0]), np.rint(255 * crop[..., 1])
        steps = (rows[1, 0] - rows[0, 0], rows[0, 1] - rows[0, 0])
        steps += (columns[1, 0] - columns[0, 0], columns[0, 1] - columns[0, 0])
        seen.add(steps)
    assert len(seen) == 8


@pytest.mark.parametrize(
    "side, expected", [((8, 10), (16, 20)), ((24, 30), (24, 30)), ((64, 70), (32, 35))]
)
def test_the_shorter_side_is_kept_within_bounds(side, expected, tmp_path):
    example = {
        "blurred": np.zeros((*side, 3), "uint8"),
        "blur_map": np.ones((*side, 1)),
    }
    domain = store_domain("rendered", [example], {}, SETTINGS, tmp_path / "a")
    shapes = {name: image.shape for name, image in domain.read(0).items()}
    assert shapes == {"blurred": (*expected, 3), "blur_map": (*expected, 1)}
    assert domain.read(0)["blur_map"][0, 0, 0] == 10


def test_missing_targets_and_other_sources_are_named(tmp_path):
    example = {"blurred": COLOURS}
    with pytest.raises(ValueError, match="marked photographs need mask"):
        store_domain("marked", [example], {}, SETTINGS, tmp_path / "a")
    with pytest.raises(ValueError, match="no unmarked photographs"):
        store_domain("unmarked", [], {}, SETTINGS, tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="No finished"):
        Domain(tmp_path / "a")
    store_domain("unmarked", [example], {"dataset": "a"}, SETTINGS, tmp_path / "a")
    with pytest.raises(ValueError, match="name another"):
        store_domain("unmarked", [], {"dataset": "b"}, SETTINGS, tmp_path / "a")
