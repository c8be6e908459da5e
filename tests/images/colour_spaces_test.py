"""The colours of a file as sRGB and back: against LittleCMS, and against themselves."""

import io
import struct

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from tests.images import photograph_files, profile_files
from tests.images.profile_files import PROFILES
from tf_defocus.images import colour_spaces, icc
from tf_defocus.images.files import Image

RNG = np.random.default_rng(3)


def image(levels=256, **fields):
    """A noise of all colours, with this metadata."""
    dtype = np.uint8 if levels == 256 else np.uint16
    return Image(RNG.integers(0, levels, (48, 64, 3)).astype(dtype), **fields)


def by_littlecms(pixels, profile):
    picture = PIL.Image.fromarray(pixels)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(
        picture, source, target, renderingIntent=1, outputMode="RGB"
    )
    return np.asarray(made).astype(np.float64)


@pytest.mark.parametrize("name", PROFILES)
def test_colours_agree_with_littlecms_inside_srgb(name):
    picture = image(icc=PROFILES[name])
    space, note = colour_spaces.space_of(picture)
    assert note is None
    srgb = space.to_srgb(picture.pixels)
    expected = by_littlecms(picture.pixels, PROFILES[name])
    inside = ((srgb > 0.02) & (srgb < 1)).all(axis=2)
    assert inside.sum() > 300
    # LittleCMS rounds in between; linear light of 8 bits has wide steps in the dark.
    assert np.abs(255 * srgb - expected)[inside].max() < 1.2
    if "linear" not in name:  # wide colours leave sRGB and are not clipped
        assert srgb.min() < -0.05 and srgb.max() > 1.05


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("levels", [256, 65536])
def test_colours_come_back_to_the_level(name, levels):
    picture = image(levels, icc=PROFILES[name])
    space, _ = colour_spaces.space_of(picture)
    back = (levels - 1) * space.from_srgb(space.to_srgb(picture.pixels))
    np.testing.assert_array_equal(np.rint(back), picture.pixels)


def test_white_and_greys_stay_grey():
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    for profile in PROFILES.values():
        space, _ = colour_spaces.space_of(Image(greys, icc=profile))
        srgb = space.to_srgb(greys)
        assert np.ptp(srgb, axis=2).max() < 1e-12
        np.testing.assert_allclose(srgb[0, -1], 1, atol=1e-12)


@pytest.mark.parametrize(
    "profile",
    [
        photograph_files.SRGB,
        profile_files.profile(),
        profile_files.profile(
            curve=profile_files.table(profile_files.srgb_light), version=2
        ),
        None,
    ],
)
def test_srgb_in_every_form_needs_no_conversion(profile):
    assert colour_spaces.space_of(image(icc=profile)) == (None, None)


def damaged(start, data):
    profile = bytearray(PROFILES["p3"])
    profile[start : start + len(data)] = data
    return bytes(profile)


FALLING = profile_files.table(lambda x: 1 - x)
TABLE = profile_files.profile(more={b"A2B0": b"mft2" + bytes(60)})
NOT_FOLLOWED = {
    "a table of colours": TABLE,
    "one of CMYK colours": profile_files.packed({}, b"CMYK"),
    "one of grey pictures": profile_files.grey_profile(profile_files.gamma(2.2)),
    "curves that cannot be followed back": profile_files.profile("p3", FALLING),
    "no three primaries": profile_files.profile("p3").replace(
        profile_files.numbers(profile_files.PRIMARIES["p3"][1]),
        profile_files.numbers(profile_files.PRIMARIES["p3"][0]),
    ),
    "is damaged": damaged(128, b"\xff\xff\xff\xff"),
    "damaged curves": profile_files.profile(curve=b"curv" + struct.pack(">4xI", 9)),
}


@pytest.mark.parametrize("words", NOT_FOLLOWED)
def test_profiles_that_are_not_followed_are_named(words):
    space, note = colour_spaces.space_of(image(icc=NOT_FOLLOWED[words]))
    assert space is None
    assert words in note and note.endswith("as if it were sRGB")


