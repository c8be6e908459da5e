"""The papers' baseline: quantised blur sizes, the rows, a restorer's manners."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from tf_defocus.deconvolution.ebdb import estimate_ebdb_map
from tf_defocus.deconvolution.fast_deconvolution import (
    deconvolve_padded,
    truncated_gaussian,
)
from tf_defocus.deconvolution.level_restorer import (
    FIDELITIES,
    dmenet_restorer,
    dmenet_sigma,
    ebdb_restorer,
    quantize_sigma,
)
from tf_defocus.deconvolution.two_step import ROWS, create_row


def _hazen(sizes, share):
    """Sample k of n is the (k - 1/2) / n quantile; linear in between."""
    position = share * len(sizes) - 0.5
    lower = int(np.clip(np.floor(position), 0, len(sizes) - 1))
    upper = min(lower + 1, len(sizes) - 1)
    weight = np.clip(position - lower, 0, 1)
    return sizes[lower] * (1 - weight) + sizes[upper] * weight


def test_sizes_become_the_left_edges_of_33_bins(rng):
    sigma = rng.integers(0, 256, (20, 30)) / 51
    sizes = np.unique(sigma)
    edges = np.array([sizes[0], *(_hazen(sizes, k / 33) for k in range(1, 33))])
    expected = [edges[edges <= s].max() for s in sigma.ravel()]
    levels = quantize_sigma(sigma)
    assert len(np.unique(levels)) == 33
    np.testing.assert_allclose(levels.ravel(), expected, atol=1e-12)
    np.testing.assert_array_equal(quantize_sigma(np.full((2, 3), 1.5)), 1.5)


def test_dmenets_map_is_a_diameter_of_15_px_less_the_pixel():
    expected = [0, 0, 0.5, 7]
    found = dmenet_sigma(np.array([0, 1 / 15, 2 / 15, 1]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_every_pixel_comes_from_its_own_level():
    image = data.astronaut()[100:164, 170:250].astype(np.float32) / 255
    stored = np.zeros(image.shape[:2])
    stored[:, 40:] = 51 / 255  # sigma 1 after (15 D - 1) / 2
    restored = dmenet_restorer(lambda _: stored, fidelity=100.0).restore(image)
    for columns, sigma in ((slice(0, 40), 0.0), (slice(40, 80), 1.0)):
        whole = deconvolve_padded(image, truncated_gaussian(sigma), 100.0)
        expected = np.clip(whole[:, columns], 0, 1)
        np.testing.assert_allclose(restored[:, columns], expected, atol=1e-6)


def test_the_map_is_rounded_as_its_file_is():
    image = np.full((4, 5, 3), 0.5, np.float32)
    seen = []

    def to_sigma(stored):
        seen.append(stored)
        return 0 * stored

    restorer = dmenet_restorer(lambda _: np.full((4, 5), 0.5001))
    restorer.to_sigma = to_sigma
    restorer.restore(image)
    np.testing.assert_array_equal(seen[0], 128 / 255)


def test_a_known_map_gains_on_uniform_blur():
    sharp = data.astronaut()
    blurred = ndimage.gaussian_filter(sharp.astype(np.float64), (1.5, 1.5, 0))
    crop = (slice(120, 248), slice(170, 298))
    blurred, sharp = np.rint(blurred)[crop].astype(np.uint8), sharp[crop]
    stored = np.full(sharp.shape[:2], 4 / 15)  # sigma 1.5
    restored = create_row("two_step_dmenet", 420.0, lambda _: stored).restore(blurred)
    before, after = (np.mean((i / 255 - sharp / 255) ** 2) for i in (blurred, restored))
    assert -10 * np.log10(after / before) > 1.5


def test_ebdb_row_undoes_its_own_map():
    image = data.astronaut()[100:148, 170:234].astype(np.float32) / 255
    stored = np.rint(255 * estimate_ebdb_map(image) / 5) / 255
    levels = quantize_sigma(5 * stored)
    restored = ebdb_restorer(fidelity=50.0).restore(image)
    sigma = np.unique(levels)[-2]
    whole = deconvolve_padded(image, truncated_gaussian(sigma), 50.0)
    here = levels == sigma
    assert here.any() and len(np.unique(levels)) > 5
    np.testing.assert_allclose(restored[here], np.clip(whole, 0, 1)[here], atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(1, 1), (17, 23)])
def test_rows_keep_shape_and_dtype(dtype, size, rng):
    full = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    image = (rng.random((*size, 3)) * full).astype(dtype)
    for name in ("two_step_ebdb", "two_step_dmenet"):
        restorer = create_row(
            name, estimate_defocus=lambda i: np.full(i.shape[:2], 0.2)
        )
        assert restorer.fidelity == FIDELITIES["dpdd"] == 16.8
        assert restorer.view_names == ("blurred",)
        restored = restorer.restore(blurred=image)
        assert restored.shape == image.shape and restored.dtype == dtype


def test_bad_rows_and_images_are_refused():
    with pytest.raises(ValueError, match=r"must be one of .*two_step_ebdb"):
        create_row("ebdb")
    with pytest.raises(ValueError, match="needs estimate_defocus"):
        create_row("two_step_dmenet")
    with pytest.raises(ValueError, match="uint8, uint16 or float32"):
        create_row("two_step_ebdb").restore(np.zeros((4, 4, 3)))
    assert len(ROWS) == 5
