"""WebP, AVIF, HEIC, BMP and raw files: what is read, kept, refused and said."""

import dataclasses
import io
import re
import struct
import sys

import cv2
import numpy as np
import PIL.Image
import pillow_heif
import pytest

from tests.images import modern_files
from tests.images import photograph_files as made
from tests.images.profile_files import LINEAR, PROFILES, grey_profile
from tf_defocus.images import bmp, colour_spaces, heif, webp
from tf_defocus.images.files import Image, convert_for, read_image, write_image
from tf_defocus.images.refusals import ImageFileError

FILES = modern_files.modern_files()


def read(folder, name, data=None):
    path = folder / name
    path.write_bytes(FILES[name] if data is None else data)
    return read_image(path)


def through(folder, name, target=None):
    """The file `name` read, written as `target` and read again."""
    image = read(folder, name)
    target = folder / (target or f"again.{name.split('.')[-1]}")
    written = convert_for(image, target)
    write_image(target, written)
    return written, read_image(target), target.read_bytes()


FORMULAS = [
    n
    for n in FILES
    if re.fullmatch(r"\d+_\d\.\w+|lossless.*\.webp|(two|tiles)\.heic", n)
]


@pytest.mark.parametrize("name", FORMULAS)
def test_pixels_are_those_that_were_stored_and_stay(tmp_path, name):
    image, again, _ = through(tmp_path, name)
    numbers = re.match(r"(\d+)_(\d)\.", name)
    bits, channels = map(int, numbers.groups()) if numbers else (8, 3)
    channels = 4 if "alpha" in name else channels
    size = modern_files.WIDE if name == "tiles.heic" else made.SIZE
    expected = modern_files.widened(modern_files.levels(bits, channels, size), bits)
    expected = np.rot90(expected, -1) if "turned" in name else expected
    colour = expected[..., :3] if channels > 2 else np.repeat(expected, 3, axis=2)
    np.testing.assert_array_equal(image.pixels, colour)
    assert image.is_gray == (channels == 1)
    if channels == 4:
        np.testing.assert_array_equal(image.alpha, expected[..., 3])
        np.testing.assert_array_equal(again.alpha, image.alpha)
    assert image.bits == again.bits == (bits if bits > 8 else None)
    assert image.pixels.dtype == ("uint8" if bits == 8 else "uint16")
    if not image.lossy:
        np.testing.assert_array_equal(again.pixels, image.pixels)
    else:  # grey without loss does not say so
        assert channels == 1 and name.endswith("avif")


def difference(one, other):
    full = float(np.iinfo(one.pixels.dtype).max)
    return np.abs(one.pixels / full - other.pixels / full).mean()


@pytest.mark.parametrize("name", ["lossy.webp", "lossy_alpha.webp", "10_lossy.avif"])
def test_lossy_files_stay_lossy_and_lose_little(tmp_path, name):
    image, again, written = through(tmp_path, name)
    assert image.lossy and again.lossy
    assert difference(image, again) < 0.03  # a texture as fine as the chroma's pixels
    assert len(written) < 3 * len(FILES[name])


def test_heic_of_a_phone_stays_of_the_kind_that_phones_show(tmp_path):
    image, again, written = through(tmp_path, "lossy.heif")
    assert image.lossy and difference(image, again) < 0.03
    found = pillow_heif.open_heif(io.BytesIO(written))
    assert found.info["chroma"] == 420
    image, _, written = through(tmp_path, "lossless.webp", "a.heic")
    assert pillow_heif.open_heif(io.BytesIO(written)).info["chroma"] == 420


WITH_METADATA = [n for n in FILES if "meta" in n or ("turned" in n and n[-3:] != "dng")]


@pytest.mark.parametrize("name", WITH_METADATA)
def test_profile_exif_and_xmp_stay_byte_for_byte(tmp_path, name):
    image, again, _ = through(tmp_path, name)
    assert image.notes == again.notes == ()
    assert (again.icc, again.exif, again.xmp) == (image.icc, image.exif, image.xmp)
    if "meta" in name:
        assert image.icc == PROFILES["p3"]
        assert image.exif == made.exif_block()
        assert image.xmp == made.packet()
    else:
        assert image.pixels.shape[:2] == (31, 22)
        exif = PIL.Image.Exif()
        exif.load(image.exif)
        assert exif.get(274, 1) == 1
        assert "rg M" in exif[33432]
        if image.xmp:
            assert b'Orientation="1"' in image.xmp


