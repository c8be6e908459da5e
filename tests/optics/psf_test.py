"""Kernels against closed forms of their shapes, centroids and second moments."""

import numpy as np
import pytest

from tf_defocus.optics import psf
from tf_defocus.optics.psf import ApertureSplit, dual_pixel_pair

every_family = pytest.mark.parametrize("family", psf.FAMILIES)
sizes = pytest.mark.parametrize("coc", [0.3, 0.6, 1.0, -2.0, 5.3, -13.0, 24.0])


def offsets(kernel):
    return np.arange(len(kernel)) - len(kernel) // 2


def centroid(kernel):
    return float(np.sum(kernel * offsets(kernel)[None, :]))


def centroid_gap(coc, split):
    left, right = dual_pixel_pair(coc, split)
    return centroid(left) - centroid(right)


@every_family
@sizes
def test_invariant_01_kernels_are_mirrored_distributions(family, coc):
    left, right = dual_pixel_pair(coc, ApertureSplit(family))
    assert left.shape == right.shape and left.shape[0] % 2 == 1
    for kernel in (left, right):
        assert kernel.min() >= 0.0
        np.testing.assert_allclose(kernel.sum(), 1.0, atol=1e-14)
        np.testing.assert_array_equal(kernel, kernel[::-1])
    np.testing.assert_array_equal(right, left[:, ::-1])


@pytest.mark.parametrize("family", ["half_disc", "linear", "logistic"])
@sizes
def test_invariant_01_views_average_to_the_disc(family, coc):
    left, right = dual_pixel_pair(coc, ApertureSplit(family))
    expected = psf.disc(abs(coc) / 2)
    np.testing.assert_allclose((left + right) / 2, expected, atol=1e-15)


def test_invariant_01_gaussian_views_average_to_the_gaussian():
    left, right = dual_pixel_pair(7.0, ApertureSplit("gaussian"))
    np.testing.assert_allclose((left + right) / 2, psf.gaussian(3.5), atol=1e-15)


@every_family
def test_invariant_07_disparity_is_odd_negative_behind_and_proportional(family):
    split = ApertureSplit(family)
    gaps = np.array([centroid_gap(coc, split) / coc for coc in (6, 7.3, 15, 31, -15)])
    assert np.all(gaps < 0)
    np.testing.assert_allclose(gaps, gaps[0], rtol=0.03)
    np.testing.assert_allclose(centroid_gap(9.0, split), -centroid_gap(-9.0, split))


@every_family
@sizes
def test_centroid_disparity_is_that_of_the_kernels(family, coc):
    split = ApertureSplit(family)
    if abs(coc) < 0.5:
        assert centroid_gap(coc, split) == 0.0
        return
    expected = centroid_gap(coc, split)
    np.testing.assert_allclose(psf.centroid_disparity(coc, split), expected, rtol=0.006)


@pytest.mark.parametrize(
    ("family", "ratio"),
    [
        ("half_disc", 4 / (3 * np.pi)),
        ("linear", 1 / 4),
        ("translating_disc", 3 * np.pi / 32),
    ],
)
def test_shift_ratio_has_the_closed_form(family, ratio):
    np.testing.assert_allclose(psf.shift_ratio(ApertureSplit(family)), ratio, rtol=1e-4)


@pytest.mark.parametrize(("softness", "ratio"), [(0.15, 0.382), (0.3, 0.30)])
def test_shift_ratio_of_the_logistic_split(softness, ratio):
    split = ApertureSplit("logistic", softness=softness)
    np.testing.assert_allclose(psf.shift_ratio(split), ratio, atol=0.003)


@pytest.mark.parametrize("ratio", [0.14, 0.19, 0.21, 0.29])
def test_softness_inverts_the_shift_ratio(ratio):
    split = ApertureSplit("logistic", softness=psf.softness_for_shift_ratio(ratio))
    np.testing.assert_allclose(-centroid_gap(40.0, split) / 40.0, ratio, rtol=0.002)


def test_unreachable_shift_ratio_is_refused():
    with pytest.raises(ValueError, match=r"\[0.01, 0.42\]"):
        psf.softness_for_shift_ratio(0.43)


def test_view_sign_swaps_the_views():
    left, right = dual_pixel_pair(8.0, ApertureSplit())
    swapped = dual_pixel_pair(8.0, ApertureSplit(view_sign=-1))
    np.testing.assert_array_equal(swapped, (right, left))
    flipped = psf.centroid_disparity(8.0, ApertureSplit(view_sign=-1))
    assert flipped == -psf.centroid_disparity(8.0, ApertureSplit())


def test_points_nearly_in_focus_stay_in_their_pixel():
    for kernel in (*dual_pixel_pair(0.49, ApertureSplit()), psf.disc(0.2)):
        np.testing.assert_array_equal(kernel, [[1.0]])


@pytest.mark.parametrize("radius", [2.0, 5.5, 12.0])
def test_disc_and_gaussian_share_the_second_moment(radius):
    # Sharing a sample linearly between two pixels adds about 1/6 px^2.
    expected = radius**2 / 4 + 1 / 6
    for kernel in (psf.disc(radius), psf.gaussian(radius)):
        moment = np.sum(kernel * offsets(kernel)[None, :] ** 2)
        np.testing.assert_allclose(moment, expected, rtol=0.012)


def test_disc_is_flat_inside_and_empty_outside():
    kernel = psf.disc(6.0)
    distance = np.hypot(*np.meshgrid(offsets(kernel), offsets(kernel)))
    np.testing.assert_allclose(kernel[distance < 4.5], 1 / (np.pi * 36), rtol=0.01)
    assert np.all(kernel[distance > 7.5] == 0.0)


def test_butterworth_disc_is_dark_in_the_middle():
    left, right = psf.butterworth(15.0, order=3, cutoff=0.8, floor=0.1)
    kernel = (left + right) / 2
    centre = kernel[len(kernel) // 2, len(kernel) // 2]
    assert 0.08 < centre / kernel.max() < 0.2


def test_named_pairs_are_those_of_the_families():
    for pair, split in (
        (psf.half_disc(4.0), ApertureSplit("half_disc")),
        (psf.logistic_split(4.0, 0.3), ApertureSplit("logistic", softness=0.3)),
        (psf.translating_disc(4.0), ApertureSplit("translating_disc")),
    ):
        np.testing.assert_array_equal(pair, dual_pixel_pair(8.0, split))


@every_family
def test_aperture_points_have_the_kernel_centroid(family):
    split = ApertureSplit(family)
    points, left, right = psf.aperture_weights(split, 4096)
    gap = np.sum((left - right) * points[:, 0]) / 2.0
    np.testing.assert_allclose(-gap, psf.shift_ratio(split), rtol=0.01)
    np.testing.assert_allclose([left.sum(), right.sum()], 1.0)


@pytest.mark.parametrize(
    "fields",
    [{"family": "square"}, {"view_sign": 0}, {"softness": 0.0}, {"floor": 1.5}],
)
def test_bad_splits_are_refused(fields):
    with pytest.raises(ValueError, match="Expected"):
        ApertureSplit(**fields)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="radius >= 0"):
        psf.disc(-1.0)
    with pytest.raises(ValueError, match="multiple of 4"):
        psf.aperture_weights(ApertureSplit(), 6)
