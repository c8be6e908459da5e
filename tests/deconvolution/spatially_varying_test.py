"""The blend of uniform deconvolutions: weights, levels, and what stays untouched."""

import numpy as np

from tf_defocus.deconvolution.spatially_varying import (
    blend_weights,
    deconvolve_varying,
    sigma_levels,
)


def test_levels_cover_the_map():
    assert sigma_levels(0.0) == (0.0,)
    levels = sigma_levels(3.0)
    assert levels[:2] == (0.0, 0.5) and levels[-2] < 3.0 <= levels[-1]
    np.testing.assert_allclose(np.divide(levels[2:], levels[1:-1]), 1.4)


def test_weights_interpolate_the_map_itself(rng):
    defocus_map = rng.uniform(0, 4, (7, 9))
    levels = sigma_levels(4.0)
    weights = np.stack(list(blend_weights(defocus_map, levels)))
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, atol=1e-6)
    assert weights.min() >= 0
    assert (np.count_nonzero(weights, axis=0) <= 2).all()
    np.testing.assert_allclose(
        np.tensordot(levels, weights, axes=1), defocus_map, atol=1e-5
    )


def test_every_pixel_takes_its_own_level_and_sharp_ones_stay(rng):
    image = rng.random((40, 60, 3), "float32")
    defocus_map = np.zeros((40, 60))
    defocus_map[:, 40:] = 0.5
    seen = []

    def deconvolve(part, sigma):
        seen.append((part.shape, sigma))
        return part + sigma

    restored = deconvolve_varying(image, defocus_map, deconvolve)
    np.testing.assert_array_equal(restored[:, :40], image[:, :40])
    np.testing.assert_allclose(restored[:, 40:], image[:, 40:] + 0.5, atol=1e-6)
    # Its rectangle: 20 columns and a margin of eight sigmas.
    assert seen == [((40, 24, 3), 0.5)]
