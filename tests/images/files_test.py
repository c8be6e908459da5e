"""Files in and out: every kind round-trips, every broken kind is refused by name."""

import errno
import io
import os
import struct

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import tifffile

from tf_defocus.images import files, png, tiff
from tf_defocus.images.files import Image, ImageFileError, read_image, write_image

SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
DTYPES = {"png": ("uint8", "uint16"), "tif": ("uint8", "uint16", "float32")}
LOSSLESS = [(ext, dtype) for ext, dtypes in DTYPES.items() for dtype in dtypes]
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"


def random_samples(rng, shape, dtype):
    if dtype == "float32":
        return rng.random(shape, dtype=np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def exif_block(orientation=1):
    exif = PIL.Image.Exif()
    exif[271], exif[274] = "Kamera", orientation
    exif[34665] = {37386: 50.0, 37382: 3.5}  # focal length [mm], subject distance [m]
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("extension, dtype", LOSSLESS)
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (131, 7)])
def test_lossless_files_round_trip_bit_for_bit(
    tmp_path, rng, extension, dtype, grey, with_alpha, size
):
    pixels = random_samples(rng, (*size, 3), dtype)
    if grey:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    alpha = random_samples(rng, size, dtype) if with_alpha else None
    path = tmp_path / f"a.{extension}"
    exif = exif_block()
    write_image(path, Image(pixels, alpha, grey, icc=SRGB, exif=exif, xmp=XMP))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixels.dtype == dtype
    assert image.is_gray == grey
    assert (image.alpha is None) == (alpha is None)
    if with_alpha:
        np.testing.assert_array_equal(image.alpha, alpha)
    assert image.icc == SRGB
    assert image.xmp == XMP
    assert_exif_kept(image.exif)


def assert_exif_kept(block):
    exif = PIL.Image.Exif()
    exif.load(block)
    assert exif[271] == "Kamera"
    assert exif.get(274, 1) == 1
    details = exif.get_ifd(34665)
    assert float(details[37386]) == 50.0
    assert float(details[37382]) == 3.5


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_writer_agrees_with_other_decoders(rng, dtype, channels):
    cv2 = pytest.importorskip("cv2")
    samples = random_samples(rng, (300, 5, channels), dtype)
    file = io.BytesIO()
    png.write_png(file, samples)
    if dtype == "uint8":
        decoded = np.asarray(PIL.Image.open(file)).reshape(samples.shape)
        np.testing.assert_array_equal(decoded, samples)
    elif channels != 2:
        data = np.frombuffer(file.getvalue(), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(samples.shape)
        order = [2, 1, 0, 3][:channels] if channels > 1 else [0]
        np.testing.assert_array_equal(decoded[..., order], samples)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiff_writer_agrees_with_tifffile(rng, dtype, channels):
    samples = random_samples(rng, (300, 5, channels), dtype)
    file = io.BytesIO()
    tiff.write_tiff(file, samples)
    file.seek(0)
    decoded = tifffile.imread(file).reshape(samples.shape)
    np.testing.assert_array_equal(decoded, samples)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"planarconfig": "separate"},
        {"byteorder": ">"},
        {"tile": (16, 16)},
        {"bigtiff": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_deep_tiff_layouts_are_read_exactly(tmp_path, rng, dtype, options, orientation):
    samples = random_samples(rng, (9, 20, 3), dtype)
    stored = samples
    if options.get("planarconfig"):
        stored = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    tag = (274, 3, 1, orientation, True)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, stored, photometric="rgb", metadata=None, extratags=[tag], **options
    )
    expected = samples if orientation == 1 else np.rot90(samples, -1)
    np.testing.assert_array_equal(read_image(path).pixels, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_lzw_tiff_is_read_exactly(tmp_path, rng, dtype):
    cv2 = pytest.importorskip("cv2")
    samples = random_samples(rng, (9, 20, 3), dtype)
    path = tmp_path / "a.tif"
    lzw = [cv2.IMWRITE_TIFF_COMPRESSION, 5]
    assert cv2.imwrite(str(path), samples[..., ::-1], lzw)
    np.testing.assert_array_equal(read_image(path).pixels, samples)


@pytest.mark.parametrize("orientation", [6, 8])
def test_rotated_deep_lzw_tiff_is_turned_once(tmp_path, rng, orientation):
    samples = random_samples(rng, (9, 20), "uint16")
    path = tmp_path / "a.tif"
    tags = {274: orientation}
    PIL.Image.fromarray(samples).save(path, compression="tiff_lzw", tiffinfo=tags)
    expected = np.rot90(samples, {6: -1, 8: 1}[orientation])
    np.testing.assert_array_equal(read_image(path).pixels[..., 0], expected)


def test_white_is_zero_tiff_is_inverted(tmp_path, rng):
    samples = random_samples(rng, (5, 6), "uint16")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, samples, photometric="miniswhite", metadata=None)
    np.testing.assert_array_equal(read_image(path).pixels[..., 1], 65535 - samples)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "tif"])
