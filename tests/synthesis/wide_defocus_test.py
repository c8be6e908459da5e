"""Ramps and layered scenes of wide blur."""

import cv2
import numpy as np
import pytest

from tf_defocus.optics import psf
from tf_defocus.synthesis import wide_defocus


@pytest.fixture
def photograph(tmp_path, rng):
    path = tmp_path / "sharp.png"
    small = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (360, 240)))
    return str(path)


def test_even_blur_is_a_convolution_with_the_disc(rng):
    linear = rng.random((60, 70, 3), dtype=np.float32)
    blurred = wide_defocus.blur(linear, np.full((60, 70), 1.0, np.float32))
    disc = psf.disc(0.5)
    reach = disc.shape[0] // 2
    padded = np.pad(linear, ((reach, reach), (reach, reach), (0, 0)), "symmetric")
    expected = sum(
        disc[i, j] / disc.sum() * padded[i : i + 60, j : j + 70]
        for i in range(disc.shape[0])
        for j in range(disc.shape[1])
    )
    np.testing.assert_allclose(blurred, expected, atol=1e-5)


def test_no_blur_changes_nothing_and_wide_blur_keeps_the_mean(rng):
    linear = rng.random((80, 80, 3), dtype=np.float32)
    coc = np.zeros((80, 80), np.float32)
    np.testing.assert_allclose(wide_defocus.blur(linear, coc), linear, atol=1e-6)
    coc[:, 40:] = 30
    blurred = wide_defocus.blur(linear, coc)
    np.testing.assert_allclose(blurred[:, :40], linear[:, :40], atol=1e-6)
    assert blurred[:, 40:].std() < 0.1 * linear.std()
    assert abs(blurred[:, 40:].mean() - linear.mean()) < 0.03


def test_a_ramp_reaches_from_sharp_to_the_widest(photograph):
    ramp, again = (wide_defocus.make_ramp(photograph, 5, 96, 64, 20) for _ in range(2))
    assert ramp["coc"].min() == 0
    np.testing.assert_allclose(ramp["coc"].max(), 20, rtol=1e-6)
    assert (ramp["blurred"].dtype, ramp["sharp"].dtype) == (np.uint8, np.uint16)
    for name, values in ramp.items():
        np.testing.assert_array_equal(values, again[name])
    difference = np.abs(ramp["blurred"] / 255 - ramp["sharp"] / 65535).mean(axis=-1)
    assert difference[ramp["coc"] < 0.5].mean() < 0.25 * difference.mean()


def test_a_photograph_too_small_is_refused(photograph):
    with pytest.raises(ValueError, match="Expected a photograph of 1000x64"):
        wide_defocus.make_ramp(photograph, 5, 1000, 64)


def test_a_layered_scene_has_views_and_wide_blur(photograph):
    scene = wide_defocus.make_layers([photograph], 3, 48, widest=30)
    assert scene["blurred"].shape == scene["left"].shape == (48, 48, 3)
    assert 10 < scene["coc"].max() <= 30
    mean = (scene["left"].astype(float) + scene["right"]) / 2
    assert np.abs(mean - scene["blurred"]).mean() < 4
