"""What a run's own validation reports, on examples whose errors are known."""

import numpy as np
import pytest

from tests.data.batches_test import store
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.training.validation import CAP, validate


class Brighter:
    """Adds a hundredth."""

    view_names = ("blurred",)

    def predict_on_batch(self, views):
        return {"deblurred": views["blurred"] + np.float32(0.01)}


@pytest.fixture
def arrays(tmp_path):
    """Two examples: one exactly sharp, one a tenth too bright."""
    store(tmp_path / "arrays", count=2, size=8)
    folder = tmp_path / "arrays"
    sharp = np.full((2, 8, 8, 3), 20_000, np.uint16)
    blurred = sharp.copy()
    blurred[1] += 6554
    for name, images in (("sharp", sharp), ("blurred", blurred)):
        np.save(folder / f"{name}.npy", images)
    np.save(folder / "coc.npy", np.array([0, 5], np.float32))
    return StoredArrays(folder)


def test_psnr_gain_and_what_is_capped(arrays):
    scalars, pictures = validate(Brighter(), arrays, 2)
    after = np.array([40.0, -20 * np.log10(0.11)])
    before = np.array([120.0, 20.0])
    assert scalars["validation_psnr"] == pytest.approx(after.mean(), abs=1e-3)
    assert scalars["validation_gain"] == pytest.approx(
        (after - before).mean(), abs=1e-3
    )
    gain = scalars["validation_gain_blurred"]
    assert gain == pytest.approx(after[1] - before[1], abs=1e-3)
    assert pictures.shape == (2, 8, 24, 3)
    assert scalars["validation_psnr_capped"] == pytest.approx(after.mean(), abs=1e-3)


def test_beyond_the_cap_nothing_is_won(arrays):
    class Identity(Brighter):
        def predict_on_batch(self, views):
            return {"deblurred": views["blurred"]}

    scalars, _ = validate(Identity(), arrays, 2)
    assert scalars["validation_psnr"] == pytest.approx(70, abs=1e-3)
    assert scalars["validation_psnr_capped"] == pytest.approx((CAP + 20) / 2, abs=1e-3)


def test_without_a_blurred_example_there_is_no_gain_of_such(arrays):
    scalars, _ = validate(Brighter(), arrays, 1)
    assert "validation_gain_blurred" not in scalars
