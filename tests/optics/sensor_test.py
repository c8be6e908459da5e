"""Tone curve, quantisation, noise law and distortion against their definitions."""

import numpy as np
import pytest

from tf_defocus.optics import sensor

BARREL = (-0.008, -0.005, -0.005, 1.015)
PINCUSHION = (0.01, 0.0028, 0.0028, 0.9)


def test_tone_curve_has_the_standard_values():
    linear = np.array([0.0, 0.001, 0.18, 0.5, 1.0])
    expected = [0.0, 0.01292, 0.46135613, 0.73535698, 1.0]
    np.testing.assert_allclose(sensor.linear_to_srgb(linear), expected, atol=1e-8)


def test_tone_curves_are_inverse():
    codes = np.arange(65536) / 65535
    decoded = sensor.srgb_to_linear(codes)
    # The standard's own constants leave a step of 3e-8 where its two pieces meet.
    np.testing.assert_allclose(sensor.linear_to_srgb(decoded), codes, atol=1e-7)


def test_tone_curves_keep_single_precision():
    image = np.linspace(0, 1, 9, dtype=np.float32)
    assert sensor.linear_to_srgb(image).dtype == np.float32
    assert sensor.srgb_to_linear(image).dtype == np.float32


def test_invariant_13_sixteen_bit_codes_survive_the_round_trip():
    codes = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(sensor.quantize16(codes / 65535), codes)
    linear = sensor.srgb_to_linear(codes / 65535)
    np.testing.assert_array_equal(
        sensor.quantize16(sensor.linear_to_srgb(linear)), codes
    )
    codes8 = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(sensor.quantize8(codes8 / 255), codes8)


def test_invariant_13_tone_curve_is_monotone_and_quantisation_unbiased():
    light = np.linspace(-0.1, 1.2, 100_001)
    assert np.all(np.diff(sensor.linear_to_srgb(light)) > 0)
    values = np.random.default_rng(0).random(200_000)
    error = sensor.quantize16(values) / 65535 - values
    assert np.abs(error).max() <= 0.5 / 65535 + 1e-12
    assert abs(error.mean()) < 0.005 / 65535
    np.testing.assert_array_equal(sensor.quantize16([-0.5, 1.5]), [0, 65535])


@pytest.mark.parametrize("level", [0.05, 0.6])
def test_invariant_12_noise_has_the_law_of_the_photograph(level):
    shot, read = 0.01, 0.0005
    clean = np.full(1_000_000, level)
    left, right = sensor.add_noise(np.random.default_rng(1), clean, clean, shot, read)
    expected = shot * level + read
    np.testing.assert_allclose(np.var((left + right) / 2), expected, rtol=0.03)
    for view in (left, right):
        np.testing.assert_allclose(np.var(view), 2 * expected, rtol=0.03)
        np.testing.assert_allclose(view.mean(), level, atol=5e-4)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.005


def test_invariant_14_equal_seeds_give_equal_bytes():
    clean = np.full((8, 9, 3), 0.3, np.float32)

    def noisy(seed):
        rng = np.random.default_rng(seed)
        return sensor.add_noise(rng, clean, clean, *sensor.draw_noise_levels(rng))

    for first, again, other in zip(noisy(3), noisy(3), noisy(4)):
        assert first.tobytes() == again.tobytes() != other.tobytes()
        assert first.dtype == np.float32


def test_noise_levels_follow_the_published_regression():
    rng = np.random.default_rng(0)
    shot, read = np.log([sensor.draw_noise_levels(rng) for _ in range(4000)]).T
    assert np.log(1e-5) <= shot.min() and shot.max() <= np.log(1e-3)
    residual = read - (2.18 * shot + 1.20)
    np.testing.assert_allclose([residual.mean(), residual.std()], [0, 0.26], atol=0.02)


@pytest.mark.parametrize("shape", [(20, 31), (20, 31, 3)])
def test_invariant_15_radial_warp_has_an_identity(shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    warped = sensor.warp_radially(image, (0, 0, 0, 1))
    np.testing.assert_allclose(warped, image, atol=1e-6)
    assert warped.dtype == np.float32 and warped.shape == shape
    assert sensor.valid_margin(20, 31, (0, 0, 0, 1)) == 0


def test_radial_warp_reads_at_the_radius_of_its_polynomial():
    # A cone: its value at a pixel is that pixel's radius in units of half the side.
    rows, columns = np.indices((41, 61)) - np.array([20, 30])[:, None, None]
    cone = np.hypot(rows, columns) / 20.5
    warped = sensor.warp_radially(cone, BARREL)
    a, b, c, d = BARREL
    expected = (a * cone**3 + b * cone**2 + c * cone + d) * cone
    margin = sensor.valid_margin(41, 61, BARREL)
    keep = np.s_[margin : 41 - margin, margin : 61 - margin]
    # Away from the tip of the cone and from the frame, where splines bend.
    smooth = (cone[keep] > 0.2) & (cone[keep] < 0.9)
    np.testing.assert_allclose(warped[keep][smooth], expected[keep][smooth], atol=1e-3)


def test_valid_margin_excludes_what_lies_outside_the_frame():
    assert sensor.valid_margin(41, 61, (0, 0, 0, 1.1)) == 3
    assert sensor.valid_margin(41, 61, PINCUSHION) == 0


def test_gain_mismatch_shades_the_views_in_opposite_directions():
    view = np.ones((4, 5, 3), np.float32)
    left, right = sensor.apply_gain_mismatch(view, view, gain=1.02, shading=0.1)
    np.testing.assert_allclose(left[0, :, 0] / left[0, 2, 0], [0.9, 0.95, 1, 1.05, 1.1])
    np.testing.assert_allclose(right[:, ::-1] * 1.02, left, rtol=1e-6)
    assert left.dtype == np.float32
