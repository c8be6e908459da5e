"""Every paper's chain, step by step against OpenCV, scikit-image and plain loops."""

import cv2
import numpy as np
import pytest
from skimage import color

from tf_defocus.data import augmentations

KINDS = ("blurred", "left", "right", "sharp")


class Scripted:
    """A generator whose coins and draws are given, in order; noise stays random."""

    def __init__(self, *values):
        self.values = list(values)
        self.rng = np.random.default_rng(3)

    def random(self):
        return self.values.pop(0)

    def uniform(self, low, high):
        return low + self.values.pop(0) * (high - low)

    def integers(self, low, high=None):
        low, high = (0, low) if high is None else (low, high)
        return low + int(self.values.pop(0) * (high - low))

    def standard_normal(self, shape, dtype):
        return self.rng.standard_normal(shape, dtype=dtype)


@pytest.fixture
def images(rng):
    return {k: rng.integers(0, 256, (30, 40, 3), dtype=np.uint8) for k in KINDS}


def as_float(image):
    return image.astype("float32") / 255


def views(x_left, x_right, y=2):
    """Two views of one point each in a sharp image of 6 x 6."""
    left, right = np.zeros((2, 6, 6, 3), np.float32)
    left[y, x_left] = right[y, x_right] = 1
    return {"left": left, "right": right}


def x_of(image):
    return int(np.argwhere(image[..., 0])[0][1])


@pytest.mark.parametrize("turns, mirrored", [(0, False), (0, True), (2, False), (2, 1)])
def test_turned_views_keep_the_sign_and_axis_of_their_disparity(turns, mirrored):
    turned = augmentations.turn(views(1, 4), turns, bool(mirrored))
    assert x_of(turned["left"]) - x_of(turned["right"]) == -3
    rows = {int(np.argwhere(v[..., 0])[0][0]) for v in turned.values()}
    assert rows == {3 if turns else 2}


def test_quarter_turns_are_for_single_photographs(rng):
    with pytest.raises(ValueError, match="vertical"):
        augmentations.turn(views(1, 4), 1, False)
    image = rng.random((4, 5, 3), np.float32)
    turned = augmentations.turn({"blurred": image}, 1, False)["blurred"]
    np.testing.assert_array_equal(turned, cv2.rotate(image, 2))  # counter-clockwise


@pytest.mark.parametrize("dtype, top", [("uint8", 255), ("uint16", 65535)])
def test_crops_are_scaled_by_the_full_range(rng, dtype, top):
    image = rng.integers(0, top + 1, (9, 9, 3)).astype(dtype)
    crop = augmentations.default(Scripted(0.4, 0.9, 1, 0, 0), {"sharp": image}, 5)
    restored = np.round(crop["sharp"] * top).astype(dtype)
    np.testing.assert_array_equal(restored, image[2:7, 4:9])


@pytest.mark.parametrize("length, shrunk", [(40, 28), (41, 29), (40, 39), (40, 40)])
def test_shrinking_is_opencvs_area_average_of_the_crop_alone(rng, length, shrunk):
    image = rng.random((length, 7, 3), np.float32)
    whole = cv2.resize(image, (7, shrunk), interpolation=cv2.INTER_AREA)
    rows, weights = augmentations.area_window(length, shrunk, 3, 20)
    assert rows.stop - rows.start <= np.ceil(20 * length / shrunk) + 1
    crop = np.tensordot(weights, image[rows], 1)
    np.testing.assert_allclose(crop, whole[3:23], atol=2e-6)


def test_ifan_alone_crops(images):
    crop = augmentations.ifan(Scripted(1, 1, 1, 0.5, 0.5), images, 8)
    # corners: int(0.5 * (30 - 8) - 1) = 10, int(0.5 * (40 - 8) - 1) = 15
    for kind in KINDS:
        expected = as_float(images[kind][10:18, 15:23])
        np.testing.assert_array_equal(crop[kind], expected)


def test_ifan_chain_is_the_whole_images_cropped_last(images):
    """Noise 1/20, grey 3/10, scale 1/2: all three, against the steps on full images."""
    draws = Scripted(0.04, 0.5, 0.2, 0.4, 0.3, 0.9, 0.0)
    crop = augmentations.ifan(draws, images, 8)
    assert not draws.values
    height, width = int(30 * 0.79), int(40 * 0.79)  # 23, 31
    top, left = int(0.9 * (height - 8) - 1), 0
    sigma = 0.001 + 0.5 * (np.sqrt(0.005) - 0.001)
    rows, _ = augmentations.area_window(30, height, top, 8)
    columns, _ = augmentations.area_window(40, width, left, 8)
    drawn = Scripted().standard_normal(images["sharp"][rows, columns].shape, np.float32)
    noise = np.zeros((30, 40, 3), np.float32)
    noise[rows, columns] = sigma * drawn
    for kind in KINDS:
        image = as_float(images[kind])
        if kind != "sharp":
            image = np.clip(image + noise, 0, 1)
        grey = naive_grey(image, 0.07228, again=True)
        small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(
            crop[kind], small[top : top + 8, left : left + 8], atol=3e-6
        )


