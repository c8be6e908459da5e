"""Photographs of wide colours through a restorer: what is kept, what is shown to it."""

import numpy as np
import pytest

from tests.images.profile_files import LINEAR, PROFILES, grey_profile
from tf_defocus.images.files import Image
from tf_defocus.restoration.colour_managed import restore_image

RNG = np.random.default_rng(5)


class Fake:
    """A restorer that adds `change` to the part of the picture right of column 20."""

    def __init__(self, change=0.0):
        self.change = change

    def restore(self, **views):
        self.seen = views
        (values,) = (views[name] for name in views if name == "blurred")
        if not self.change:
            return values.copy()
        full = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
        result = values.copy()
        changed = values[:, 20:] / full + self.change
        changed = np.clip(changed, 0, 1) * full
        result[:, 20:] = changed if full == 1 else np.rint(changed)
        return result


def noise(dtype):
    if dtype == "float32":
        return RNG.random((40, 50, 3), np.float32)
    return RNG.integers(0, np.iinfo(dtype).max + 1, (40, 50, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", PROFILES)
def test_what_is_not_changed_comes_out_bit_for_bit(name, dtype):
    image = Image(noise(dtype), icc=PROFILES[name])
    restored, defocus = restore_image(Fake(), {"blurred": image})
    np.testing.assert_array_equal(restored.pixels, image.pixels)
    assert restored.pixels.dtype == dtype and defocus is None
    restored, _ = restore_image(Fake(0.1), {"blurred": image})
    np.testing.assert_array_equal(restored.pixels[:, :20], image.pixels[:, :20])
    assert (restored.pixels[:, 20:] != image.pixels[:, 20:]).any(axis=2).mean() > 0.9


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_saturated_colours_are_changed_without_being_clipped(dtype):
    full = 1 if dtype == "float32" else 65535
    green = np.array([0.2, 0.85, 0.1]) * full  # of ProPhoto: far outside sRGB
    pixels = np.tile(green, (30, 50, 1)).astype(dtype)
    image = Image(pixels, icc=PROFILES["prophoto"])
    fake = Fake(-0.02)
    restored, _ = restore_image(fake, {"blurred": image})
    seen = fake.seen["blurred"]
    assert seen.dtype == dtype
    assert seen[..., 0].max() == 0  # clipped for the network's eyes alone
    moved = (restored.pixels.astype(np.float64) - pixels)[:, 20:] / full
    assert -0.05 < moved[..., 1].min() <= moved[..., 1].max() < -0.005
    assert restored.pixels[..., 0].min() > 0.1 * full


def test_the_network_sees_srgb():
    grey = np.full((30, 50, 3), 0.2140, np.float32)  # linear light of sRGB's 0.5
    fake = Fake(0.1)
    restored, _ = restore_image(fake, {"blurred": Image(grey, icc=PROFILES["linear"])})
    np.testing.assert_allclose(fake.seen["blurred"], 0.5, atol=1e-4)
    expected = ((0.6 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(restored.pixels[:, 20:], expected, rtol=2e-3)


def test_srgb_reaches_the_network_in_its_own_levels():
    image = Image(noise("uint8"))
    fake = Fake()
    restore_image(fake, {"blurred": image})
    assert fake.seen["blurred"] is image.pixels


def test_a_profile_that_is_not_followed_is_said_once():
    image = Image(noise("uint8"), icc=grey_profile(LINEAR), notes=("a",))
    views = {name: image for name in ("blurred", "left", "right")}
    restored, _ = restore_image(Fake(), views)
    assert len(restored.notes) == 2 and "grey" in restored.notes[1]
    grey = Image(np.repeat(noise("uint16")[..., :1], 3, 2), is_gray=True, icc=image.icc)
    restored, _ = restore_image(Fake(), {"blurred": grey})
    assert restored.notes == ()
    np.testing.assert_array_equal(restored.pixels, grey.pixels)


class Mean:
    """A restorer of a left and a right view that changes nothing."""

    def restore(self, left, right):
        mean = (left.astype(np.float64) + right) / 2
        return np.rint(mean).astype(left.dtype)


def test_two_views_alone_give_their_mean_in_the_colours_of_the_first():
    image = Image(noise("uint16"), icc=PROFILES["adobe"])
    restored, _ = restore_image(Mean(), {"left": image, "right": image})
    difference = restored.pixels.astype(int) - image.pixels
    dark = image.pixels.min(axis=2) < 2000  # a step of sRGB is many of Adobe RGB there
    assert np.abs(difference)[~dark].max() <= 2
