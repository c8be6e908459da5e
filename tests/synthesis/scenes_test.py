"""Scenes: determinism, physical consistency, their distribution, and real views."""

import dataclasses

import cv2
import numpy as np
import pytest

from tests import testing
from tests.synthesis import textures_test
from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.synthesis import scene_ranges, scenes, textures

SIZE = 48
CLEAN = scene_ranges.SceneRanges(
    noise=0.0, highlights=0.0, view_gain=(1.0, 1.0), view_shading=0.0
)
VIEWS = ("left", "right", "blurred", "sharp")


@pytest.fixture
def photographs(tmp_path):
    for seed, name in enumerate("abc"):
        textures_test.write_photograph(tmp_path, name, (70, 80), seed=seed)
    return textures.find_photographs(tmp_path)


def linear(view):
    return sensor.srgb_to_linear(view.astype(np.float64) / 65535)


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert one["camera"] == other["camera"]
    for name in one.keys() - {"camera"}:
        np.testing.assert_array_equal(one[name], other[name])


def test_example_is_a_function_of_seed_split_and_index(photographs):
    one = scenes.make_example(1, "train", 5, SIZE, photographs)
    scenes.make_example(1, "train", 4, SIZE, photographs)
    assert_same(one, scenes.make_example(1, "train", 5, SIZE, photographs))
    for other in ((2, "train", 5), (1, "validation", 5), (1, "train", 6)):
        different = scenes.make_example(*other, SIZE, photographs)
        assert not np.array_equal(one["sharp"], different["sharp"])


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split='test'"):
        scenes.make_example(1, "test", 0, SIZE)


def test_example_has_the_promised_types_and_ranges():
    example = scenes.make_example(1, "train", 0, SIZE)
    for name in VIEWS:
        assert example[name].shape == (SIZE, SIZE, 3)
        assert example[name].dtype == np.uint16
    for name in ("coc", "disparity"):
        assert example[name].shape == (SIZE, SIZE, 1)
        assert example[name].dtype == np.float32
    blurred = np.abs(example["coc"]) > 1
    np.testing.assert_array_equal(example["mask"], np.where(blurred, 255, 0))
    assert np.abs(example["coc"]).max() <= example["camera"]["max_coc"] + 1e-4


def test_blurred_is_the_mean_of_the_views_in_linear_light():
    for index in range(3):
        example = scenes.make_example(1, "train", index, SIZE)
        mean = (linear(example["left"]) + linear(example["right"])) / 2
        # half a step of each of the three roundings, through the steepest decoding
        np.testing.assert_allclose(linear(example["blurred"]), mean, atol=5e-5)


def test_disparity_is_the_coc_times_the_shift_ratio_behind_focus_negative():
    for index in range(4):
        example = scenes.make_example(1, "train", index, SIZE)
        expected = -example["camera"]["shift_ratio"] * example["coc"]
        np.testing.assert_allclose(example["disparity"], expected, atol=1e-4)


def test_scene_in_focus_is_sharp_in_every_view(photographs):
    ranges = dataclasses.replace(CLEAN, all_in_focus=1.0, fully_blurred=0.0)
    example = scenes.make_example(1, "train", 0, SIZE, photographs, ranges)
    assert (example["mask"] == 0).all()
    assert np.abs(example["coc"]).max() <= 0.5  # a circle inside its own pixel
    sharp = linear(example["sharp"])
    for name in ("left", "right", "blurred"):
        error = linear(example[name]) - sharp
        # less than a quarter of the contrast of noise, the finest texture, is lost
        assert error.std() < 0.25 * sharp.std()


def test_noise_leaves_the_sharp_image_alone_and_has_the_stated_variance():
    loud = dataclasses.replace(CLEAN, noise=1.0, shot=(1e-3, 1e-3))
    example = scenes.make_example(1, "train", 3, 96, ranges=loud)
    quiet = scenes.make_example(1, "train", 3, 96, ranges=CLEAN)
    np.testing.assert_array_equal(quiet["sharp"], example["sharp"])
    clean, noisy = linear(quiet["blurred"]), linear(example["blurred"])
    camera = example["camera"]
    middle = (clean > 0.1) & (clean < 0.7)  # far from both clipping points
    expected = camera["shot_noise"] * clean[middle] + camera["read_noise"]
    ratio = np.mean((noisy - clean)[middle] ** 2 / expected)
    assert ratio == pytest.approx(1.0, abs=0.06)
    assert quiet["camera"]["shot_noise"] == 0.0


def test_exact_and_layered_rendering_agree(photographs):
    for index in (1,):
        layered = scenes.make_example(1, "train", index, SIZE, photographs, CLEAN)
        exact = scenes.make_example(
            1, "train", index, SIZE, photographs, CLEAN, aperture_samples=64
        )
        np.testing.assert_array_equal(layered["sharp"], exact["sharp"])
        error = (layered["left"].astype(float) - exact["left"]) / 65535
        assert -10 * np.log10(np.mean(error**2)) > 30  # noise photographs: worst case