def test_a_grey_profile_is_followed_in_a_grey_picture():
    profile = profile_files.grey_profile(profile_files.LINEAR)
    greys = np.repeat(np.array([0, 55, 255], np.uint8), 3).reshape(1, 3, 3)
    space, note = colour_spaces.space_of(Image(greys, is_gray=True, icc=profile))
    assert note is None
    light = 55 / 255
    expected = 1.055 * light ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(space.to_srgb(greys)[0, 1], expected, rtol=1e-12)


@pytest.mark.parametrize("gamma, primaries, known", [(1, 1, 0), (0.45455, 12, 0)])
def test_colours_of_png_chunks_are_followed(gamma, primaries, known):
    red, green, blue, white = colour_spaces.PRIMARIES[primaries]
    chrm = struct.pack(
        ">8I", *(round(1e5 * v) for p in (white, red, green, blue) for v in p)
    )
    chunks = ((b"gAMA", struct.pack(">I", round(1e5 * gamma))), (b"cHRM", chrm))
    picture = image(extras=chunks)
    space, _ = colour_spaces.space_of(picture)
    name = "linear" if primaries == 1 else "p3"
    by_profile, _ = colour_spaces.space_of(image(icc=PROFILES[name]))
    difference = space.to_srgb(picture.pixels) - by_profile.to_srgb(picture.pixels)
    assert np.abs(difference).max() < 2e-3
    numbers = bytes((primaries, 8 if primaries == 1 else 13, 0, 1))
    by_numbers, _ = colour_spaces.space_of(image(extras=(*chunks, (b"cICP", numbers))))
    difference = space.to_srgb(picture.pixels) - by_numbers.to_srgb(picture.pixels)
    assert np.abs(difference).max() < 1e-4
    standard = image(extras=(*chunks, (b"sRGB", b"\0")))
    assert colour_spaces.space_of(standard) == (None, None)


def test_high_dynamic_range_is_said():
    space, note = colour_spaces.space_of(image(extras=((b"cICP", b"\x09\x10\0\1"),)))
    assert space is None and "high dynamic range (PQ)" in note


def test_adobe_rgb_of_a_camera_without_a_profile_is_seen():
    exif = PIL.Image.Exif()
    exif[34665] = {40965: {1: "R03"}, 40961: 65535}
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    picture = image(exif=block)
    space, _ = colour_spaces.space_of(picture)
    by_profile, _ = colour_spaces.space_of(image(icc=PROFILES["adobe"]))
    difference = space.to_srgb(picture.pixels) - by_profile.to_srgb(picture.pixels)
    assert np.abs(difference).max() < 2e-3


@pytest.mark.parametrize("numbers", [(12, 13), (9, 8), (11, 4)])
def test_a_profile_made_of_numbers_means_the_same(numbers):
    made = colour_spaces.profile_of_numbers(*numbers)
    picture = image(65536)
    space = colour_spaces.of_numbers(*numbers)
    again, _ = colour_spaces.space_of(Image(picture.pixels, icc=made))
    difference = space.to_srgb(picture.pixels) - again.to_srgb(picture.pixels)
    assert np.abs(difference).max() < 1e-3
    ImageCms.ImageCmsProfile(io.BytesIO(made))  # LittleCMS takes it for a profile
    assert colour_spaces.profile_of_numbers(1, 13) is None


def test_a_grey_profile_becomes_one_of_colours():
    grey = profile_files.grey_profile(profile_files.gamma(1.8))
    made = icc.read_profile(colour_spaces.rgb_profile(grey))
    assert [curve.parameters[0] for curve in made.curves] == pytest.approx(
        [1.8] * 3, 0.002
    )


def test_damaged_profiles_are_followed_or_named():
    for seed in range(300):
        rng = np.random.default_rng(seed)
        data = bytearray(list(PROFILES.values())[seed % len(PROFILES)])
        for place in rng.integers(0, len(data), 6):
            data[place] = rng.integers(256)
        data[36:40] = b"acsp"
        space, note = colour_spaces.space_of(image(icc=bytes(data)))
        assert space is None or note is None
        if space:
            values = space.from_srgb(space.to_srgb(image().pixels))
            assert np.isfinite(values).all()
