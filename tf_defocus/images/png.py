"""PNG: the chunks around the coded picture, and the 8- and 16-bit writer.

Pillow holds no 16-bit colour and OpenCV drops colour profiles and EXIF, so the chunks
are read and written here; a decoder is given the picture's own chunks alone, so that
damage in a side chunk costs that chunk. Arrays are `(height, width, channels)` with 1
(grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels, uint8 or uint16.
Source: W3C PNG Specification, third edition.
"""

import io
import os
import struct
import zlib

import cv2
import numpy as np
from PIL import PngImagePlugin

from tf_defocus.images import png_chunks
from tf_defocus.images.levels import full_scale
from tf_defocus.images.pillow import to_samples
from tf_defocus.images.refusals import Damaged, Refused, decoder

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type of the header
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# Adam7: (first row, first column, row step, column step) of each pass [Sec. 8.1].
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4))
PASSES += ((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
BAND = 128  # rows filtered and compressed at a time
MOST_CHUNKS = 1 << 18
PIECE = 1 << 20  # bytes


def read_header(start):
    """Width, height, bits per sample and colour type.

    Args:
        start: the first 33 bytes of the file, or more.

    Returns:
        `(width, height, bit_depth, colour_type)`, all int.

    Raises:
        Refused: if the bytes are no PNG header.
    """
    if len(start) < 33 or start[12:16] != b"IHDR":
        raise Damaged("the PNG header is cut off")
    width, height, depth, colour_type = struct.unpack(">IIBB", start[16:26])
    if not width or not height or depth not in DEPTHS.get(colour_type, ()):
        raise Damaged("the PNG header states no size or no colours")
    if start[26:28] != b"\0\0" or start[28] > 1:
        raise Damaged("the PNG header names unknown methods")
    return width, height, depth, colour_type


def read_png(file, check_size):
    """The photograph in a PNG file; see `tiff.read_tiff`.

    Returns:
        dict: `colour`, `alpha`, `icc`, `exif`, `xmp` (bytes or None), `resolution`,
        `extras` and `notes`, as in `files.Image`.
    """
    file.seek(0)
    header = read_header(file.read(33))
    width, height, depth, colour_type = header
    check_size(width, height)
    expected = _raw_size(width, height, depth * CHANNELS[colour_type], file)
    chunks, side, notes = _read_chunks(file, 2 * expected + PIECE)
    names = [name for name, _ in chunks]
    if any(name == b"acTL" for name, _ in side):
        raise Refused("it is an animated PNG; save one frame as PNG")
    if names[:1] != [b"IHDR"] or names.count(b"IHDR") > 1:
        raise Damaged("the PNG header stands in a wrong place")
    if b"IDAT" not in names or (colour_type == 3 and b"PLTE" not in names):
        raise Damaged("the PNG data is cut off")
    if colour_type != 3:  # a palette is then a suggestion only
        chunks = [chunk for chunk in chunks if chunk[0] != b"PLTE"]
    _check_inflated(chunks, expected)
    found, key = png_chunks.metadata(side, colour_type, depth, notes)
    if depth == 16:
        colour, alpha = _decode_16bit(chunks, colour_type)
    else:
        colour, alpha = _decode_8bit(chunks, colour_type, key)
    if key and colour_type in (0, 2):
        colour, alpha = _keyed(colour, key, depth)
    return {
        **found,
        "colour": colour,
        "alpha": alpha,
        "notes": tuple(dict.fromkeys(notes)),
    }


def _raw_size(width, height, bits, file):
    """Bytes that the picture's chunks inflate to: rows with a filter byte each."""
    file.seek(28)
    passes = PASSES if file.read(1) == b"\1" else ((0, 0, 1, 1),)
    total = 0
    for top, left, down, across in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _read_chunks(file, longest):
    """The picture's own chunks, the side chunks, and notes on damaged ones.

    Raises:
        Damaged: if the file ends early or a chunk of the picture is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    position, held, chunks, side, notes = len(SIGNATURE), 0, [], [], []
    while True:
        file.seek(position)
        start = file.read(8)
        if len(start) < 8:
            raise Damaged("the PNG data is cut off")
        length, name = struct.unpack(">I4s", start)
        if not name.isalpha() or len(chunks) + len(side) + len(notes) > MOST_CHUNKS:
            raise Damaged("the PNG chunks cannot be followed")
        position += 12 + length
        if position > size:
            raise Damaged("the PNG data is cut off")
        is_side = bool(name[0] & 32)
        held += 0 if is_side else length
        if held > longest:
            raise Damaged("the PNG data is longer than the picture")
        body = file.read(length)
        if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(file.read(4), "big"):
            if not is_side:
                raise Damaged(f"the PNG chunk {name!r} is damaged")
            notes.append(f"the damaged PNG chunk {name!r} was dropped")
        elif name == b"IEND":
            return chunks, side, notes
        elif is_side:
            side.append((name, body))
        elif name not in (b"IHDR", b"PLTE", b"IDAT"):
            raise Refused(f"its PNG chunk {name!r} is not known; save it anew as PNG")
        else:
            chunks.append((name, body))


def _check_inflated(chunks, expected):
    """Raises Damaged unless the data inflate to all samples and a right checksum."""
    inflate, found = zlib.decompressobj(), 0
    with decoder("PNG"):
        for name, body in chunks:
            while name == b"IDAT" and body and found <= expected:
                found += len(inflate.decompress(body, PIECE))
                body = inflate.unconsumed_tail
        if not inflate.unconsumed_tail:
            found += len(inflate.flush())
    if found < expected or (found == expected and not inflate.eof):
        raise Damaged("the PNG data is cut off")


def _bare_file(chunks):
    file = io.BytesIO()
    file.write(SIGNATURE)
    for name, body in (*chunks, (b"IEND", b"")):
        write_chunk(file, name, body)
    file.seek(0)
    return file


def _decode_16bit(chunks, colour_type):
    """Colour, (height, width, 1 or 3) uint16, and alpha or None."""
    data = np.frombuffer(_bare_file(chunks).getbuffer(), np.uint8)
    with decoder("PNG"):
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise Damaged("the PNG data cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None], None
    alpha = pixels[..., 3] if colour_type in (4, 6) else None
    # OpenCV widens grey with alpha to four channels.
    return pixels[..., [0] if colour_type in (0, 4) else [2, 1, 0]], alpha


def _decode_8bit(chunks, colour_type, key):
    """Colour, (height, width, 1 or 3) uint8, and alpha or None."""
    if colour_type == 3:
        return _from_palette(chunks, key)
    with decoder("PNG"):
        picture = PngImagePlugin.PngImageFile(_bare_file(chunks))
        picture.load()
    return to_samples(picture, None)[:2]


def _from_palette(chunks, key):
    with decoder("PNG"):
        picture = PngImagePlugin.PngImageFile(_bare_file(chunks))
        picture.load()
        indices = np.asarray(picture)
    body = dict(chunks)[b"PLTE"]
    palette = np.zeros((256, 3), np.uint8)
    entries = len(body) // 3
    palette[:entries] = np.frombuffer(body[: 3 * entries], np.uint8).reshape(-1, 3)[
        :256
    ]
    if indices.ndim != 2 or indices.max() >= entries:
        raise Damaged("the PNG palette is damaged")
    opacity = np.full(256, 255, np.uint8)
    if key:
        opacity[: len(key)] = np.frombuffer(key, np.uint8)
    return palette[indices], opacity[indices] if key else None


def _keyed(colour, key, depth):
    """Colour, and alpha that is zero where all samples equal the key."""
    values = np.array(struct.unpack(f">{len(key) // 2}H", key))
    if depth < 8:
        values = values * (255 // (2**depth - 1))  # Pillow has widened the samples
    opaque = (colour != values).any(axis=2)
    return colour, opaque * colour.dtype.type(full_scale(colour.dtype))


def write_png(file, samples, image=None):
    """Writes samples and metadata as one PNG, row bands at a time.

    At this compression OpenCV's encoder is 1.2 times as fast, its files are larger, and
    it refuses grey with alpha: one writer serves all depths.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) array, uint8 or uint16.
        image: the `files.Image` whose metadata are written, or None.
    """
    height, width, channels = samples.shape
    depth = 8 * samples.dtype.itemsize
    file.write(SIGNATURE)
    header = (width, height, depth, COLOUR_TYPES[channels], 0, 0, 0)
    write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", *header))
    for name, body in png_chunks.side_chunks(image, channels, depth) if image else ():
        write_chunk(file, name, body)
    packer = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    above = np.zeros((1, width * channels * depth // 8), np.uint8)
    for top in range(0, height, BAND):
        rows = _rows_as_bytes(samples[top : top + BAND])
        filtered = _paeth_filter(rows, above, channels * depth // 8)
        write_chunk(file, b"IDAT", packer.compress(filtered))
        above = rows[-1:]
    write_chunk(file, b"IDAT", packer.flush())
    write_chunk(file, b"IEND", b"")


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


def write_chunk(file, name, body):
    """Writes one chunk: its length, its name of four bytes, its body and its CRC."""
    file.write(struct.pack(">I4s", len(body), name))
    file.write(body)
    file.write(zlib.crc32(body, zlib.crc32(name)).to_bytes(4, "big"))
