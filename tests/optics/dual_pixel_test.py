"""The layered renderer against naive scattering, exact apertures and its invariants.

Surfaces are float64 here, and so is the rendering: what holds exactly is tested so.
"""

import numpy as np
import pytest
from scipy import ndimage

from tf_defocus.optics import dual_pixel
from tf_defocus.optics.dual_pixel import Surface, render, render_aperture
from tf_defocus.optics.psf import (
    FAMILIES,
    ApertureSplit,
    aperture_weights,
    dual_pixel_pair,
    shift_ratio,
)
from tf_defocus.optics.sensor import quantize16

SIZE = 64
SPLIT = ApertureSplit()
every_family = pytest.mark.parametrize("family", FAMILIES)


def texture(seed, size=SIZE):
    values = np.random.default_rng(seed).random((size, size, 3))
    values = ndimage.gaussian_filter(values, (1.0, 1.0, 0.0))
    values -= values.min()
    return values / values.max()


def constant(value, size=SIZE):
    return np.full((size, size), float(value))


def slanted(low, high):
    return np.broadcast_to(np.linspace(low, high, SIZE), (SIZE, SIZE)).copy()


def disc_matte(row, column, radius, size=SIZE):
    rows, columns = np.indices((size, size))
    inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return ndimage.gaussian_filter(inside.astype(np.float64), 0.7)


def scene():
    """Three surfaces of varying circle of confusion, on both sides of the focus."""
    return [
        Surface(texture(0), constant(1), slanted(2, 7)),
        Surface(texture(1), disc_matte(28, 24, 12), slanted(-2, 2)),
        Surface(texture(2), disc_matte(40, 44, 10), constant(-5)),
    ]


def psnr(received, expected):
    return -10 * np.log10(np.mean((received - expected) ** 2))


def interior(image, margin=12):
    return image[margin:-margin, margin:-margin]


def mirrored(surfaces):
    return [
        Surface(s.radiance[:, ::-1], s.alpha[:, ::-1], s.coc[:, ::-1]) for s in surfaces
    ]


@every_family
@pytest.mark.parametrize("coc", [constant(0), constant(9), slanted(-9, 9)])
def test_invariant_02_a_constant_scene_stays_constant(family, coc):
    grey = np.full((SIZE, SIZE, 3), 0.37)
    image = render([Surface(grey, constant(1), coc)], ApertureSplit(family))
    for view in (image.left, image.right, image.blurred, image.sharp):
        np.testing.assert_allclose(view, grey, atol=1e-12)


def test_invariant_02_an_object_of_the_background_colour_is_invisible():
    grey = np.full((SIZE, SIZE, 3), 0.37)
    surfaces = [Surface(grey, s.alpha, s.coc) for s in scene()]
    np.testing.assert_allclose(render(surfaces, SPLIT).left, grey, atol=1e-12)


def test_invariant_03_in_focus_all_images_are_equal():
    surfaces = [Surface(s.radiance, s.alpha, constant(0)) for s in scene()]
    image = render(surfaces, SPLIT)
    for view in (image.left, image.right, image.blurred):
        np.testing.assert_allclose(view, image.sharp, atol=1e-14)
    np.testing.assert_array_equal(image.disparity, 0.0)


@pytest.mark.parametrize("coc", [0.0, 3.3, -12.0])
def test_invariant_04_an_impulse_keeps_its_energy(coc):
    impulse = np.zeros((SIZE, SIZE, 3))
    impulse[30, 33] = 1.0
    image = render([Surface(impulse, constant(1), constant(coc))], SPLIT)
    for view in (image.left, image.right, image.blurred):
        np.testing.assert_allclose(view.sum(axis=(0, 1)), 1.0, atol=1e-9)


@pytest.mark.parametrize("coc", [7.0, -7.0])
def test_impulse_images_are_the_kernels(coc):
    impulse = np.zeros((SIZE, SIZE, 3))
    impulse[30, 33] = 1.0
    image = render([Surface(impulse, constant(1), constant(coc))], SPLIT)
    for view, kernel in zip((image.left, image.right), dual_pixel_pair(coc, SPLIT)):
        np.testing.assert_allclose(view[26:35, 29:38, 1], kernel, atol=1e-12)


def test_invariant_05_a_mirrored_scene_swaps_the_views():
    image, mirror = render(scene(), SPLIT), render(mirrored(scene()), SPLIT)
    np.testing.assert_allclose(mirror.left[:, ::-1], image.right, atol=1e-12)
    np.testing.assert_allclose(mirror.right[:, ::-1], image.left, atol=1e-12)