def surfaces_of(rng, ranges, photographs=()):
    max_coc = rng.uniform(*ranges.max_coc)
    return scenes.compose_scene(rng, SIZE, 16, max_coc, ranges, photographs)


def visible_coc(surfaces):
    inner = [
        dual_pixel.Surface(*(plane[16:-16, 16:-16] for plane in layer))
        for layer in ((s.radiance, s.alpha, s.coc) for s in surfaces)
    ]
    coc = inner[0].coc.copy()
    for surface in inner[1:]:
        np.copyto(coc, surface.coc, where=surface.alpha >= 0.5)
    return coc


def test_scenes_have_the_distribution_of_real_photographs(photographs):
    cocs = [
        visible_coc(
            surfaces_of(
                np.random.default_rng(i), scene_ranges.SceneRanges(), photographs
            )
        )
        for i in range(60)
    ]
    in_focus = np.array([np.mean(np.abs(coc) < 1) for coc in cocs])
    medians = np.array([np.median(coc) for coc in cocs])
    in_front = np.array([np.mean(coc < -1) > 0.01 for coc in cocs])
    assert 0.03 < np.mean(in_focus == 1.0) < 0.25
    assert 0.15 < np.mean(in_focus < 0.02) < 0.45
    assert np.mean(in_focus > 0.2) > 0.45
    assert 0.1 < np.mean(in_front) < 0.4
    assert 2.0 < np.median(medians) < 12.0
    assert np.mean(medians < -1) < 0.15


def test_background_is_opaque_and_behind_its_hole_nothing_of_the_object_is_left():
    rng = np.random.default_rng(0)
    image = np.zeros((60, 60, 3), np.float32)
    matte = np.zeros((60, 60), np.float32)
    matte[20:40, 15:45] = 1.0
    image[matte > 0] = (1.0, 0.0, 0.0)  # a red object on black
    other = np.full_like(image, (0.0, 0.0, 0.5))
    matte = cv2.GaussianBlur(matte, (0, 0), 0.6)
    for _ in range(6):
        filled = scenes._fill_hole(rng, image, matte, other)
        assert filled[..., 0].max() == 0.0
    surfaces = surfaces_of(rng, scene_ranges.SceneRanges())
    assert (surfaces[0].alpha == 1.0).all()


def test_matte_of_segments_has_about_the_wanted_area(rng):
    segments = np.repeat(np.arange(10), 10)[None, :].repeat(100, axis=0)
    matte = scenes._segments_matte(rng, segments, wanted=0.32)
    assert matte.mean() == pytest.approx(0.3, abs=0.01)
    assert matte.min() >= 0.0 and matte.max() <= 1.0


def shift_of_views(left, right, reach=7, block=56):
    """x_right - x_left [px] of every block, by correlation of the grey views."""
    left, right = (
        cv2.GaussianBlur(view.astype(np.float32).mean(-1), (0, 0), 1.5)
        for view in (left, right)
    )
    shifts = []
    for top in range(0, left.shape[0] - block, block):
        for start in range(reach, left.shape[1] - block - reach, block):
            patch = left[top : top + block, start : start + block]
            if patch.std() < 0.02 * left.max():
                continue  # nothing to correlate
            wide = right[top : top + block, start - reach : start + block + reach]
            score = cv2.matchTemplate(wide, patch, cv2.TM_CCOEFF_NORMED)[0]
            shifts.append(int(np.argmax(score)) - reach)
    return np.array(shifts)


def test_simulator_shifts_the_views_as_the_canon_camera_does():
    folder = testing.data_folder("dpdd_samples")
    for name in ("scene_a", "scene_b", "scene_c"):  # d is nearly in focus
        views = [cv2.imread(str(folder / name / f"{v}.png")) for v in ("left", "right")]
        real = shift_of_views(*views)
        assert np.median(real) >= 1  # x_right > x_left; these scenes lie behind focus
    image = textures.dead_leaves(np.random.default_rng(0), 300, 300)
    surface = dual_pixel.Surface(
        image, np.ones((300, 300), np.float32), np.full((300, 300), 14, np.float32)
    )
    softness = psf.softness_for_shift_ratio(0.2)
    views = dual_pixel.render([surface], psf.ApertureSplit(softness=softness))
    simulated = shift_of_views(views.left, views.right)
    assert np.median(simulated) == pytest.approx(0.2 * 14, abs=1.0)


def test_ranges_cover_the_shifts_measured_on_the_canon_camera():
    ranges = scene_ranges.SceneRanges()
    low, high = ranges.shift_ratio
    assert low < 0.19 and high > 0.21  # shift over diameter, all four sample scenes
    assert ranges.max_coc[1] * 0.2 > 4.2  # the largest measured shift [px]
