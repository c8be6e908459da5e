"""Wider scenes: older ones keep their pixels; each widening does what it says."""

import dataclasses
import hashlib
import pathlib

import cv2
import numpy as np
import pytest

from tf_defocus.optics import sensor
from tf_defocus.synthesis import (
    exposure,
    large_photographs,
    outlines,
    scene_ranges,
    scenes,
    textures,
)

PLANES = ("left", "right", "blurred", "sharp", "coc", "disparity", "mask")
# Before `scene_ranges.WIDE` and its fields were there: split, index, aperture samples,
# painted with photographs -> first digits of the SHA-256 of all planes
RECORDED = {
    ("train", 0, 0, False): "beabeb2a23e21938",
    ("train", 1, 0, False): "ed48abfdb9edb82d",
    ("validation", 0, 4, False): "d7466aa72444daee",
    ("train", 0, 0, True): "7d7b027f840f701b",
    ("train", 5, 0, True): "7211c7c1d96ec930",
    ("validation", 1, 4, True): "1c27602b9e78108d",
}


def small_photographs(folder):
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 256, (60, 72, 3))
        cv2.imwrite(str(folder / f"{index}.png"), pixels.astype(np.uint8))
    labels = (np.indices((60, 72)).sum(0) // 30).astype(np.uint8)
    cv2.imwrite(str(folder / "0_segments.png"), labels)
    return textures.find_photographs(folder)


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_examples_of_older_configs_keep_every_bit(case, tmp_path):
    split, index, samples, painted = case
    photographs = small_photographs(tmp_path) if painted else ()
    example = scenes.make_example(
        7, split, index, 24, photographs, aperture_samples=samples
    )
    digest = hashlib.sha256(b"".join(example[name].tobytes() for name in PLANES))
    assert digest.hexdigest()[:16] == RECORDED[case]


def test_circles_have_the_stated_shares():
    draws = [
        scenes._draw_max_coc(np.random.default_rng(k), scene_ranges.WIDE)
        for k in range(2000)
    ]
    low, high = scene_ranges.WIDE.max_coc
    wide = scene_ranges.WIDE.small_blur, scene_ranges.WIDE.small_coc[1]
    assert np.mean(np.less(draws, wide[1])) == pytest.approx(wide[0], abs=0.03)
    assert max(draws) <= high and max(draws) > 0.95 * high
    large = np.array([d for d in draws if d > low])
    # log-uniform: as many below the geometric mean as above
    assert np.mean(large < np.sqrt(low * high)) == pytest.approx(0.5, abs=0.04)


def test_pristine_scenes_in_focus_come_out_as_they_are():
    ranges = scene_ranges.SceneRanges(
        all_in_focus=1.0, fully_blurred=0.0, pristine=1.0, noise=0.0, highlights=0.0
    )
    ranges = dataclasses.replace(ranges, view_gain=(1.0, 1.0), view_shading=0.0)
    example = scenes.make_example(1, "train", 0, 48, ranges=ranges)
    assert np.all(example["coc"] == 0)
    error = example["blurred"].astype(float) - example["sharp"]
    assert np.abs(error).max() <= 1  # of 65535
    soft = dataclasses.replace(ranges, pristine=0.0)
    other = scenes.make_example(1, "train", 0, 48, ranges=soft)
    assert 0 < np.abs(other["coc"]).max() < 1


@pytest.mark.parametrize(
    "draw",
    [
        outlines.smooth_blob,
        outlines.smooth_patches,
        outlines.branches,
        outlines.mesh_of_wires,
    ],
)
def test_outlines_are_antialiased_mattes_of_something(draw):
    areas = []
    for seed in range(12):
        matte = draw(np.random.default_rng(seed), 64, 80)
        assert matte.shape == (64, 80) and matte.dtype == np.float32
        assert matte.min() >= 0 and matte.max() <= 1
        np.testing.assert_array_equal(matte, draw(np.random.default_rng(seed), 64, 80))
        areas.append(matte.mean())
        soft = np.mean((matte > 0) & (matte < 1))
        assert soft > 0 or areas[-1] == 0
    assert np.median(areas) > 0.01 and max(areas) < 0.9


def test_a_share_of_zero_draws_the_older_outline():
    drawn = outlines.draw_outline(
        np.random.default_rng(3), 40, 50, scene_ranges.DEFAULT
    )
    np.testing.assert_array_equal(
        drawn, textures.outline(np.random.default_rng(3), 40, 50)
    )


def test_sharpening_is_an_unsharp_mask_and_keeps_flat_parts():
    image = np.full((9, 9, 3), 0.5, np.float32)
    np.testing.assert_allclose(sensor.sharpen(image, 0.8, 0.6), image, atol=1e-6)
    image[4, 4] = 0.7
    kernel = cv2.getGaussianKernel(9, 0.8, cv2.CV_32F)
    expected = 0.7 + 0.6 * 0.2 * (1 - float(kernel[4, 0]) ** 2)
    assert sensor.sharpen(image, 0.8, 0.6)[4, 4, 0] == pytest.approx(expected, abs=2e-3)


def test_jpeg_loses_more_at_a_lower_quality():
    image = textures.dead_leaves(np.random.default_rng(0), 64, 64)
    errors = [
        float(np.mean((sensor.compress(image, quality, False) - image) ** 2))
        for quality in (98, 85, 60)
    ]
    assert errors[0] < 3e-4 and errors[0] < errors[1] < errors[2]
    grey = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    colours = [sensor.compress(image, 95, half) for half in (False, True)]
    greys = [sensor.compress(grey, 95, half) for half in (False, True)]
    assert np.mean((colours[1] - image) ** 2) > np.mean((colours[0] - image) ** 2)
    np.testing.assert_array_equal(*greys)  # only colours are at half the resolution


def test_the_camera_s_files_leave_the_sharp_image_without_jpeg():
    planes = {
        name: textures.dead_leaves(np.random.default_rng(0), 48, 48)
        for name in ("left", "right", "sharp")
    }
    planes |= {name: np.zeros((48, 48), np.float32) for name in ("coc", "disparity")}
    plain = scene_ranges.SceneRanges(noise=0.0)

    def expose(**changes):
        ranges = dataclasses.replace(plain, **changes)
        return exposure.expose(np.random.default_rng(5), planes, ranges)

    as_is, file = expose(), expose(jpeg=1.0, jpeg_quality=(75, 75))
    np.testing.assert_array_equal(as_is["sharp"], file["sharp"])
    assert np.mean(as_is["left"] != file["left"]) > 0.9
    assert np.all(file["left"] % 257 == 0)  # 8-bit values
    crisp = expose(sharpening=1.0, sharpening_amount=(0.5, 0.5))
    for name in ("left", "sharp"):  # what the camera sharpens, it sharpens everywhere
        assert crisp[name].std() > as_is[name].std()


def large_tree(root):
    """Two photographs of each split, 1 in focus where green, in two folders."""
    names = {"train": [], "validation": []}
    number = 0
    while min(len(found) for found in names.values()) < 2:
        path = root / ("a" if number % 2 else "b") / f"photograph_{number}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        pixels = np.random.default_rng(number).integers(0, 256, (90, 120, 3))
        cv2.imwrite(str(path), pixels.astype(np.uint8))
        number += 1
        found = root_split(root)
        names = found or names
    return names


def root_split(root):
    try:
        return large_photographs.split_photographs(root)
    except FileNotFoundError:
        return None


def test_a_photograph_s_name_alone_decides_its_split(tmp_path):
    split = large_tree(tmp_path)
    assert len(split["validation"]) >= 2 and len(split["train"]) > 2
    assert not set(split["train"]) & set(split["validation"])
    one = pathlib.Path(split["validation"][0])
    for path in split["train"][1:]:
        pathlib.Path(path).unlink()
    one.rename(tmp_path / one.name)
    assert str(tmp_path / one.name) in root_split(tmp_path)["validation"]
    for path in root_split(tmp_path)["validation"]:
        pathlib.Path(path).unlink()
    with pytest.raises(FileNotFoundError, match="none of them for validation"):
        large_photographs.split_photographs(tmp_path)


def test_windows_are_reduced_square_and_fine(tmp_path):
    photographs = large_tree(tmp_path)["train"]
    ranges = dataclasses.replace(scene_ranges.WIDE, small_reduction=(1.5, 1.5))
    window = large_photographs.draw_window(
        np.random.default_rng(0), photographs, 40, ranges
    )
    assert window.shape == (40, 40, 3) and window.dtype == np.float32
    assert window.min() >= 0 and window.max() <= 1
    # of a pixel and half of the next, in both directions: (1 + 1/4) / 1.5^2 remains
    assert window.std() == pytest.approx(1 / np.sqrt(12) * 1.25 / 1.5**2, rel=0.05)
    with pytest.raises(ValueError, match=r"of 100 px or more .* of 120x90"):
        large_photographs.draw_window(
            np.random.default_rng(0), photographs, 100, ranges
        )


def test_of_the_windows_of_a_photograph_a_sharp_one_is_taken(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (128, 384, 3)).astype(np.uint8)
    pixels[:, :256] = cv2.GaussianBlur(pixels, (0, 0), 4)[:, :256]  # sharp on the right
    path = tmp_path / "half.png"
    cv2.imwrite(str(path), pixels)
    ranges = dataclasses.replace(scene_ranges.WIDE, small_reduction=(1.0, 1.0))
    fine = [
        textures.local_sharpness(
            large_photographs.draw_window(
                np.random.default_rng(seed), (str(path),), 64, ranges
            )
        )
        for seed in range(20)
    ]
    assert np.mean(np.array(fine) > 0.2) > 0.5  # one window alone: a fifth of the draws