def test_invariant_06_negating_the_circle_swaps_the_views():
    negated = [Surface(s.radiance, s.alpha, -s.coc) for s in scene()]
    image, swapped = render(scene(), SPLIT), render(negated, SPLIT)
    np.testing.assert_allclose(swapped.left, image.right, atol=1e-12)
    np.testing.assert_allclose(swapped.right, image.left, atol=1e-12)


def test_invariant_07_views_behind_focus_shift_to_the_left_by_the_disparity():
    spot = np.zeros((SIZE, SIZE, 3))
    spot[32, 32] = 1.0
    for coc in (10.0, -10.0):
        image = render([Surface(spot, constant(1), constant(coc))], SPLIT)
        columns = np.arange(SIZE)[None, :, None]
        shift = np.sum((image.left - image.right) * columns) / 3
        np.testing.assert_allclose(shift, image.disparity[32, 32], rtol=0.01)
        np.testing.assert_allclose(shift, -shift_ratio(SPLIT) * coc, rtol=0.01)


def test_invariant_08_the_photograph_is_the_mean_of_the_views():
    image = render(scene(), SPLIT)
    mean = (image.left + image.right) / 2
    np.testing.assert_allclose(image.blurred, mean, atol=1e-16)
    codes = [quantize16(view).astype(float) for view in (image.left, image.right)]
    received = quantize16(image.blurred).astype(float)
    assert np.abs(received - (codes[0] + codes[1]) / 2).max() <= 1.0


