"""Photographs that go through unrestored come out with every tag they had."""

import io
import re
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
import tifffile

from tests.images import photograph_files
from tf_defocus.images.files import convert_for, read_image, samples_of, write_image

FILES = photograph_files.all_files()
# How the pixels are stored, which is done anew; a turned picture changes the others.
STRUCTURAL = {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320}
STRUCTURAL |= {34665, 34853}  # places of directories: compared by what they hold
STRUCTURAL |= {322, 323, 324, 325, 332, 334, 338, 339, 347, 530, 531, 532, 292, 293}


def through(folder, name, target=None):
    """The bytes that the file `name` becomes as `target`, and the image between."""
    (folder / name).write_bytes(FILES[name])
    image = convert_for(read_image(folder / name), target or name)
    written = folder / f"written_{target or name}"
    write_image(written, image)
    return written.read_bytes(), image


def png_chunks(data):
    position, found = 8, []
    while position < len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        found.append((name, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def comparable(name, body):
    """Chunks in the form in which their meaning can be compared."""
    if name == b"iCCP":
        return name, zlib.decompress(body.split(b"\0", 1)[1][1:])
    if name == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0\1"):
        return name, b"XML:com.adobe.xmp\0\0\0\0\0" + zlib.decompress(body[22:])
    return name, body


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith(".png")])
def test_png_keeps_every_chunk(tmp_path, name):
    written, image = through(tmp_path, name)
    assert image.notes == ()
    before = [comparable(*c) for c in png_chunks(FILES[name]) if c[0][0] & 32]
    after = [comparable(*c) for c in png_chunks(written) if c[0][0] & 32]
    if "turned" in name:
        names = sorted(name for name, _ in after)
        assert names == [b"eXIf", b"iTXt", b"pHYs"]
        packet = dict(after)[b"iTXt"]
        assert b"<tiff:Orientation>1</tiff:Orientation>" in packet
        assert dict(after)[b"pHYs"] == struct.pack(">IIB", 5906, 11811, 1)
        exif = PIL.Image.Exif()
        exif.load(dict(after)[b"eXIf"])
        assert (exif[282], exif[283], exif[274]) == (72, 240, 1)
        assert exif.get_ifd(34665)[40962] == 22
        return
    expected = [c for c in before if c[0] != b"tRNS"]  # it became the alpha channel
    assert sorted(after) == sorted(expected)
    again = read_image_of(tmp_path, "again.png", written)
    np.testing.assert_array_equal(again.pixels, image.pixels)


def read_image_of(folder, name, data):
    (folder / name).write_bytes(data)
    return read_image(folder / name)


def jpeg_segments(data):
    position, found = 2, []
    while data[position + 1] != 0xDA:
        marker, length = struct.unpack(">BH", data[position + 1 : position + 4])
        if 0xE0 <= marker < 0xF0 or marker == 0xFE:
            found.append((marker, data[position + 4 : position + 2 + length]))
        position += 2 + length
    return found


JPEGS = [n for n in FILES if n.endswith((".jpg", ".jfif", ".mpo"))]


@pytest.mark.parametrize("name", [n for n in JPEGS if n != "extended_xmp.jpg"])
def test_jpeg_keeps_every_segment(tmp_path, name):
    written, image = through(tmp_path, name)
    assert image.notes == ()
    before, after = jpeg_segments(FILES[name]), jpeg_segments(written)
    if name == "turned.jpg":
        assert image.pixels.shape[:2] == (31, 22)
        assert b'tiff:Orientation="1"' in image.xmp
        assert after[0][1][7:12] == struct.pack(">BHH", 1, 5, 9)  # turned as well
        return
    if name == "icc_parts.jpg":  # one part is enough for it
        assert image.icc == photograph_files.SRGB
        assert b"".join(b[14:] for m, b in after if m == 0xE2) == photograph_files.SRGB
        return
    assert sorted(before) == sorted(after)


def test_a_long_xmp_packet_is_joined_and_split_again(tmp_path):
    written, image = through(tmp_path, "extended_xmp.jpg")
    assert image.notes == ("the XMP was split in two, as JPEG needs it",)
    assert b"a" * 150_000 in image.xmp
    assert b"HasExtendedXMP" not in image.xmp
    assert max(len(body) for _, body in jpeg_segments(written)) < 65534
    again = read_image_of(tmp_path, "again.jpg", written)
    assert b"a" * 150_000 in again.xmp
    assert "Schärfe".encode() in again.xmp
    assert again.notes == ()


def tiff_tags(data):
    """Descriptive tags: code -> (type, count, bytes in little-endian order)."""
    found = {}
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        for tag in (tag for tag in tiff.pages[0].tags if tag.code not in STRUCTURAL):
            width = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 7: 1, 11: 4, 12: 8}[int(tag.dtype)]
            length = tag.count * width * (2 if tag.dtype == 5 else 1)
            raw = data[tag.valueoffset : tag.valueoffset + length]
            if tiff.byteorder == ">":
                raw = np.frombuffer(raw, f">u{width}").byteswap().tobytes()
            found[tag.code] = (int(tag.dtype), tag.count, raw)
    return found


