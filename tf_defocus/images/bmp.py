"""BMP: 8 bits, grey, colour or with alpha; profile and resolution, no other metadata.

Pillow decodes a file whose header was checked. Source: Microsoft, "Bitmap storage"
(BITMAPINFOHEADER, BITMAPV5HEADER).
"""

import io
import struct

import numpy as np
from PIL import BmpImagePlugin

from tf_defocus.images.pillow import to_samples
from tf_defocus.images.refusals import Damaged, Refused, decoder

CORE, INFO, V5 = 12, 40, 124  # bytes of headers
HEADERS = (CORE, INFO, 52, 56, 64, 108, V5)
PLAIN, RLE8, RLE4, MASKS, ALPHA_MASKS = 0, 1, 2, 3, 6
BITS = (1, 4, 8, 16, 24, 32)
PACKED = {4: "JPEG", 5: "PNG"}
MOST_OF_A_CODE = 255 * 255  # pixels that four bytes of run lengths pass over
EMBEDDED, LINKED, IS_SRGB = b"DEBM", b"KNIL", b"BGRs"  # numbers, lowest byte first


def read_bmp(file, check_size):
    """The photograph in a BMP file; see `tiff.read_tiff`.

    Returns:
        dict: `colour`, `alpha`, `icc` (bytes or None), `resolution` and `notes`, as in
        `files.Image`.
    """
    file.seek(0)
    data = file.read()
    _check_header(data, check_size)
    with decoder("BMP"):
        picture = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
        picture.load()
    colour, alpha, notes, _ = to_samples(picture, None)
    profile, more = _profile(data)
    resolution = None
    if _header_size(data) != CORE:
        x, y = struct.unpack("<ii", data[38:46])
        resolution = (x, y, "metre") if x > 0 and y > 0 else None
    return {
        "colour": colour,
        "alpha": alpha,
        "icc": profile,
        "resolution": resolution,
        "notes": notes + more,
    }


def _header_size(data):
    return int.from_bytes(data[14:18], "little")


def _check_header(data, check_size):
    size, (start,) = (
        _header_size(data),
        struct.unpack("<I", data[10:14].ljust(4, b"\0")),
    )
    if size not in HEADERS or len(data) < 14 + size or not 14 + size <= start:
        raise Damaged("the BMP header is damaged")
    compression = PLAIN
    if size == CORE:
        width, height, planes, bits = struct.unpack("<HHHH", data[18:26])
    else:
        numbers = struct.unpack("<iiHHI", data[18:34])
        width, height, planes, bits, compression = numbers
    if compression in PACKED:
        raise Refused(f"it holds {PACKED[compression]} data; save it as TIFF or PNG")
    width, height = abs(width), abs(height)
    if not width or not height or planes != 1 or bits not in BITS:
        raise Damaged("the BMP header states no size or no colours")
    check_size(width, height)
    held = len(data) - start
    if compression in (RLE8, RLE4):
        needed = width * height * 4 / MOST_OF_A_CODE
    elif compression in (PLAIN, MASKS, ALPHA_MASKS):
        needed = (width * bits + 31) // 32 * 4 * height
    else:
        raise Damaged("the BMP header names an unknown compression")
    if held < needed:
        raise Damaged("the BMP data is cut off")


def _profile(data):
    """The profile that lies behind the picture, and notes on what is left out."""
    size = _header_size(data)
    kind = data[70:74] if size in (108, V5) else b""
    if size == V5 and kind == EMBEDDED:
        start, length = struct.unpack("<II", data[126:134])
        profile = data[14 + start : 14 + start + length]
        if length and len(profile) == length:
            return profile, ()  # `files` drops what is no profile
        return None, ("the damaged colour profile was dropped",)
    if kind == LINKED:
        return None, ("the colour profile lies in another file: it was left out",)
    if kind == bytes(4) and any(data[74:122]):
        return None, ("the calibration of its colours was dropped",)
    return None, ()


def write_bmp(file, samples, image):
    """Writes one picture with its profile and resolution.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) uint8.
        image: the `files.Image` whose metadata are written.

    Raises:
        OverflowError: if the file would exceed 4 GB.
    """
    if samples.shape[2] == 2:  # there is no grey with alpha
        samples = samples[..., [0, 0, 0, 1]]
    height, width, channels = samples.shape
    rows = samples if channels == 1 else samples[..., [2, 1, 0, 3][:channels]]
    stride = -(-width * channels // 4) * 4
    profile = image.icc or b""
    size = V5 if profile or channels == 4 else INFO
    palette = np.arange(256, dtype="<u4") * 0x010101 if channels == 1 else b""
    start = 14 + size + len(bytes(palette))
    end = start + stride * height
    if end + len(profile) >= 1 << 32:
        raise OverflowError("BMP holds at most 4 GB")
    file.write(b"BM" + struct.pack("<IHHI", end + len(profile), 0, 0, start))
    file.write(_header(size, (width, height, channels), image, end - 14))
    file.write(bytes(palette))
    padding = bytes(stride - width * channels)
    for row in rows[::-1]:
        file.write(row.tobytes() + padding)
    file.write(profile)


def _header(size, shape, image, place_of_profile):
    width, height, channels = shape
    x, y, unit = image.resolution or (0, 0, None)
    per_metre = {"inch": 1 / 0.0254, "cm": 100, "metre": 1}.get(unit, 0)
    x, y = (min(max(round(value * per_metre), 0), 2**31 - 1) for value in (x, y))
    compression = MASKS if channels == 4 else PLAIN
    numbers = (size, width, height, 1, 8 * channels, compression, 0, x, y)
    header = struct.pack("<IiiHHIIii", *numbers)
    header += struct.pack("<II", 256 if channels == 1 else 0, 0)
    if size == INFO:
        return header
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000) if channels == 4 else (0, 0, 0, 0)
    header += struct.pack("<4I", *masks) + (EMBEDDED if image.icc else IS_SRGB)
    header += bytes(36 + 12) + struct.pack("<I", 4)  # pictures' intent
    length = len(image.icc or b"")
    return header + struct.pack("<III", place_of_profile if length else 0, length, 0)
