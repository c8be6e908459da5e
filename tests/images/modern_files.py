"""Files of WebP, AVIF, HEIC, BMP and DNG, made from the formulas of `photograph_files`.

They are built by Pillow, OpenCV, pillow-heif, tifffile and by hand, never by the
package.
"""

import io
import struct

import cv2
import numpy as np
import PIL.Image
import pillow_heif

from tests.images import photograph_files as made
from tests.images.profile_files import PROFILES

LOSSLESS_HEIC = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
BAYER = ((0, 1), (1, 2))  # the colours of two by two photosites
NEUTRAL = (0.5, 1.0, 0.75)  # what a camera measures of white
WIDE = (92, 128)  # a size of tiles of 64


def levels(bits, channels, size=made.SIZE):
    """The formula in levels of 8, 10 or 12 bits."""
    values = made.samples("float32", channels, size) * ((1 << bits) - 1)
    return np.rint(values).astype("uint8" if bits == 8 else "uint16")


def widened(values, bits):
    """Levels of 10 or 12 bits as those of 16; of 8 as they are."""
    if bits == 8:
        return values
    return np.rint(values * (65535 / ((1 << bits) - 1))).astype("uint16")


def by_pillow(values, form, **options):
    file = io.BytesIO()
    values = values[..., 0] if values.shape[2] == 1 else values
    PIL.Image.fromarray(values).save(file, form, **options)
    return file.getvalue()


def webp_files():
    rgb, rgba = made.samples(), made.samples(channels=4)
    full = {
        "icc_profile": PROFILES["p3"],
        "exif": made.exif_block(),
        "xmp": made.packet(),
    }
    turned = full | {"exif": made.exif_block(6), "xmp": made.packet(6)}
    exact = {"lossless": True, "exact": True}
    return {
        "lossless.webp": by_pillow(rgb, "WEBP", **exact),
        "lossless_alpha.webp": by_pillow(rgba, "WEBP", **exact),
        "lossless_meta.webp": by_pillow(rgb, "WEBP", **exact, **full),
        "lossless_alpha_meta.webp": by_pillow(rgba, "WEBP", **exact, **full),
        "lossless_turned.webp": by_pillow(rgb, "WEBP", **exact, **turned),
        "lossy.webp": by_pillow(rgb, "WEBP", quality=90),
        "lossy_alpha.webp": by_pillow(rgba, "WEBP", quality=90),
        "lossy_meta.webp": by_pillow(rgb, "WEBP", quality=90, **full),
    }


def bmp_by_hand(rows, bits, compression=0, header=b"", palette=b"", behind=b""):
    """A BMP file of the bytes of rows, 31 pixels each, from the bottom up."""
    height = 22
    size = 40 + len(header)
    start = 14 + size + len(palette)
    numbers = (size, 31, height, 1, bits, compression, 0, 11811, 5906, 0, 0)
    head = struct.pack("<IiiHHIIiiII", *numbers) + header + palette
    end = start + len(rows) + len(behind)
    return b"BM" + struct.pack("<IHHI", end, 0, 0, start) + head + rows + behind