@pytest.mark.parametrize("name, most", [("turned.avif", 0.06), ("turned.heic", 0.003)])
def test_turned_pictures_are_those_that_programs_show(tmp_path, name, most):
    image = read(tmp_path, name)
    upright = Image(np.rot90(made.samples(), -1))
    full = np.iinfo(image.pixels.dtype).max
    shown = dataclasses.replace(
        image, pixels=np.uint8(np.rint(image.pixels / full * 255))
    )
    assert difference(shown, upright) < most


@pytest.mark.parametrize("name", ["meta.avif", "meta.heic", "lossless_meta.webp"])
def test_other_programs_read_what_was_written(tmp_path, name):
    image, _, written = through(tmp_path, name)
    picture = PIL.Image.open(io.BytesIO(written)) if name[-4:] != "heic" else None
    info = picture.info if picture else pillow_heif.open_heif(io.BytesIO(written)).info
    assert info["icc_profile"] == image.icc
    assert info["xmp"] == image.xmp
    assert info["exif"].removeprefix(b"Exif\0\0") == image.exif


@pytest.mark.parametrize("target", ["a.png", "a.tif", "a.jpg", "a.webp", "a.avif"])
@pytest.mark.parametrize("name", ["meta.heic", "lossless_meta.webp"])
def test_metadata_cross_formats(tmp_path, name, target):
    image, again, _ = through(tmp_path, name, target)
    assert image.icc == again.icc == PROFILES["p3"]
    assert again.xmp == made.packet()
    exif = PIL.Image.Exif()
    exif.load(again.exif)
    assert exif[271] == "Kamera"


def test_numbers_of_colours_cross_formats(tmp_path):
    p3 = ((b"cICP", b"\x0c\x0d\0\1"),)
    image = read(tmp_path, "numbers.heic")
    assert image.extras == p3 and image.icc is None
    space, _ = colour_spaces.space_of(image)
    for target in ("a.heic", "a.avif", "a.png", "a.tif", "a.jpg", "a.webp"):
        _, again, _ = through(tmp_path, "numbers.heic", target)
        assert (
            (again.extras == p3)
            == (again.icc is None)
            == (target[2:] in "heic avif png")
        )
        found, note = colour_spaces.space_of(again)
        assert note is None
        np.testing.assert_allclose(found.matrix, space.matrix, atol=2e-3)
    hlg, _, _ = through(tmp_path, "hlg.heic", "a.jpg")
    assert hlg.icc is None and "HLG" in hlg.notes[-1]


def test_bmp_keeps_resolution_profile_and_alpha(tmp_path):
    image, again, _ = through(tmp_path, "8_4.bmp")
    assert image.icc == again.icc == PROFILES["adobe"]
    assert image.resolution == again.resolution == (11811, 5906, "metre")
    assert image.notes == ()
    _, again, written = through(tmp_path, "8_3.bmp")
    assert again.resolution == (11811, 5906, "metre")
    assert PIL.Image.open(io.BytesIO(written)).info["dpi"][0] == pytest.approx(
        300, 1e-3
    )
    _, again, _ = through(tmp_path, "8_1.bmp")
    assert again.is_gray
    runs = read(tmp_path, "runs.bmp")
    assert (runs.pixels == (15, 10, 5)).all()
    image = read(tmp_path, "lossless_meta.webp")
    assert convert_for(image, "a.bmp").notes == (
        "EXIF, XMP and IPTC were dropped: BMP has none",
    )


@pytest.mark.parametrize("bits, masks", [(16, (0x7C00, 0x3E0, 0x1F)), (24, ())])
def test_other_depths_of_bmp_are_read(tmp_path, bits, masks):
    white = b"\xff\x7f" * 32 if bits == 16 else b"\xff" * 93 + b"\0" * 3
    header = struct.pack("<3I", *masks) if masks else b""
    data = modern_files.bmp_by_hand(white * 22, bits, 3 if masks else 0, header)
    assert (read(tmp_path, "a.bmp", data).pixels == 255).all()