def naive_grey(image, blue, again):
    result = np.empty_like(image)
    for y, x in np.ndindex(image.shape[:2]):
        value = image[y, x] @ np.array([0.2126, 0.7152, blue])
        if again and value <= 0.0031308:
            value = 12.92 * value
        elif again:
            value = 1.055 * value ** (1 / 2.4) - 0.055
        result[y, x] = value
    return result


def test_ifan_without_its_quirks_greys_as_scikit_image_does(images):
    quirky = augmentations.ifan(Scripted(1, 0, 1, 0.5, 0.5), images, 8)["sharp"]
    mended = augmentations.ifan(Scripted(1, 0, 1, 0.5, 0.5), images, 8, quirks=False)
    cut = as_float(images["sharp"][11:19, 16:24])  # int(0.5 * 23), int(0.5 * 33)
    expected = color.rgb2gray(cut.astype("float64"))
    # whose digits are 0.2125, 0.7154 and 0.0721
    np.testing.assert_allclose(mended["sharp"][..., 1], expected, atol=3e-4)
    assert quirky.mean() > mended["sharp"].mean() + 0.1  # brightened


def test_ifan_shares_one_field_of_noise_and_spares_the_sharp_image():
    grey = {k: np.full((400, 400, 3), 128, np.uint8) for k in KINDS}
    crop = augmentations.ifan(Scripted(0, 1, 1, 1, 0.5, 0.5), grey, 256)
    np.testing.assert_array_equal(crop["left"], crop["right"])
    np.testing.assert_array_equal(crop["left"], crop["blurred"])
    assert np.ptp(crop["sharp"]) == 0
    assert np.std(crop["left"]) == pytest.approx(np.sqrt(0.005), rel=0.01)


def test_ifan_corners_prefer_zero_and_miss_the_last_place():
    """int(U(0, 4) - 1): 0 in two of four, 1 and 2 in one each, 3 and 4 never."""
    ramp = np.zeros((8, 8, 3), np.uint8) + np.arange(8, dtype=np.uint8)[:, None, None]
    rng = np.random.default_rng(0)

    def corners(quirks):
        counts = np.zeros(5)
        for _ in range(1500):
            draws = Scripted(1, 1, 1, rng.random(), 0.5)
            crop = augmentations.ifan(draws, {"sharp": ramp}, 4, quirks)
            counts[round(crop["sharp"][0, 0, 0] * 255)] += 1
        return counts / 1500

    np.testing.assert_allclose(corners(True), [0.5, 0.25, 0.25, 0, 0], atol=0.05)
    np.testing.assert_allclose(corners(False), [0.2] * 5, atol=0.05)


def test_ifan_frequencies_are_the_papers():
    tone = {k: np.full((24, 24, 3), (10, 90, 30), np.uint8) for k in ("left", "sharp")}
    noisy = grey = 0
    for seed in range(1500):
        crop = augmentations.ifan(np.random.default_rng(seed), tone, 8)
        noisy += np.ptp(crop["left"][..., 0]) > 1e-4
        grey += np.ptp(crop["sharp"][0, 0]) < 1e-4
    assert noisy / 1500 == pytest.approx(0.05, abs=0.02)
    assert grey / 1500 == pytest.approx(0.3, abs=0.04)


def test_ifan_needs_room_to_shrink(images):
    with pytest.raises(ValueError, match=r"0\.7.*crop_size=21.*30x40"):
        augmentations.ifan(np.random.default_rng(0), images, 21)


def test_gkmnet_crops_alone_and_reaches_the_last_corner(images):
    crop = augmentations.gkmnet(Scripted(0.999, 0.999, 1, 0, 0), images, 8)
    np.testing.assert_array_equal(crop["left"], as_float(images["left"][22:, 32:]))


