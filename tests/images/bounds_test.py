"""Headers are not believed: what a file claims costs neither time nor memory."""

import struct
import time
import zlib

import pytest

from tests.images import photograph_files as made
from tf_defocus.images import xmp
from tf_defocus.images.files import Image, convert_for, read_image, write_image
from tf_defocus.images.refusals import ImageFileError


def read(folder, name, data):
    (folder / name).write_bytes(data)
    return read_image(folder / name)


def test_hostile_packets_are_edited_in_linear_time():
    start = b'<x xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/">'
    packet = start + b"<h:a>" * 200_000
    assert xmp.without_second_picture(packet) == packet


def test_an_inflating_picture_is_refused_before_it_is_read(tmp_path):
    bomb = zlib.compress(bytes(30_000_000))
    header = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)
    parts = [made.chunk(b"IHDR", header)]
    parts += [
        made.chunk(b"IDAT", bomb[i : i + 9999]) for i in range(0, len(bomb), 9999)
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join((*parts, made.chunk(b"IEND", b"")))
    assert read(tmp_path, "small.png", data).pixels.shape == (10, 10, 3)
    long = [made.chunk(b"IDAT", bytes(1 << 20))] * 3
    data = b"\x89PNG\r\n\x1a\n" + b"".join((parts[0], *long, made.chunk(b"IEND", b"")))
    with pytest.raises(ImageFileError, match="longer than the picture"):
        read(tmp_path, "long.png", data)


@pytest.mark.parametrize("text", ["many", "", "0", "nan", "-3"])
def test_the_limit_of_size_must_be_a_number(tmp_path, monkeypatch, text):
    monkeypatch.setenv("TF_DEFOCUS_MAX_MEGAPIXELS", text)
    data = made.png_file(made.samples())
    if not text:
        assert read(tmp_path, "a.png", data).pixels.shape == (22, 31, 3)
        return
    with pytest.raises(ImageFileError, match="expected a positive number"):
        read(tmp_path, "a.png", data)


def inflating_texts(count):
    """A PNG file whose texts inflate a thousandfold."""
    text = b"Raw profile type exif\0\0" + zlib.compress(
        b"\nexif\n 9\n" + b"a" * 9_000_000
    )
    data = made.png_file(made.samples())
    return data[:33] + made.chunk(b"zTXt", text) * count + data[33:]


def many_segments():
    data = made.jpeg_file(made.samples())
    return data[:2] + b"\xff\xfe\0\2" * 300_000 + data[2:]


def many_orientations():
    uri = "http://ns.adobe.com/tiff/1.0/"
    declared = "".join(f' xmlns:p{i}="{uri}"' for i in range(1100))
    turned = (0xE1, b"Exif\0\0" + made.exif_block(6))
    packet = (0xE1, made.XMP_NAME + f"<x{declared}>".encode())
    return made.jpeg_file(made.samples(), turned, packet)


@pytest.mark.parametrize(
    "name, make, outcome",
    [
        ("texts.png", lambda: inflating_texts(100), "dropped"),
        ("fill.jpg", lambda: b"\xff\xd8\xff" + b"\xff" * 3_000_000, "cut off"),
        ("segments.jpg", many_segments, "cannot be followed"),
        ("orientations.jpg", many_orientations, None),
    ],
)
def test_what_is_repeated_costs_little_time(tmp_path, name, make, outcome):
    data = make()
    start = time.perf_counter()
    try:
        said = " ".join(read(tmp_path, name, data).notes)
    except ImageFileError as error:
        said = str(error)
    assert time.perf_counter() - start < 5
    assert outcome is None or outcome in said


def test_packets_that_cannot_be_split_are_dropped_and_said(tmp_path):
    for inside in (b"<a>" * 30_000 + b"</a>" * 30_000, b"<a" * 40_000, b"&x;" * 30_000):
        packet = made.packet().replace(b"</rdf:Desc", inside + b"</rdf:Desc")
        image = convert_for(Image(made.samples(), xmp=packet), "a.jpg")
        assert image.notes == ("the XMP was dropped: too long for JPEG",)
        write_image(tmp_path / "a.jpg", image)
