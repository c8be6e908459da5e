"""What the choice of sizes is calibrated on."""

import numpy as np
import pytest

from tf_defocus.evaluation import scale_calibration as calibration
from tf_defocus.restoration import scale_choice, scale_evidence
from tf_defocus.restoration.scale_blending import enlarge


@pytest.fixture
def example(rng):
    return {
        "blurred": rng.integers(0, 255, (64, 128, 3), dtype=np.uint8),
        "sharp": rng.integers(0, 65535, (64, 128, 3), dtype=np.uint16),
        "coc": np.full((64, 128), 5.0, np.float32),
    }


@pytest.fixture
def restored(rng):
    sizes = [(64 >> k, 128 >> k, 3) for k in range(4)]
    return [rng.random(size, dtype=np.float32) for size in sizes]


def test_cells_hold_the_error_that_trust_leaves(rng, example, restored):
    """Even trust everywhere leaves what its image leaves, cell by cell."""
    cells = calibration.cells(example, restored, rng)
    assert len(cells["widths"]) == 16 * 32
    trust = np.array([0.4, 0.1, 0.3, 0.2])
    blurred = reduced = example["blurred"] / np.float32(255)
    total = 0.0
    for index, (image, weight) in enumerate(zip(restored, trust)):
        change = (image - reduced).astype(np.float32)
        total = total + weight * (enlarge(change, 1 << index) if index else change)
        reduced = scale_evidence.halve(reduced)
    error = ((example["sharp"] / 65535 - blurred - total) ** 2).sum(axis=-1)
    expected = calibration._mean_product(error[..., None], np.ones(1)).ravel()
    left = calibration.left_over(cells, np.tile(trust, (len(expected), 1)))
    np.testing.assert_allclose(np.sort(left), np.sort(expected), rtol=2e-4)


def test_smooth_places_do_not_count(rng, example, restored):
    example["sharp"][:, :64] = 9000
    detailed = calibration.has_detail(example["sharp"])
    assert not detailed[:, :20].any()
    assert detailed[:, 90:].all()
    example["sharp"][:] = 9000
    assert calibration.cells(example, restored, rng) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_scales_are_what_fewer_restorations_give(rng, example, restored, count):
    def all_cells(images):
        changes = calibration.changes(example["blurred"], images)
        evidence, _ = scale_evidence.gather(example["blurred"], images[0], changes[1:])
        features = evidence.features()
        return features.reshape(-1, features.shape[-1])

    cells = {"features": all_cells(restored)}
    cells["products"] = np.ones((len(cells["features"]), 4, 4))
    cells["projections"] = np.ones((len(cells["features"]), 4))
    fewer = calibration.with_fewer_scales(cells, count)
    expected = all_cells(restored[:count])
    np.testing.assert_allclose(fewer["features"], expected, rtol=1e-5, atol=1e-5)
    assert fewer["products"].sum() == len(expected) * count**2


def test_the_fit_learns_which_size_is_right(rng):
    """Size 1 is right where the first feature is high, size 3 where it is low."""
    count = 1500
    features = rng.standard_normal((count, scale_evidence.NUM_FEATURES))
    right = np.where(features[:, 0] > 0, 0, 2)
    cells = {
        "features": features.astype(np.float32),
        "products": np.tile(np.eye(4, dtype=np.float32), (count, 1, 1)),
        "projections": np.eye(4, dtype=np.float32)[right],
        "errors": np.ones(count, np.float32),
        "widths": np.where(right, 60, 8).astype(np.float32),
        "weights": np.ones(count, np.float32),
    }
    weights = calibration.fit([cells], epochs=60)
    trust, width = scale_choice.choose(cells["features"][:, None], 4, weights)
    clear = np.abs(features[:, 0]) > 0.5
    chosen = trust[:, 0].argmax(axis=-1)
    assert (chosen == right)[clear].mean() > 0.9
    assert np.median(width[clear & (right == 2)]) > 1.3 * np.median(
        width[clear & (right == 0)]
    )
    left = calibration.left_over(cells, trust[:, 0])
    gain = calibration.gains(cells["errors"], left, cells["widths"])
    assert np.isnan(gain[0])
    assert gain[2] > 3
    assert gain[4] > 3


def test_evidence_is_told_apart():
    spectrum, network = map(calibration.columns_of, ("spectrum", "network"))
    windows = len(scale_evidence.WINDOWS)
    assert len(spectrum) == 7 * windows
    assert len(network) == 10 * windows
    assert not set(spectrum) & set(network)
    assert len(calibration.columns_of("both")) == scale_evidence.NUM_FEATURES