def test_gkmnet_later_code_flips_half_and_turns_half(rng):
    image = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    crops = [augmentations.gkmnet(rng, {"b": image}, 6, True)["b"] for _ in range(1500)]
    shares = shares_of_orientations(image, crops)
    # (mirrored, turns): unflipped is half of all, of which half is not turned
    turned = {(False, turns): 1 / 12 for turns in (1, 2, 3)}
    # upside down is mirrored and two turns; its turns pass through the same four
    mirrored = {(True, 0): 1 / 8 + 1 / 24, (True, 2): 1 / 8 + 1 / 24}
    mirrored |= {(True, 1): 1 / 12, (True, 3): 1 / 12}
    expected = {(False, 0): 1 / 4, **turned, **mirrored}
    assert shares.keys() == expected.keys()
    for key, share in expected.items():
        assert shares[key] == pytest.approx(share, abs=0.04)
    with pytest.raises(ValueError, match="dual-pixel"):
        augmentations.gkmnet(rng, {"left": image, "right": image}, 6, True)


def orientation(image, crop):
    """(mirrored, counter-clockwise quarter turns) that make the crop of the image."""
    crop = np.round(crop * 255)
    for mirrored in (False, True):
        base = image[:, ::-1] if mirrored else image
        for turns in range(4):
            if np.array_equal(crop, np.rot90(base, turns)):
                return mirrored, turns
    raise AssertionError("no orientation of the image")


def shares_of_orientations(image, crops):
    found = [orientation(image, crop) for crop in crops]
    return {key: found.count(key) / len(found) for key in found}


def restormer_orientations(rng, kinds, **options):
    image = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    images = dict.fromkeys(kinds, image)
    crops = [
        augmentations.restormer(rng, images, 6, **options)["sharp"] for _ in range(800)
    ]
    return shares_of_orientations(image, crops)


def test_restormer_shows_all_eight_orientations_of_single_photographs(rng):
    shares = restormer_orientations(rng, ("blurred", "sharp"))
    assert len(shares) == 8
    assert all(share == pytest.approx(1 / 8, abs=0.04) for share in shares.values())


def test_restormer_shows_views_in_the_four_that_exist_unless_as_published(rng):
    shares = restormer_orientations(rng, KINDS)
    assert set(shares) == {(m, t) for m in (False, True) for t in (0, 2)}
    assert all(share == pytest.approx(1 / 4, abs=0.06) for share in shares.values())
    assert len(restormer_orientations(rng, KINDS, as_published=True)) == 8


def test_restormer_as_published_leaves_left_and_right_in_place(images):
    draws = (0.5, 0.5, 1, 0, 0, 0, 0.9)  # crop; no quarter turn; mirrored
    mended = augmentations.restormer(Scripted(*draws), images, 8)
    published = augmentations.restormer(Scripted(*draws), images, 8, True)
    np.testing.assert_array_equal(published["left"], mended["right"])
    np.testing.assert_array_equal(published["sharp"], mended["sharp"])


def test_restormer_reflects_what_is_too_small(images):
    small = {k: image[:5, :12] for k, image in images.items()}
    crop = augmentations.restormer(Scripted(0, 0, 1, 0, 0, 0, 0), small, 8)
    padded = cv2.copyMakeBorder(small["sharp"], 0, 3, 0, 0, cv2.BORDER_REFLECT)
    np.testing.assert_array_equal(crop["sharp"], as_float(padded[:, :8]))


def test_a_memory_mapped_example_is_read_only_where_the_crop_is(tmp_path, images):
    """The arguments may be views of files; nothing but the crop becomes float."""
    seen = []

    class Watched(np.ndarray):
        def astype(self, *arguments, **options):
            seen.append(self.shape)
            return np.asarray(self).astype(*arguments, **options)

    watched = {k: image.view(Watched) for k, image in images.items()}
    for function in augmentations.FUNCTIONS.values():
        function(np.random.default_rng(1), watched, 8)
    assert max(max(shape) for shape in seen) <= 13  # 8 / 0.7, and a pixel


def test_images_of_several_sizes_are_refused(images):
    images["left"] = images["left"][:-1]
    for function in augmentations.FUNCTIONS.values():
        with pytest.raises(ValueError, match="one size"):
            function(np.random.default_rng(0), images, 8)


def test_a_crop_may_be_a_rectangle(images):
    crop = augmentations.default(Scripted(0, 0, 1, 0, 0), images, (6, 9))
    assert augmentations.crop_shape((6, 9)) == (6, 9)
    assert augmentations.crop_shape(6) == (6, 6)
    for kind in images:
        expected = images[kind][:6, :9] / np.float32(np.iinfo(images[kind].dtype).max)
        np.testing.assert_array_equal(crop[kind], expected)
    with pytest.raises(ValueError, match=r"crop_size=\(6, 900\)"):
        augmentations.default(Scripted(0, 0), images, (6, 900))
