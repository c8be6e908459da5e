"""What a file means survives: alpha, orientation, gain maps, thumbnails, damage."""

import struct

import numpy as np
import PIL.Image
import pytest

from tests.images import photograph_files as made
from tf_defocus.images import levels, photoshop, xmp
from tf_defocus.images.files import Image, convert_for, read_image, write_image
from tf_defocus.images.kinds import may_be_photograph
from tf_defocus.images.refusals import ImageFileError


def read(folder, name, data):
    (folder / name).write_bytes(data)
    return read_image(folder / name)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_multiplied_alpha_is_divided_at_every_depth(tmp_path, dtype, grey, compression):
    full = made.FULL[dtype]
    straight = made.samples(dtype, 1 if grey else 3)
    alpha = np.linspace(0.2, 1, straight.shape[1]) * np.ones(straight.shape[:2])
    stored = np.concatenate([straight * alpha[..., None], alpha[..., None] * full], 2)
    stored = stored if dtype == "float32" else np.rint(stored)
    data = made.tiff_file(
        stored.astype(dtype),
        extrasamples=["assocalpha"],
        photometric="minisblack" if grey else "rgb",
        planarconfig="contig",
        compression=compression,
    )
    image = read(tmp_path, "a.tif", data)
    assert image.is_gray == grey
    error = np.abs(image.pixels.astype(float) - straight).max()
    assert error <= (1e-6 if dtype == "float32" else 5)  # 1 level, divided by 0.2
    np.testing.assert_allclose(image.alpha / full, alpha, atol=0.002)
    write_image(tmp_path / "b.tif", image)
    again = read_image(tmp_path / "b.tif")
    np.testing.assert_array_equal(again.pixels, image.pixels)
    assert again.notes == ()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_fourth_channel_means_the_same_at_every_depth(tmp_path, dtype):
    values = made.samples(dtype, 4)
    unspecified = made.tiff_file(values, extrasamples=["unspecified"])
    image = read(tmp_path, "a.tif", unspecified)
    assert image.alpha is None
    assert "without a meaning" in image.notes[0]
    five = np.concatenate([values, values[..., :1]], axis=2)
    kinds = ["unspecified", "unassalpha"]
    image = read(tmp_path, "b.tif", made.tiff_file(five, extrasamples=kinds))
    np.testing.assert_array_equal(image.alpha, five[..., 4])
    np.testing.assert_array_equal(image.pixels, five[..., :3])


@pytest.mark.parametrize("name", ["8_key.png", "16_key.png", "8_gray_key.png"])
def test_colour_keys_become_alpha_at_every_depth(tmp_path, name):
    data = made.png_files()[name]
    image = read(tmp_path, name, data)
    key = image.pixels[3, 4]
    expected = (image.pixels != key).any(axis=2)
    full = np.iinfo(image.pixels.dtype).max
    np.testing.assert_array_equal(image.alpha, expected * full)
    assert image.alpha[3, 4] == 0


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_colour_keys_of_few_bits(tmp_path, depth):
    values = np.arange(2**depth, dtype="uint8").reshape(1, -1, 1)
    bits = "".join(f"{value:0{depth}b}" for value in values.ravel())
    bits += "0" * (-len(bits) % 8)
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    data = made.png_file(values, (b"tRNS", b"\0\1"), depth=depth, packed=[row])
    image = read(tmp_path, "a.png", data)
    step = 255 // (2**depth - 1)
    np.testing.assert_array_equal(image.pixels[0, :, 0], np.arange(2**depth) * step)
    np.testing.assert_array_equal(image.alpha[0] == 0, np.arange(2**depth) == 1)


def reduced(first):
    """A TIFF file with a picture of 31 x 22 and a copy of 8 x 6 marked reduced."""
    import io

    import tifffile

    file = io.BytesIO()
    pages = [(made.samples(), 0), (made.samples(size=(6, 8)), 1)]
    with tifffile.TiffWriter(file) as writer:
        for values, kind in reversed(pages) if first else pages:
            writer.write(values, photometric="rgb", subfiletype=kind, metadata=None)
    return file.getvalue()


@pytest.mark.parametrize("first", [False, True])
def test_the_picture_is_the_full_one_never_the_thumbnail(tmp_path, first):
    image = read(tmp_path, "a.tif", reduced(first))
    np.testing.assert_array_equal(image.pixels, made.samples())


def test_a_thumbnail_alone_is_no_photograph(tmp_path):
    data = made.tiff_file(made.samples(), subfiletype=1)
    with pytest.raises(ImageFileError, match="thumbnail only"):
        read(tmp_path, "a.tif", data)


GAIN_MAP = (
    ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
    ' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
)
ITEMS = (
    "<Container:Directory><rdf:Seq><rdf:li><Container:Item/></rdf:li></rdf:Seq>"
    "</Container:Directory>"
)