def exif_directories(data):
    exif = PIL.Image.open(io.BytesIO(data)).getexif()
    return [dict(exif.get_ifd(code)) for code in (34665, 34853)]


def test_tiff_keeps_its_exif_directories(tmp_path):
    written, _ = through(tmp_path, "exif.tif")
    details, position = exif_directories(written)
    assert [details, position] == exif_directories(FILES["exif.tif"])
    assert details[37500] == b"note\0\1\2"
    assert position[2] == (48.0, 8.0, 1.5)


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith(".tif")])
def test_tiff_keeps_every_tag(tmp_path, name):
    written, image = through(tmp_path, name)
    assert all("CMYK" in note for note in image.notes)
    before, after = tiff_tags(FILES[name]), tiff_tags(written)
    if "turned" in name:
        assert after.pop(274) == (3, 1, b"\1\0")
        assert b'tiff:Orientation="1"' in after.pop(700)[2]
        del before[274], before[700]
    assert after == before
    stored = samples_of(image)
    np.testing.assert_array_equal(
        tifffile.imread(io.BytesIO(written)).reshape(stored.shape), stored
    )
    again = read_image_of(tmp_path, "again.tif", written)
    np.testing.assert_array_equal(again.pixels, image.pixels)


@pytest.mark.parametrize("name", ["uint8.tif", "uint8_motorola.tif", "8_meta.png"])
@pytest.mark.parametrize("target", ["a.jpg", "a.png", "a.tif"])
def test_descriptions_cross_formats(tmp_path, name, target):
    written, _image = through(tmp_path, name, target)
    again = read_image_of(tmp_path, target, written)
    assert again.icc == photograph_files.SRGB
    assert again.xmp == photograph_files.packet()
    exif = PIL.Image.Exif()
    exif.load(again.exif)
    assert "rg M" in str(exif[33432])
    if target == "a.jpg":
        assert again.photoshop == (photograph_files.iptc() if "uint8" in name else None)
    if name == "8_meta.png" and target == "a.tif":
        tags = tiff_tags(written)
        assert tags[282][2] == struct.pack("<II", 240, 1)  # EXIF's own word goes first


@pytest.mark.parametrize(
    "name, target, unit, x, y",
    [
        ("plain.jpg", "a.tif", 2, 300, 150),
        ("plain.jpg", "a.png", 1, 11811, 5906),
        ("8_3.png", "a.tif", 3, 118.11, 59.06),
        ("8_3.png", "a.jpg", 1, 300, 150),
        ("uint8.tif", "a.png", 1, 11811, 7874),
        ("uint8.tif", "a.jpg", 1, 300, 200),
    ],
)
def test_resolution_crosses_formats(tmp_path, name, target, unit, x, y):
    written, _ = through(tmp_path, name, target)
    if target == "a.png":
        found = struct.unpack(">IIB", dict(png_chunks(written))[b"pHYs"])
        assert found == (x, y, unit)
    elif target == "a.jpg":
        found = struct.unpack(">BHH", jpeg_segments(written)[0][1][7:12])
        assert found == (unit, x, y)
    else:
        tags = tiff_tags(written)
        ratios = [np.divide(*struct.unpack("<II", tags[c][2])) for c in (282, 283)]
        np.testing.assert_allclose(ratios, (x, y), rtol=1e-9)
        assert tags[296][2] == bytes((unit, 0))


def test_what_another_format_cannot_hold_is_said(tmp_path):
    _, image = through(tmp_path, "8_3.png", "a.tif")
    assert image.notes == (
        "PNG's iTXt, tEXt, zTXt was dropped: TIFF has no place for it",
    )
    _, image = through(tmp_path, "comment.jpg", "a.png")
    assert "comments and maker's segments" in image.notes[0]
    _, image = through(tmp_path, "iptc.jpg", "a.png")
    assert "IPTC" in image.notes[0]


FORMULAS = [
    n
    for n in FILES
    if re.fullmatch(r"(8|16)_\d\.png|(uint8|uint16|float32).*\.tif|pillow_.*\.tif", n)
    and "jpeg" not in n
]


@pytest.mark.parametrize("name", FORMULAS)
def test_pixels_are_those_that_were_stored(tmp_path, name):
    image = read_image_of(tmp_path, name, FILES[name])
    stored = samples_of(image)
    expected = photograph_files.samples(str(stored.dtype), stored.shape[2])
    if "turned" in name:  # orientation 8: the top is stored at the right
        expected = np.rot90(expected)
    np.testing.assert_array_equal(stored, expected)
    if name[0] in "18":
        assert f"{8 * stored.dtype.itemsize}_{stored.shape[2]}.png" == name
