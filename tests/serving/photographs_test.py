"""What a request's inputs are, as photographs, and which are refused."""

import struct
import zlib

import numpy as np
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

from tf_defocus.images.contents import read_content, write_content
from tf_defocus.images.files import Image
from tf_defocus.serving.photographs import answer, read_photographs
from tf_defocus.serving.refusals import Refusal
from tf_defocus.serving.tensors import BYTES, Tensor, of_array

DUAL = ("left", "right")


def claims(png, width, height):
    header = png[12:16] + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def files(*contents):
    return [Tensor("blurred", BYTES, list(contents))]


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind, depth", [("png", 1), ("png", 257), ("tiff", 257)])
def test_a_file_comes_back_as_png_of_its_depth_with_its_metadata(pixels, kind, depth):
    pixels = pixels * depth if depth == 1 else pixels.astype(np.uint16) * depth
    sent = write_content(Image(pixels, icc=None, resolution=(72.0, 72.0, "inch")), kind)
    (photo,) = read_photographs(files(sent), ("blurred",), 24)
    np.testing.assert_array_equal(photo.views["blurred"], pixels)
    (back,) = answer([photo], [pixels]).values
    image = read_content(back, lambda *_: None)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.format == "png" and image.resolution is not None


def test_arrays_come_back_as_one_array(pixels):
    photos = read_photographs(
        [of_array("blurred", np.stack([pixels, pixels + 1]))], ("blurred",), 48
    )
    assert len(photos) == 2
    output = answer(photos, [photo.views["blurred"] for photo in photos])
    assert (output.name, output.shape) == ("deblurred", [2, 4, 6, 3])


def test_all_files_of_a_request_share_its_pixels(pixels):
    png = write_content(Image(pixels), "png")
    assert len(read_photographs(files(png, png), ("blurred",), 48)) == 2
    with pytest.raises(Refusal, match="24 pixels in all") as refused:
        read_photographs(files(png, png), ("blurred",), 47)
    assert refused.value.status == 413


def test_a_claimed_size_is_refused_before_decoding(pixels):
    huge = claims(write_content(Image(pixels), "png"), 100_000, 100_000)
    with pytest.raises(Refusal, match="header states 10000000000 pixels") as refused:
        read_photographs(files(huge), ("blurred",), 10**6)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "0 bytes of no image file"),
        (b"GIF89a" + bytes(60), "received GIF data"),
        (b"\xff\xd8\xff" + bytes(9), "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
    ],
)
def test_what_is_no_whole_file_is_refused(content, reason):
    with pytest.raises(Refusal, match=reason) as refused:
        read_photographs(files(content), ("blurred",), 100)
    assert refused.value.status == 400


def test_every_cut_of_a_file_is_refused(pixels):
    for kind in ("png", "jpeg", "tiff"):
        whole = write_content(Image(pixels), kind)
        for end in range(0, len(whole) // 2, 7):
            with pytest.raises(Refusal):
                read_photographs(files(whole[:end]), ("blurred",), 100)


@pytest.mark.parametrize(
    "names, reason",
    [
        (("left",), "expected the inputs left, right"),
        (("left", "right", "blurred"), "expected the inputs"),
        (("left", "left"), "once each"),
        ((), "received none"),
    ],
)
def test_views_that_are_not_the_models_are_refused(pixels, names, reason):
    with pytest.raises(Refusal, match=reason):
        read_photographs([of_array(n, pixels[None]) for n in names], DUAL, 100)


@pytest.mark.parametrize(
    "second, reason",
    [
        (np.zeros((1, 4, 5, 3), np.uint8), "views must be alike"),
        (np.zeros((1, 4, 6, 3), np.uint16), "views must be alike"),
        (np.zeros((2, 4, 6, 3), np.uint8), "views must be alike"),
    ],
)
def test_views_that_are_not_alike_are_refused(pixels, second, reason):
    tensors = [of_array("left", pixels[None]), of_array("right", second)]
    with pytest.raises(Refusal, match=reason):
        read_photographs(tensors, DUAL, 1000)


def test_files_of_different_sizes_are_no_views(pixels):
    pngs = [write_content(Image(p), "png") for p in (pixels, pixels[:3])]
    tensors = [Tensor(n, BYTES, [png]) for n, png in zip(DUAL, pngs)]
    with pytest.raises(Refusal, match="alike"):
        read_photographs(tensors, DUAL, 1000)


@pytest.mark.parametrize(
    "array, reason, status",
    [
        (np.zeros((4, 6, 3), np.uint8), r"expected shape \(batch", 400),
        (np.zeros((1, 4, 6, 4), np.uint8), r"expected shape \(batch", 400),
        (np.zeros((1, 0, 6, 3), np.uint8), r"expected shape \(batch", 400),
        (np.zeros((0, 4, 6, 3), np.uint8), "empty batch", 400),
        (np.full((1, 4, 6, 3), np.nan, np.float32), "not finite", 400),
        (np.full((1, 4, 6, 3), 255, np.float32), "divide by 255", 400),
        (np.zeros((2, 50, 10, 3), np.uint8), "takes 999 per request", 413),
    ],
)
def test_arrays_that_are_no_photographs_are_refused(array, reason, status):
    with pytest.raises(Refusal, match=reason) as refused:
        read_photographs([of_array("blurred", array)], ("blurred",), 999)
    assert refused.value.status == status