def test_a_gain_map_and_its_promise_are_dropped_and_said(tmp_path):
    body = made.packet(more=ITEMS).replace(
        b" rdf:about", f"{GAIN_MAP} rdf:about".encode()
    )
    second = made.jpeg_file(made.samples(size=(6, 8)))
    segments = [(0xE1, made.XMP_NAME + body), (0xE2, b"MPF\0II*\0\x08\0\0\0\0\0")]
    data = made.jpeg_file(made.samples(), *segments, rest=second)
    image = read(tmp_path, "a.jpg", data)
    assert image.notes == (
        "its gain map was dropped: it belongs to the unrestored picture",
    )
    for promise in (b"hdrgm", b"gain-map", b"Container", b"photos/1.0"):
        assert promise not in image.xmp
    assert "Schärfe".encode() in image.xmp
    write_image(tmp_path / "b.jpg", image)
    assert b"MPF" not in (tmp_path / "b.jpg").read_bytes()
    assert read_image(tmp_path / "b.jpg").notes == ()


@pytest.mark.parametrize(
    "rest, said",
    [
        (made.jpeg_file(made.samples()), "its second picture was dropped"),
        (b"\0\0\0\x18ftypmp42" + bytes(99), "its film was dropped"),
        (b"SEFT" * 20, "80 bytes behind the picture were dropped"),
    ],
)
def test_what_stands_behind_a_jpeg_is_said(tmp_path, rest, said):
    image = read(tmp_path, "a.jpg", made.jpeg_file(made.samples(), rest=rest))
    assert len(image.notes) == 1
    assert said in image.notes[0]


@pytest.mark.parametrize("element", [False, True])
def test_xmp_is_turned_with_the_pixels(element):
    more = (
        '<exif:PixelXDimension xmlns:exif="http://ns.adobe.com/exif/1.0/">31'
        "</exif:PixelXDimension><exif:PixelYDimension>22</exif:PixelYDimension>"
    )
    packet = made.packet(6, element, more)
    turned = xmp.upright(packet, 6).decode()
    assert 'Orientation="1"' in turned or "Orientation>1<" in turned
    assert ">22</exif:PixelXDimension>" in turned
    assert ">31</exif:PixelYDimension>" in turned
    assert xmp.upright(packet, 1) == packet
    assert len(turned) == len(packet.decode())


