"""Textures: known answers, the statistics they claim, and the photograph reader."""

import cv2
import numpy as np
import pytest

from tf_defocus.synthesis import textures


def write_photograph(folder, name="a", shape=(40, 60), labels=True, seed=0):
    """A noise photograph whose left half is label 1; returns its sRGB array."""
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    cv2.imwrite(str(folder / f"{name}.png"), image[..., ::-1])
    if labels:
        segments = np.zeros(shape, np.uint8)
        segments[:, : shape[1] // 2] = 1
        cv2.imwrite(str(folder / f"{name}_segments.png"), segments)
    return image


def test_radii_follow_the_inverse_cube_law(rng):
    radii = textures.power_law_radii(rng, 200_000, (2.0, 50.0))
    # P(r > x) = (x^-2 - b^-2) / (a^-2 - b^-2)
    for x in (3.0, 5.0, 10.0, 20.0):
        expected = (x**-2 - 50.0**-2) / (2.0**-2 - 50.0**-2)
        assert np.mean(radii > x) == pytest.approx(expected, abs=0.004)
    assert radii.min() >= 2.0 and radii.max() <= 50.0


def test_fractal_noise_has_the_asked_spectral_slope(rng):
    noise = textures.fractal_noise(rng, 256, 256, exponent=1.3)
    amplitude = np.abs(np.fft.fft2(noise))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    band = (frequency > 0.02) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(amplitude[band]), 1)[0]
    assert slope == pytest.approx(-1.3, abs=0.05)
    assert noise.std() == pytest.approx(1.0, abs=1e-4)


def test_smooth_field_spans_zero_to_one_and_has_no_fine_detail(rng):
    field = textures.smooth_field(rng, 80, 100, sigma=10.0)
    assert field.min() == 0.0 and field.max() == 1.0
    assert np.abs(np.diff(field, axis=0)).max() < 0.15


def test_dead_leaves_have_the_heavy_tailed_gradients_of_photographs(rng):
    image = textures.dead_leaves(rng, 128, 128)
    gradient = np.diff(image.mean(-1), axis=1).ravel()
    kurtosis = np.mean(gradient**4) / np.mean(gradient**2) ** 2
    assert kurtosis > 5.0  # Gaussian noise has 3
    assert image.shape == (128, 128, 3) and image.dtype == np.float32
    assert image.min() >= 0.0 and image.max() <= 1.0


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: textures.dead_leaves(rng, 48, 64),
        lambda rng: textures.glyphs(rng, 48, 64),
        lambda rng: textures.procedural_texture(rng, 48, 64),
        lambda rng: textures.outline(rng, 48, 64),
    ],
    ids=["dead_leaves", "glyphs", "procedural_texture", "outline"],
)
def test_textures_are_a_function_of_the_seed(draw):
    one, same = (draw(np.random.default_rng(3)) for _ in range(2))
    other = draw(np.random.default_rng(4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_checkerboard_repeats_and_alternates():
    board = textures.checkerboard(64, 64, period=16)
    np.testing.assert_allclose(board[:48, :48], board[16:, 16:], atol=1e-5)
    np.testing.assert_allclose(board[:56], 1 - board[8:], atol=1e-5)
    assert board[4, 4, 0] == 1.0 and board[4, 12, 0] == 0.0


def test_siemens_star_has_the_asked_spokes():
    star = textures.siemens_star(201, 201, spokes=12)[..., 0]
    angle = np.linspace(0, 2 * np.pi, 3600, endpoint=False) + 0.01
    y, x = 100 + 80 * np.sin(angle), 100 + 80 * np.cos(angle)
    ring = star[np.round(y).astype(int), np.round(x).astype(int)] > 0.5
    assert np.sum(ring != np.roll(ring, 1)) == 2 * 12


def test_outlines_are_antialiased_mattes_of_some_size(rng):
    areas = []
    for _ in range(40):
        matte = textures.outline(rng, 64, 64)
        assert matte.min() >= 0.0 and matte.max() <= 1.0
        assert np.mean((matte > 0) & (matte < 1)) < 0.2
        areas.append(matte.mean())
    assert 0.03 < np.mean(areas) < 0.4


def test_photographs_are_found_without_their_label_maps(tmp_path):
    for name in ("b", "a"):
        write_photograph(tmp_path, name)
    (tmp_path / "notes.txt").write_text("x")
    expected = (str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert textures.find_photographs(tmp_path) == expected


def test_photograph_and_labels_are_read_exactly(tmp_path):
    image = write_photograph(tmp_path)
    photograph = textures.load_photograph(tmp_path / "a.png")
    np.testing.assert_allclose(photograph.image, image / 255.0, atol=1e-7)
    assert (photograph.segments[:, :30] == 1).all()
    assert (photograph.segments[:, 30:] == 0).all()


def test_photograph_without_labels_has_none(tmp_path):
    write_photograph(tmp_path, labels=False)
    assert textures.load_photograph(tmp_path / "a.png").segments is None


def test_bad_photograph_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"8-bit or 16-bit image.*a\.jpg"):
        textures.load_photograph(tmp_path / "a.jpg")


def test_labels_of_another_size_are_refused(tmp_path):
    write_photograph(tmp_path)
    cv2.imwrite(str(tmp_path / "a_segments.png"), np.zeros((3, 4), np.uint8))
    with pytest.raises(ValueError, match=r"a_segments\.png of \(3, 4\)"):
        textures.load_photograph(tmp_path / "a.png")


def test_crop_keeps_labels_on_their_pixels(tmp_path, rng):
    segments = np.zeros((80, 90), np.int32)
    segments[20:50, 30:60] = 7
    image = np.repeat((segments > 0).astype(np.float32)[..., None], 3, axis=-1)
    photograph = textures.Photograph(image, segments)
    for _ in range(10):
        crop = textures.crop_photograph(rng, photograph, size=48, margin=6)
        assert crop.image.shape == (60, 60, 3) and crop.segments.shape == (60, 60)
        agreement = np.mean((crop.image[..., 0] > 0.5) == (crop.segments == 7))
        assert agreement > 0.97  # but for pixels that the border halves


def test_crop_of_exact_size_is_the_photograph_or_its_mirror(rng):
    image = rng.random((24, 24, 3)).astype(np.float32)
    crop = textures.crop_photograph(rng, textures.Photograph(image, None), 24, 4)
    inner = crop.image[4:-4, 4:-4]
    assert any(np.array_equal(inner, view) for view in (image, image[:, ::-1]))
    np.testing.assert_array_equal(crop.image[4], crop.image[3])  # mirrored margin


def test_crop_of_a_small_photograph_is_continued(rng):
    image = rng.random((10, 12, 3)).astype(np.float32)
    crop = textures.crop_photograph(rng, textures.Photograph(image, None), 32, 4)
    assert crop.image.shape == (40, 40, 3)
    assert set(np.unique(crop.image)) <= set(np.unique(image))


def test_local_sharpness_falls_with_blur(rng):
    image = rng.random((64, 64, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
    assert textures.local_sharpness(blurred) < 0.2 * textures.local_sharpness(image)
    half = image.copy()
    half[:, :40] = 0.5  # sharp over less than half: the smooth part decides
    assert textures.local_sharpness(half) < 1e-3