def test_orientation_is_applied_once(tmp_path, orientation, extension):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white corner at the top left
    stored = np.asarray(
        {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.swapaxes(0, 1),
            6: np.rot90(upright),
            7: np.rot90(upright.swapaxes(0, 1), 2),
            8: np.rot90(upright, -1),
        }[orientation]
    )
    exif = PIL.Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{extension}"
    PIL.Image.fromarray(stored).save(path, exif=exif)
    image = read_image(path)
    np.testing.assert_allclose(image.pixels.astype(int), upright, atol=3)
    write_image(path, image)
    again = read_image(path)
    np.testing.assert_allclose(again.pixels.astype(int), upright, atol=6)


def test_jpeg_keeps_profile_exif_xmp_and_greyness(tmp_path, rng):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    pixels = np.broadcast_to(ramp[None, :, None], (48, 64, 3)).copy()
    exif = exif_block()
    path = tmp_path / "a.jpg"
    write_image(path, Image(pixels, is_gray=True, icc=SRGB, exif=exif, xmp=XMP))
    image = read_image(path)
    assert image.is_gray
    assert image.icc == SRGB
    assert image.xmp == XMP
    assert_exif_kept(image.exif)
    np.testing.assert_allclose(image.pixels.astype(int), pixels, atol=3)


def test_palette_becomes_rgb_and_keeps_transparency(tmp_path):
    picture = PIL.Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.pixels, [[[10, 20, 30], [40, 50, 60]]])
    picture.save(tmp_path / "b.png", transparency=1)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").alpha, [[255, 0]])


def test_cmyk_is_converted_and_said(tmp_path):
    picture = PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # red
    for name in ("a.jpg", "a.tif"):
        picture.save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.notes == ("CMYK was converted to RGB (sRGB)",)
        assert image.pixels[4, 4, 0] > 200
        assert image.pixels[4, 4, 2] < 60


def test_one_bit_and_transparent_grey_are_read(tmp_path):
    bits = PIL.Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    bits.save(tmp_path / "bits.png")
    image = read_image(tmp_path / "bits.png")
    assert image.is_gray
    np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 255])
    grey = PIL.Image.fromarray(np.array([[3, 9]], np.uint8))
    grey.save(tmp_path / "key.png", transparency=9)
    image = read_image(tmp_path / "key.png")
    assert image.is_gray
    np.testing.assert_array_equal(image.alpha, [[255, 0]])


def noise(rng):
    return rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("extension", ["png", "tif", "jpg"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("deep", [False, True])
def test_truncated_files_are_refused(tmp_path, rng, extension, kept, deep):
    pixels = noise(rng)
    if deep and extension != "jpg":
        pixels = pixels.astype(np.uint16) * 257
    path = tmp_path / f"a.{extension}"
    write_image(path, Image(pixels))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImageFileError, match=rf"a\.{extension}: cannot be read"):
        read_image(path)


def test_lzw_tiff_cut_off_is_refused(tmp_path, rng):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), noise(rng).astype(np.uint16) * 257)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ImageFileError, match="cannot be read"):
        read_image(path)