def test_a_grey_profile_in_a_format_without_grey_becomes_one_of_colours(tmp_path):
    image = read(tmp_path, "8_1.bmp")
    image = dataclasses.replace(image, icc=grey_profile(LINEAR), format="png")
    for target in ("a.webp", "a.bmp"):
        converted = convert_for(image, tmp_path / target)
        write_image(tmp_path / target, converted)
        again = read_image(tmp_path / target)
        assert again.icc[16:20] == b"RGB " and converted.notes == ()
        space, note = colour_spaces.space_of(again)
        assert note is None and space.curves[0].light(0.5) == pytest.approx(0.5)
    assert convert_for(image, "a.avif").icc == image.icc


def test_ten_bits_stay_ten_and_sixteen_become_twelve(tmp_path):
    image, _, written = through(tmp_path, "10_3.heic", "a.avif")
    assert image.notes == ()
    stored = cv2.imdecode(np.frombuffer(written, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored[..., ::-1], modern_files.levels(10, 3))
    deep = Image(made.samples("uint16"))
    converted = convert_for(deep, tmp_path / "b.avif")
    assert converted.notes == ("16 bits were rounded to 12, the most AVIF holds",)
    write_image(tmp_path / "b.avif", converted)
    assert (
        np.abs(read_image(tmp_path / "b.avif").pixels - deep.pixels.astype(int)).max()
        <= 8
    )
    _, again, _ = through(tmp_path, "12_3.heic", "c.png")
    np.testing.assert_array_equal(again.pixels, read(tmp_path, "12_3.heic").pixels)


@pytest.mark.parametrize("name", ["plain.dng", "turned.dng"])
def test_raw_files_are_developed_upright_to_srgb(tmp_path, name):
    image = read(tmp_path, name)
    assert image.pixels.dtype == np.uint16 and image.format == "raw"
    assert image.pixels.shape == ((64, 96, 3) if name == "plain.dng" else (96, 64, 3))
    assert colour_spaces.space_of(image) == (None, None)
    assert image.notes == ("its raw data were developed to sRGB of 16 bits",)
    exif = PIL.Image.Exif()
    exif.load(image.exif)
    assert exif[271] == "Kamera" and exif.get(274, 1) == 1
    assert 33421 not in exif and 50706 not in exif
    if name == "turned.dng":
        assert b'Orientation="1"' in image.xmp
    write_image(tmp_path / "a.tif", convert_for(image, "a.tif"))
    again = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(again.pixels, image.pixels)


def test_raw_greys_are_neutral_by_the_cameras_white_balance(tmp_path):
    data = modern_files.dng(np.full((64, 96, 3), 0.18))
    found = read(tmp_path, "a.dng", data).pixels[8:-8, 8:-8] / 65535
    np.testing.assert_allclose(found, colour_spaces.encode_srgb(0.18), atol=2e-3)
    data = modern_files.dng(np.tile([0.3, 0.18, 0.1], (64, 96, 1)))
    found = read(tmp_path, "a.dng", data).pixels[30, 40] / 65535
    np.testing.assert_allclose(
        colour_spaces.decode_srgb(found), [0.3, 0.18, 0.1], rtol=0.1
    )


def test_how_raw_data_are_to_be_developed_is_not_kept(tmp_path):
    settings = (
        '<crs:ToneCurve xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/">'
        "<a/></crs:ToneCurve>"
    )
    packet = made.packet(more=settings)
    light = np.full((64, 96, 3), 0.5)
    data = modern_files.dng(light, (700, "B", len(packet), packet))
    assert b"ToneCurve" not in read(tmp_path, "a.dng", data).xmp


@pytest.mark.parametrize(
    "name, module, extra",
    [
        ("8_3.heic", "pillow_heif", "[heif]"),
        ("plain.dng", "rawpy", "[raw]"),
    ],
)
def test_a_missing_codec_names_the_extra(tmp_path, monkeypatch, name, module, extra):
    image = read(tmp_path, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ImageFileError, match=rf'pip install "tf-defocus{re.escape(extra)}"'
    ):
        read(tmp_path, name)
    if name.endswith("heic"):
        with pytest.raises(ImageFileError, match=re.escape(extra)):
            write_image(tmp_path / "b.heic", image)
        assert not (tmp_path / "b.heic").exists()


def test_opencv_without_avif_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(heif.cv2, "haveImageWriter", lambda name: False)
    with pytest.raises(ImageFileError, match=r"lacks AVIF.*pip install"):
        read(tmp_path, "8_3.avif")


def animated(form):
    frames = [PIL.Image.fromarray(made.samples(channels=c)) for c in (3, 4)]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize("form", ["WEBP", "AVIF"])
def test_animations_are_refused(tmp_path, form):
    with pytest.raises(ImageFileError, match="animated"):
        read(tmp_path, f"a.{form.lower()}", animated(form))


# The picture stands first in them, and is there.
METADATA_LAST = ("lossy_meta.webp", "lossless_turned.webp", "two.heic")


@pytest.mark.parametrize("name", [n for n in FILES if n not in METADATA_LAST])
def test_truncated_files_are_refused(tmp_path, name):
    data = FILES[name]
    suffix = name.split(".")[-1]
    for share in (0.02, 0.3, 0.7):
        with pytest.raises(ImageFileError, match="cannot be read: "):
            read(tmp_path, f"cut.{suffix}", data[: int(share * len(data))])


def patched(data, *changes):
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data


def test_sizes_are_refused_before_anything_is_decoded(tmp_path, monkeypatch):
    def never(*_arguments):
        raise AssertionError("decoded")

    monkeypatch.setattr(webp.WebPImagePlugin, "WebPImageFile", never)
    monkeypatch.setattr(bmp.BmpImagePlugin, "BmpImageFile", never)
    monkeypatch.setattr(heif, "DECODERS", {"AVIF": never, "HEIC": never})
    size, huge = struct.pack(">II", 31, 22), struct.pack(">II", 30000, 30000)
    claims = {
        "a.avif": patched(FILES["8_3.avif"], (size, huge)),
        "a.heic": patched(FILES["8_3.heic"], (struct.pack(">II", 64, 64), huge)),
        "a.bmp": patched(FILES["8_3.bmp"], (struct.pack("<ii", 31, 22), huge[::-1])),
    }
    for name, data in claims.items():
        with pytest.raises(ImageFileError, match=r"30000x30000.*MAX_MEGAPIXELS"):
            read(tmp_path, name, data)
    monkeypatch.setenv("TF_DEFOCUS_MAX_MEGAPIXELS", "0.0001")
    for name in ("lossless.webp", "lossy.webp", "8_3.bmp", "tiles.heic", "plain.dng"):
        with pytest.raises(ImageFileError, match="MAX_MEGAPIXELS"):
            read(tmp_path, name)


def test_damage_beside_the_picture_costs_what_is_damaged(tmp_path):
    webp_file = FILES["lossless_meta.webp"]
    cut = webp_file[:-30]
    image = read(tmp_path, "a.webp", cut)
    assert image.xmp is None and "damaged WebP chunk" in image.notes[0]
    whole = read(tmp_path, "b.webp", webp_file)
    np.testing.assert_array_equal(image.pixels, whole.pixels)
    damaged = webp_file.replace(b"acsp", b"ascp")
    image = read(tmp_path, "c.webp", damaged)
    assert image.icc is None and "colour profile was dropped" in image.notes[0]
    damaged = bytearray(FILES["meta.heic"])
    place = damaged.index(b"II*\0", 200)
    damaged[place : place + 2] = b"XX"
    image = read(tmp_path, "d.heic", bytes(damaged))
    assert image.exif is None and image.xmp == made.packet()


def test_other_pictures_in_the_file_are_said(tmp_path):
    image = read(tmp_path, "two.heic")
    assert image.notes == ("1 more picture(s) in the file were left out",)
    for urn, said in ((b"hdrgainmap", "gain map"), (b"2015:auxid:2", "depth map")):
        data = re.sub(
            rb"urn:mpeg:hevc:2015:auxid:1", urn.ljust(26, b"_"), FILES["8_4.heic"]
        )
        image = read(tmp_path, "a.heic", data)
        assert image.alpha is None and said in image.notes[0]
        np.testing.assert_array_equal(image.pixels, read(tmp_path, "8_4.heic").pixels)


def test_sides_that_a_format_cannot_hold_are_said(tmp_path):
    image = Image(np.zeros((2, 16384, 3), np.uint8))
    with pytest.raises(ImageFileError, match="at most 16383 pixels a side; use"):
        write_image(tmp_path / "a.webp", image)