def splat_kernel(coc, weights, points):
    """The kernel of aperture samples, each shared linearly among four pixels."""
    reach = int(np.ceil(abs(coc) / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for (x, y), weight in zip(points * coc / 2, weights):
        column, row = int(np.floor(x)), int(np.floor(y))
        for i, share_y in ((row, 1 - (y - row)), (row + 1, y - row)):
            for j, share_x in ((column, 1 - (x - column)), (column + 1, x - column)):
                kernel[reach + i, reach + j] += weight * share_y * share_x
    return kernel


@pytest.mark.parametrize("blurred_layer", [0, 1])
def test_invariant_09_one_blurred_layer_equals_the_exact_aperture(
    blurred_layer, monkeypatch
):
    points, left, right = aperture_weights(SPLIT, 32)

    def sampled_pair(coc, split):
        if coc == 0:
            return np.ones((1, 1)), np.ones((1, 1))
        return splat_kernel(coc, left, points), splat_kernel(coc, right, points)

    monkeypatch.setattr(dual_pixel, "dual_pixel_pair", sampled_pair)
    circles = [0.0, 0.0]
    circles[blurred_layer] = (9.0, -9.0)[blurred_layer]
    surfaces = [
        Surface(texture(0), constant(1), constant(circles[0])),
        Surface(texture(1), disc_matte(32, 32, 13), constant(circles[1])),
    ]
    image, exact = render(surfaces, SPLIT), render_aperture(surfaces, SPLIT, 32)
    for name in ("left", "right", "blurred"):
        received, expected = getattr(image, name), getattr(exact, name)
        np.testing.assert_allclose(
            interior(received), interior(expected), atol=1e-12, err_msg=name
        )


def test_invariant_09_two_blurred_layers_are_close_to_the_exact_aperture():
    # `over` takes what covers and what lies behind as independent: the error is in the
    # band where both are blurred, so the scene is large beside its circle of confusion.
    size = 160
    surfaces = [
        Surface(texture(0, size), constant(1, size), constant(12, size)),
        Surface(texture(1, size), disc_matte(80, 80, 40, size), constant(-12, size)),
    ]
    image, exact = render(surfaces, SPLIT), render_aperture(surfaces, SPLIT, 128)
    for name in ("left", "right", "blurred"):
        received = interior(getattr(image, name))
        expected = interior(getattr(exact, name))
        assert psnr(received, expected) > 45, name
        assert np.abs(received - expected).max() < 0.08, name


def test_slanted_surfaces_agree_with_the_exact_aperture():
    image, exact = render(scene(), SPLIT), render_aperture(scene(), SPLIT, 128)
    assert psnr(interior(image.left), interior(exact.left)) > 45
    np.testing.assert_array_equal(image.sharp, exact.sharp)
    np.testing.assert_array_equal(image.disparity, exact.disparity)


@every_family
def test_invariant_10_blur_of_the_front_ends_at_the_kernel(family):
    split = ApertureSplit(family)
    matte = (disc_matte(32, 32, 8) > 0.5).astype(float)
    back = Surface(texture(0), constant(1), constant(0))
    front = Surface(texture(1), matte, constant(-10))
    image = render([back, front], split)
    reach = len(dual_pixel_pair(-10.0, split)[0]) // 2 * np.sqrt(2)
    far = ndimage.distance_transform_edt(matte == 0) > reach
    assert far.any()
    np.testing.assert_allclose(image.left[far], back.radiance[far], atol=1e-12)


def test_invariant_10_a_sharp_front_receives_nothing_from_behind():
    matte = (disc_matte(32, 32, 14) > 0.5).astype(float)
    back = Surface(texture(0), constant(1), slanted(8, 14))
    front = Surface(texture(1), matte, constant(0))
    image = render([back, front], SPLIT)
    inside = ndimage.distance_transform_edt(matte) > 2
    np.testing.assert_array_equal(image.left[inside], front.radiance[inside])


def scatter(surface, split):
    """Each pixel's light spread by its own kernel, weighed by the light received."""
    margin = 16
    shape = (SIZE + 2 * margin, SIZE + 2 * margin)
    light, weight = np.zeros((*shape, 3)), np.zeros((*shape, 1))
    for row, column in np.ndindex(SIZE, SIZE):
        kernel = dual_pixel_pair(surface.coc[row, column], split)[0][..., None]
        start = np.array([row, column]) + margin - len(kernel) // 2
        window = tuple(slice(first, first + len(kernel)) for first in start)
        light[window] += kernel * surface.radiance[row, column]
        weight[window] += kernel
    return interior(light, margin) / interior(weight, margin)


def test_invariant_11_slices_of_a_slanted_plane_match_scattering():
    surface = Surface(texture(3), constant(1), slanted(-14, 14))
    expected = scatter(surface, SPLIT)
    received = {
        step: render([surface], SPLIT, radius_step=step).left for step in (0.5, 2.0)
    }
    assert psnr(received[0.5], expected) > 55
    assert psnr(received[0.5], expected) > psnr(received[2.0], expected) + 6


def test_invariant_14_rendering_is_deterministic():
    first, second = render(scene(), SPLIT), render(scene(), SPLIT)
    assert first.left.tobytes() == second.left.tobytes()
    assert first.right.tobytes() == second.right.tobytes()


def test_invariant_16_flip_and_swap_keep_the_disparity_of_the_scene():
    image, mirror = render(scene(), SPLIT), render(mirrored(scene()), SPLIT)
    np.testing.assert_array_equal(mirror.disparity, image.disparity[:, ::-1])
    assert image.disparity[0, 0] < 0 < image.disparity[40, 44]


def test_single_precision_is_close_to_double():
    single = [
        Surface(*(getattr(s, name).astype(np.float32) for name in vars(s)))
        for s in scene()
    ]
    image, exact = render(single, SPLIT), render(scene(), SPLIT)
    for name in vars(exact):
        assert getattr(image, name).dtype == np.float32
        np.testing.assert_allclose(
            getattr(image, name), getattr(exact, name), atol=1e-5, err_msg=name
        )


def test_visible_circle_is_that_of_the_nearest_surface():
    image = render(scene(), SPLIT)
    assert image.coc[40, 44] == -5.0
    assert image.coc[0, 0] == 2.0


def test_a_torn_surface_leaves_no_hole():
    torn = Surface(texture(0), constant(1), np.where(slanted(0, 1) > 0.5, 16.0, -16.0))
    image = render([torn], ApertureSplit("half_disc"))
    assert image.left.min() >= -1e-12 and image.left.max() <= 1.0 + 1e-12


def test_empty_surfaces_change_nothing():
    empty = Surface(texture(1), constant(0), constant(5))
    without, with_empty = render(scene()[:1], SPLIT), render([scene()[0], empty], SPLIT)
    np.testing.assert_array_equal(with_empty.left, without.left)


def test_bad_scenes_are_refused():
    with pytest.raises(ValueError, match="at least one surface"):
        render([], SPLIT)
    bad = Surface(texture(0), constant(1)[:-1], constant(0))
    with pytest.raises(ValueError, match="64 x 64"):
        render([bad], SPLIT)
    with pytest.raises(ValueError, match="radius_step > 0"):
        render(scene(), SPLIT, radius_step=0.0)