def test_damaged_segments_cost_the_segment(tmp_path):
    data = made.jpeg_file(
        made.samples(),
        (0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        (0xE2, b"ICC_PROFILE\0\1\2half"),
        (0xED, b"Photoshop 3.0\0garbage"),
        (0xE1, made.EXTENSION + bytes(50)),
    )
    image = read(tmp_path, "a.jpg", data)
    assert image.icc is None
    assert "the damaged colour profile was dropped" in image.notes
    assert image.pixels.shape == (22, 31, 3)


def test_cmyk_with_a_wrong_profile_is_converted_and_said(tmp_path):
    picture = PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for profile in (made.SRGB, b"no profile at all"):
        picture.save(tmp_path / "a.tif", icc_profile=profile)
        image = read_image(tmp_path / "a.tif")
        assert "without its profile" in image.notes[0]
        assert image.pixels[4, 4, 0] > 200


def test_compressions_that_are_not_read_are_named(tmp_path):
    data = bytearray(made.tiff_file(made.samples("uint16")))
    place = data.index(struct.pack("<HHI", 259, 3, 1))
    for number, name in (
        (34712, "JPEG 2000"),
        (34887, "LERC"),
        (12345, "number 12345"),
    ):
        data[place + 8 : place + 10] = struct.pack("<H", number)
        with pytest.raises(ImageFileError, match=f"compression .{name}.*save it with"):
            read(tmp_path, "a.tif", bytes(data))


@pytest.mark.parametrize("suffix", [".jfif", ".jif", ".mpo", ".JPE"])
def test_other_names_of_jpeg_are_jpeg(tmp_path, suffix):
    image = read(tmp_path, f"a{suffix}", made.jpeg_file(made.samples()))
    write_image(tmp_path / f"b{suffix}", image)
    assert (tmp_path / f"b{suffix}").read_bytes()[:2] == b"\xff\xd8"


def test_pipes_and_links_to_themselves_are_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.png")
    os.symlink("self.png", tmp_path / "self.png")
    (tmp_path / "folder.png").mkdir()
    for name, said in (("pipe", "pipe"), ("self", "opened"), ("folder", "a folder")):
        with pytest.raises(ImageFileError, match=said):
            read_image(tmp_path / f"{name}.png")


@pytest.mark.parametrize(
    "name, data, expected",
    [
        ("a.heic", b"", True),
        ("IMG_1", made.jpeg_file(made.samples()), True),
        ("a.xmp", b"<x:xmpmeta", False),
        ("a.thm", made.jpeg_file(made.samples()), False),
        ("a.txt", b"a letter", False),
        ("a.mov", b"\0\0\0\x14ftypqt  ", False),
    ],
)
def test_what_counts_as_a_photograph(tmp_path, name, data, expected):
    (tmp_path / name).write_bytes(data)
    assert may_be_photograph(tmp_path / name) == expected


def test_levels_survive_floats_and_deeper_levels():
    for dtype in ("uint8", "uint16"):
        values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
        np.testing.assert_array_equal(
            levels.to_levels(levels.to_float(values), dtype), values
        )
    deep = levels.convert(np.arange(256, dtype="uint8"), "uint16")
    np.testing.assert_array_equal(deep, np.arange(256) * 257)


@pytest.mark.parametrize(
    "high, scale",
    [(255, "255"), (250, "255"), (65535, "65535"), (4095, "65535"), (8, "the value")],
)
def test_another_scale_is_named(high, scale):
    with pytest.raises(ValueError, match=f"up to {high}; .*divide by {scale}"):
        levels.check_range(np.float32([0, high]))
    with pytest.raises(ValueError, match="down to -1"):
        levels.check_range(np.float32([-1, 1]))
    assert levels.check_range(np.float32([-0.25, 1.5])) == (-0.25, 1.5)


def test_exif_too_long_for_jpeg_loses_the_maker_note(tmp_path):
    exif = PIL.Image.Exif()
    exif[271] = "Kamera"
    exif[34665] = {37386: 50.0, 37500: bytes(70_000)}
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    image = convert_for(Image(made.samples(), exif=block), "a.jpg")
    assert image.notes == ("the maker's note was dropped: too long for JPEG",)
    write_image(tmp_path / "a.jpg", image)
    exif = PIL.Image.open(tmp_path / "a.jpg").getexif()
    assert exif[271] == "Kamera"
    assert float(exif.get_ifd(34665)[37386]) == 50.0


def test_damaged_directories_in_tiff_cost_themselves(tmp_path):
    data = bytearray(made.tiff_files()["exif.tif"])
    for code in (34665, 34853):
        place = data.index(struct.pack("<H", code) + struct.pack("<HI", 4, 1))
        data[place + 8 : place + 12] = b"\xff\xff\xff\x7f"
    image = read(tmp_path, "a.tif", bytes(data))
    assert image.notes == ("damaged TIFF tags were dropped: 34665, 34853",)
    exif = PIL.Image.Exif()
    exif.load(image.exif)
    assert exif[271] == "Kamera"


def test_damaged_sub_pages_do_not_matter(tmp_path):
    data = made.tiff_file(made.samples(), (330, 4, 1, 0x7FFFFFFF))
    image = read(tmp_path, "a.tif", data)
    np.testing.assert_array_equal(image.pixels, made.samples())


def test_a_larger_picture_below_the_first_is_not_passed_over(tmp_path):
    import io

    import tifffile

    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        small, options = made.samples(size=(6, 8)), {"photometric": "rgb"}
        writer.write(small, subifds=1, metadata=None, **options)
        writer.write(made.samples(), metadata=None, **options)
    with pytest.raises(ImageFileError, match="small copy of the photograph"):
        read(tmp_path, "a.tif", file.getvalue())


def test_a_damaged_profile_of_tiff_is_dropped_and_said(tmp_path):
    image = read(
        tmp_path, "a.tif", made.tiff_file(made.samples(), iccprofile=b"no" * 99)
    )
    assert image.icc is None
    assert image.notes == ("the damaged colour profile was dropped",)


def resource(number, data):
    head = (
        b"8BIM" + struct.pack(">H", number) + b"\x03abc" + struct.pack(">I", len(data))
    )
    return head + data + bytes(len(data) % 2)


def test_small_copies_of_the_unrestored_picture_are_dropped(tmp_path):
    copy = resource(0x040C, b"a small picture")
    block = resource(0x03ED, bytes(16)) + copy + made.iptc()
    more = (
        '<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Alt><rdf:li>'
        "data</rdf:li></rdf:Alt></xmp:Thumbnails>"
    )
    segments = (
        (0xED, b"Photoshop 3.0\0" + block),
        (0xE1, made.XMP_NAME + made.packet(more=more)),
        (0xE0, b"JFXX\0\x13\1\1" + bytes(3)),
    )
    image = read(tmp_path, "a.jpg", made.jpeg_file(made.samples(), *segments))
    assert image.photoshop == resource(0x03ED, bytes(16)) + made.iptc()
    assert b"data" not in image.xmp
    assert "Schärfe".encode() in image.xmp
    assert image.extras == ()
    for damaged in (block[:20], block[:-9], b"8BIM", b"8BIM\0\0\xff", b"others"):
        assert photoshop.without_thumbnails(damaged)


def test_iptc_of_tiff_goes_to_its_place_in_jpeg(tmp_path):
    records = b"\x1c\x02\x78\x00\x07Caption"
    data = made.tiff_file(made.samples(), (33723, 7, len(records), records))
    image = convert_for(read(tmp_path, "a.tif", data), "a.jpg")
    assert image.photoshop == made.iptc()
    assert image.notes == ()