def test_a_damaged_png_byte_is_refused(tmp_path, rng):
    path = tmp_path / "a.png"
    write_image(path, Image(noise(rng)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageFileError, match="damaged"):
        read_image(path)


def test_empty_missing_and_foreign_files_are_refused(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(ImageFileError, match=r"empty\.png.*empty"):
        read_image(tmp_path / "empty.png")
    with pytest.raises(ImageFileError, match="No such file"):
        read_image(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("hello, this is a letter")
    with pytest.raises(ImageFileError, match="no image file; supported are"):
        read_image(tmp_path / "text.png")


def test_mislabelled_file_is_refused_with_its_right_name(tmp_path, rng):
    PIL.Image.fromarray(noise(rng)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    with pytest.raises(ImageFileError, match=r"holds JPEG data; rename it to a\.jpg"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.webp", "a.tif"])
def test_animations_and_several_pages_are_refused(tmp_path, rng, name):
    frames = [PIL.Image.fromarray(noise(rng)) for _ in range(2)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageFileError, match=r"animated|several pages"):
        read_image(tmp_path / name)


def test_still_gif_is_refused_with_the_supported_kinds(tmp_path, rng):
    PIL.Image.fromarray(noise(rng)).save(tmp_path / "a.gif")
    with pytest.raises(ImageFileError, match="holds GIF data; supported are PNG"):
        read_image(tmp_path / "a.gif")


def test_size_is_bounded_before_decoding(tmp_path, monkeypatch):
    header = struct.pack(">IIBBBBB", 60000, 60000, 16, 2, 0, 0, 0)
    file = io.BytesIO()
    file.write(png.SIGNATURE)
    png.write_chunk(file, b"IHDR", header)
    (tmp_path / "bomb.png").write_bytes(file.getvalue())
    with pytest.raises(ImageFileError, match=r"60000x60000.*TF_DEFOCUS_MAX_MEGAPIXELS"):
        read_image(tmp_path / "bomb.png")
    for name in ("a.png", "a.jpg", "a.tif"):
        PIL.Image.new("RGB", (200, 100)).save(tmp_path / name)
        with pytest.raises(ImageFileError, match="200x100"):
            read_image(tmp_path / name, max_megapixels=0.01)
    monkeypatch.setenv("TF_DEFOCUS_MAX_MEGAPIXELS", "0.01")
    with pytest.raises(ImageFileError, match="200x100"):
        read_image(tmp_path / "a.png")


def test_not_finite_floats_are_refused_and_wide_ones_noted(tmp_path):
    samples = np.zeros((4, 4, 3), np.float32)
    samples[0, 0, 0] = np.nan
    tifffile.imwrite(tmp_path / "nan.tif", samples, photometric="rgb")
    with pytest.raises(ImageFileError, match="not finite"):
        read_image(tmp_path / "nan.tif")
    samples[0, 0, 0] = 1.5
    tifffile.imwrite(tmp_path / "wide.tif", samples, photometric="rgb")
    assert "clipped" in read_image(tmp_path / "wide.tif").notes[0]


def test_unsupported_tiff_samples_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.int32))
    with pytest.raises(ImageFileError, match="int32; save it with 8, 16"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("extension", ["png", "tif", "jpg"])
@pytest.mark.parametrize(
    "number, remedy", [(errno.ENOSPC, "disk is full"), (errno.EROFS, "be written")]
)
def test_failed_write_leaves_nothing(
    tmp_path, rng, monkeypatch, extension, number, remedy
):
    def fail(*_):
        raise OSError(number, "injected")

    monkeypatch.setattr(os, "replace", fail)
    path = tmp_path / f"a.{extension}"
    with pytest.raises(ImageFileError, match=remedy):
        write_image(path, Image(noise(rng)))
    assert list(tmp_path.iterdir()) == []


def test_disk_full_in_the_middle_keeps_the_old_file(tmp_path, rng, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def fail(file, *_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "encode", fail)
    with pytest.raises(ImageFileError, match=r"a\.png: the disk is full; free"):
        write_image(path, Image(noise(rng)))
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_writing_below_a_file_is_refused(tmp_path, rng):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageFileError, match="choose another output folder"):
        write_image(tmp_path / "file" / "a.png", Image(noise(rng)))


def test_conversions_between_formats_are_noted(rng):
    deep = random_samples(rng, (4, 5, 3), "uint16")
    image = Image(deep, alpha=deep[..., 0])
    jpeg = files.convert_for(image, "a.jpg")
    assert jpeg.alpha is None
    assert len(jpeg.notes) == 2
    np.testing.assert_array_equal(jpeg.pixels, np.rint(deep / 257.0))
    assert files.convert_for(image, "a.png").notes == ()
    floats = Image(rng.random((4, 5, 3), dtype=np.float32))
    assert files.convert_for(floats, "a.png").pixels.dtype == np.uint16


def test_depth_that_the_format_lacks_is_refused_by_the_writer(tmp_path):
    floats = Image(np.zeros((2, 2, 3), np.float32))
    with pytest.raises(ImageFileError, match="cannot hold float32"):
        write_image(tmp_path / "a.png", floats)
