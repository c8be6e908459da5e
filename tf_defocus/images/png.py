"""PNG: the chunk checks and the 8- and 16-bit writer that no imaging library offers.

Pillow holds no 16-bit colour and OpenCV drops colour profiles and EXIF, so the few
lines of the format that a photographer's files need stand here. Arrays are
`(height, width, channels)` with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)
channels, uint8 or uint16. Source: W3C PNG Specification, third edition.
"""

import struct
import zlib

import cv2
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type of the header
BAND = 128  # rows filtered and compressed at a time
LONGEST_PROFILE = 1 << 26  # bytes; a colour profile that inflates further is refused


def read_header(start):
    """Width, height, bits per sample and colour type.

    Args:
        start: the first 33 bytes of the file, or more.

    Returns:
        `(width, height, bit_depth, colour_type)`, all int.

    Raises:
        ValueError: if the bytes are no PNG header.
    """
    if len(start) < 33 or start[12:16] != b"IHDR":
        raise ValueError("the PNG header is cut off")
    return struct.unpack(">IIBB", start[16:26])


def read_chunks(data):
    """Checks every chunk to the last byte and returns the ones that carry metadata.

    Args:
        data: bytes, the whole file.

    Returns:
        A dict of those of `icc`, `exif`, `xmp` (bytes) that are present; and `animated`
        or `transparent` (True) for an APNG and a colour-key transparency.

    Raises:
        ValueError: if the file ends early or a checksum is wrong.
    """
    found, position = {}, len(SIGNATURE)
    while True:
        if position + 12 > len(data):
            raise ValueError("the PNG data is cut off")
        length, name = struct.unpack(">I4s", data[position : position + 8])
        body = memoryview(data)[position + 8 : position + 8 + length]
        position += 12 + length
        if position > len(data):
            raise ValueError("the PNG data is cut off")
        if zlib.crc32(body, zlib.crc32(name)) != _checksum(data, position):
            raise ValueError(f"the PNG chunk {name!r} is damaged")
        if name == b"IEND":
            return found
        _note_metadata(found, name, body)


def _checksum(data, end):
    return int.from_bytes(data[end - 4 : end], "big")


def _note_metadata(found, name, body):
    if name == b"eXIf":
        found["exif"] = bytes(body)
    elif name == b"iCCP":
        inflate = zlib.decompressobj()
        packed = bytes(body).split(b"\0", 1)[1][1:]
        found["icc"] = inflate.decompress(packed, LONGEST_PROFILE)
        if inflate.unconsumed_tail:
            raise ValueError("the PNG colour profile is unreasonably large")
    elif name == b"iTXt" and bytes(body[: len(XMP_KEYWORD)]) == XMP_KEYWORD:
        keyword, rest = bytes(body).split(b"\0", 1)
        if keyword == XMP_KEYWORD and rest[:1] == b"\0":  # not compressed
            found["xmp"] = rest[2:].split(b"\0", 2)[2]
    elif name == b"acTL":
        found["animated"] = True
    elif name == b"tRNS":
        found["transparent"] = True


def decode_16bit(data, colour_type):
    """Samples of a checked 16-bit PNG, `(height, width, channels)` uint16.

    Raises:
        ValueError: if the compressed data cannot be decoded.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("the PNG data cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None]
    is_gray = colour_type in (0, 4)  # with transparency OpenCV widens grey to BGRA
    order = [0, 3] if is_gray else [2, 1, 0, 3][: pixels.shape[2]]
    return pixels[..., order]


def write_png(file, samples, icc=None, exif=None, xmp=None):
    """Writes samples and metadata as one PNG, row bands at a time.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) array, uint8 or uint16.
        icc, exif, xmp: bytes or None; `exif` starts with its TIFF header.
    """
    height, width, channels = samples.shape
    depth = 8 * samples.dtype.itemsize
    file.write(SIGNATURE)
    header = (width, height, depth, COLOUR_TYPES[channels], 0, 0, 0)
    _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", *header))
    if icc:
        _write_chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if xmp:
        _write_chunk(file, b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + xmp)
    if exif:
        _write_chunk(file, b"eXIf", exif)
    packer = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    above = np.zeros((1, width * channels * depth // 8), np.uint8)
    for top in range(0, height, BAND):
        rows = _rows_as_bytes(samples[top : top + BAND])
        filtered = _paeth_filter(rows, above, channels * depth // 8)
        _write_chunk(file, b"IDAT", packer.compress(filtered))
        above = rows[-1:]
    _write_chunk(file, b"IDAT", packer.flush())
    _write_chunk(file, b"IEND", b"")


def _rows_as_bytes(samples):
    """(rows, bytes per row) uint8, most significant byte first."""
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    return np.ascontiguousarray(big_endian).view(np.uint8).reshape(len(samples), -1)


def _paeth_filter(rows, above, stride):
    """Rows minus the Paeth prediction, each after its filter byte [Sec. 9.4]."""
    upper = np.concatenate([above, rows[:-1]]).astype(np.int16)
    left = np.zeros_like(upper)
    left[:, stride:] = rows[:, :-stride]
    corner = np.zeros_like(upper)
    corner[:, stride:] = upper[:, :-stride]
    to_left = np.abs(upper - corner)
    to_upper = np.abs(left - corner)
    to_corner = np.abs(left + upper - 2 * corner)
    prediction = np.where(to_upper <= to_corner, upper, corner)
    nearest_left = (to_left <= to_upper) & (to_left <= to_corner)
    prediction = np.where(nearest_left, left, prediction)
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 4
    filtered[:, 1:] = rows - prediction.astype(np.uint8)
    return filtered.tobytes()


def _write_chunk(file, name, body):
    file.write(struct.pack(">I4s", len(body), name))
    file.write(body)
    file.write(zlib.crc32(body, zlib.crc32(name)).to_bytes(4, "big"))