def bmp_files():
    rgb, grey = made.samples(), made.samples(channels=1)
    rgba = made.samples(channels=4)[::-1]
    masks = struct.pack("<4I", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
    pixels = rgba.tobytes()
    behind = PROFILES["adobe"]
    place = struct.pack("<III", 124 + len(pixels), len(behind), 0)
    embedded = masks + b"DEBM" + bytes(36 + 12) + struct.pack("<I", 4) + place
    runs = b"".join(b"\x1f\x05\0\0" for _ in range(22)) + b"\0\1"
    palette = b"".join(bytes((i, 2 * i, 3 * i, 0)) for i in range(64)) * 4
    picture = PIL.Image.fromarray(rgb)
    few = io.BytesIO()
    picture.quantize(16).save(few, "BMP")
    return {
        "8_3.bmp": by_pillow(rgb, "BMP", dpi=(300, 150)),
        "8_1.bmp": by_pillow(grey, "BMP"),
        "8_4.bmp": bmp_by_hand(pixels, 32, 3, embedded, behind=behind),
        "palette.bmp": few.getvalue(),
        "runs.bmp": bmp_by_hand(runs, 8, 1, palette=palette),
        "bits.bmp": by_pillow(grey > 128, "BMP"),
    }


def avif(bits, channels, quality=100):
    order = [0] if channels == 1 else [2, 1, 0, 3][:channels]
    options = (cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, quality)
    samples = np.ascontiguousarray(levels(bits, channels)[..., order])
    return cv2.imencode(".avif", samples, options)[1].tobytes()


def avif_files():
    files = {
        f"{bits}_{channels}.avif": avif(bits, channels)
        for bits in (8, 10, 12)
        for channels in (1, 3, 4)
    }
    files["10_lossy.avif"] = avif(10, 3, 80)
    full = {"icc_profile": PROFILES["p3"], "xmp": made.packet(), "quality": 90}
    rgb = made.samples()
    files["meta.avif"] = by_pillow(rgb, "AVIF", exif=made.exif_block(), **full)
    files["turned.avif"] = by_pillow(rgb, "AVIF", exif=made.exif_block(6), quality=90)
    return files


def heic(bits, channels, size=made.SIZE, **options):
    mode = "L" if channels == 1 else "RGBA"[:channels]
    mode += f";{bits}" if bits > 8 else ""
    file, samples = io.BytesIO(), levels(bits, channels, size)
    options = LOSSLESS_HEIC | options
    pillow_heif.encode(mode, size[::-1], samples.tobytes(), file, **options)
    return file.getvalue()


def heic_files():
    files = {
        f"{bits}_{channels}.heic": heic(bits, channels)
        for bits in (8, 10, 12)
        for channels in (1, 3, 4)
    }
    full = {"exif": made.exif_block(), "xmp": made.packet()}
    files["meta.heic"] = heic(8, 3, icc_profile=PROFILES["p3"], **full)
    files["turned.heic"] = heic(10, 3, exif=made.exif_block(6), xmp=made.packet(6))
    files["tiles.heic"] = heic(8, 3, WIDE, tile_size=64)
    files["lossy.heif"] = heic(8, 3, quality=80, chroma=420, matrix_coefficients=6)
    files["numbers.heic"] = heic(10, 3, color_primaries=12, transfer_characteristics=13)
    files["hlg.heic"] = heic(10, 3, color_primaries=9, transfer_characteristics=18)
    two = pillow_heif.HeifFile()
    for channels in (3, 4):
        values = made.samples(channels=channels)
        mode = "RGBA"[:channels]
        two.add_frombytes(mode, made.SIZE[::-1], values.tobytes())
    file = io.BytesIO()
    two.save(file, **LOSSLESS_HEIC)
    files["two.heic"] = file.getvalue()
    return files


def mosaic(values):
    """What a camera measures of (height, width, 3) light: 16 bits, one colour each."""
    result = np.zeros(values.shape[:2])
    for row, colours in enumerate(BAYER):
        for column, colour in enumerate(colours):
            part = values[row::2, column::2, colour] * NEUTRAL[colour]
            result[row::2, column::2] = part
    return np.rint(65535 * result).astype("uint16")


def dng(light, *tags):
    """A DNG file of the light that reached a camera whose colours are those of XYZ."""
    ratios = [x for v in NEUTRAL for x in (round(1e4 * v), 10_000)]
    # XYZ at D50 to light of sRGB, and to what the camera measures of white.
    matrix = np.array(
        [
            [3.1339, -1.6169, -0.4906],
            [-0.9788, 1.9161, 0.0335],
            [0.0719, -0.2290, 1.4052],
        ]
    ) * np.reshape(NEUTRAL, (3, 1))
    rounded = [x for v in matrix.ravel() for x in (round(1e4 * v), 10_000)]
    known = [
        (33421, "H", 2, (2, 2)),
        (33422, "B", 4, (0, 1, 1, 2)),
        (50706, "B", 4, (1, 4, 0, 0)),
        (50708, "s", 0, "Kamera"),
        (50717, "H", 1, 65535),
        (50721, "2i", 9, rounded),
        (50728, "2I", 3, ratios),
        (50778, "H", 1, 23),  # D50
    ]
    return made.tiff_file(mosaic(light), *known, *tags, photometric="cfa")


def raw_files():
    light = made.samples("float32", 3, (64, 96)) ** 2
    about = [(271, "s", 0, "Kamera"), (306, "s", 0, "2021:08:16 12:00:00")]
    packet = (700, "B", len(made.packet(6)), made.packet(6))
    return {
        "plain.dng": dng(light, *about),
        "turned.dng": dng(light, *about, (274, "H", 1, 6), packet),
    }


def modern_files():
    """dict, name -> bytes of the files of this module."""
    parts = (webp_files(), bmp_files(), avif_files(), heic_files(), raw_files())
    return {name: data for part in parts for name, data in part.items()}


def all_files():
    """dict, name -> bytes of a photograph's file of every kind."""
    return made.all_files() | modern_files()
