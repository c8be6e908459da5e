"""Samples out of the strips and tiles of a checked TIFF page.

The samples of photographs (8 or 16 bits, or float) are put together here, so that
alpha, byte order and predictors mean the same at every depth; Pillow's libtiff only
inflates what zlib cannot. Palettes, CMYK, JPEG and fax codes go to Pillow, as a TIFF
file made anew of the checked tags alone. Source: TIFF 6.0, Sec. 9, 13, 14, 18.
"""

import io
import zlib

import numpy as np
from PIL import TiffImagePlugin

from tf_defocus.images import tiff_layout as known
from tf_defocus.images.directory import (
    HEADERS,
    LONG,
    SHORT,
    number_tag,
    pack_before,
)
from tf_defocus.images.levels import full_scale, widened
from tf_defocus.images.refusals import Damaged, decoder

PLAIN_COLOURS = (known.WHITE_IS_ZERO, known.BLACK_IS_ZERO, known.RGB)
PLAIN_DTYPES = ("uint8", "uint16", "float32", *known.WIDENED)
# Fill order, fax options, palette, extra samples, JPEG's tables and chroma.
DECODER_TAGS = (266, 292, 293, 320, 338, 347, 530, 531, 532)


def is_plain(layout):
    """Whether `decode` puts the samples together itself."""
    return (
        layout.photometric in PLAIN_COLOURS
        and layout.dtype in PLAIN_DTYPES
        and layout.compression not in (known.JPEG, *known.CCITT)
        and layout.directory.number(266, 1) == 1
    )


def decode(file, layout):
    """Samples as they are stored.

    Args:
        file: a binary file open for reading.
        layout: `Layout` of a plain page, see `is_plain`.

    Returns:
        (height, width, samples) uint8, uint16 or float32, not turned, white as the
        largest value.

    Raises:
        Damaged: if the bytes cannot be decoded.
    """
    planes = layout.samples if layout.is_planar else 1
    shape = (planes, layout.height, layout.width, layout.samples // planes)
    result = np.empty(shape, known.WIDENED.get(layout.dtype, layout.dtype))
    rows, columns = layout.block
    places = (
        (plane, top, left)
        for plane in range(planes)
        for top in range(0, layout.height, rows)
        for left in range(0, layout.width, columns)
    )
    tiled = 324 in layout.directory.tags
    for (plane, top, left), segment in zip(places, layout.segments):
        height = rows if tiled else min(rows, layout.height - top)
        block = _block(file, layout, segment, (height, columns, shape[3]))
        space = result[plane, top : top + height, left : left + columns]
        space[...] = block[: space.shape[0], : space.shape[1]]
    samples = np.moveaxis(result, 0, -2).reshape(*shape[1:3], -1)
    if layout.photometric == known.WHITE_IS_ZERO:
        samples[..., 0] = full_scale(samples.dtype) - samples[..., 0]
    return samples


def _block(file, layout, segment, shape):
    """One strip or tile, (rows, columns, samples), its prediction undone."""
    if layout.dtype in known.PACKED:
        return _unpacked(file, layout, segment, shape)
    stored = np.dtype(layout.dtype).newbyteorder(layout.directory.order)
    row = shape[1] * shape[2] * stored.itemsize
    data = _inflate(file, layout.compression, segment, shape[0], row)
    if layout.predictor == 1:
        return np.frombuffer(data, stored).reshape(shape)
    if layout.predictor == 2:
        words = stored.str.replace("f", "u")
        words = np.frombuffer(data, words).reshape(shape)
        native = words.dtype.newbyteorder("=")
        return words.cumsum(axis=1, dtype=native).view(layout.dtype)
    if layout.predictor == 3 and stored.kind == "f":
        bytes_ = np.frombuffer(data, np.uint8).reshape(shape[0], -1, shape[2])
        summed = bytes_.cumsum(axis=1, dtype=np.uint8)
        planes = summed.reshape(shape[0], stored.itemsize, -1)  # highest bytes first
        whole = np.ascontiguousarray(np.moveaxis(planes, 1, 2))
        return whole.view(f">f{stored.itemsize}").reshape(shape)
    raise Damaged(f"its predictor {layout.predictor} is not known")


def _unpacked(file, layout, segment, shape):
    """Samples of 10, 12 or 14 bits, highest bit first, as levels of 16 bits."""
    bits = known.PACKED[layout.dtype]
    if layout.predictor != 1:
        raise Damaged(f"its predictor {layout.predictor} does not fit {bits} bits")
    row = -(-shape[1] * shape[2] * bits // 8)
    data = _inflate(file, layout.compression, segment, shape[0], row)
    values = np.empty((shape[0], shape[1] * shape[2]), np.uint16)
    weights = 1 << np.arange(bits)[::-1]
    for line, packed in zip(values, np.frombuffer(data, np.uint8).reshape(-1, row)):
        line[...] = (
            np.unpackbits(packed)[: line.size * bits].reshape(-1, bits) @ weights
        )
    return widened(values, bits).reshape(shape)


def _inflate(file, compression, segment, rows, row):
    offset, length = segment
    file.seek(offset)
    data = file.read(length)
    size = rows * row
    if compression == known.NONE:
        found = data[:size]
    elif compression in (known.DEFLATE, known.ADOBE_DEFLATE):
        found = _inflate_by_zlib(data, size)
    else:
        found = _inflate_by_libtiff(data, compression, rows, row)
    if len(found) < size:
        raise Damaged("the TIFF data is cut off")
    return found


def _inflate_by_zlib(data, size):
    inflate = zlib.decompressobj()
    with decoder("TIFF"):
        found = inflate.decompress(data, size)
        inflate.decompress(inflate.unconsumed_tail, 1)  # checks the checksum
    return found


def _inflate_by_libtiff(data, compression, rows, row):
    """The bytes of a segment, as the rows of a grey TIFF file made around it."""
    numbers = {256: row, 257: rows, 258: 8, 262: 1, 277: 1, 278: rows, 279: len(data)}
    tags = {code: number_tag("<", LONG, value) for code, value in numbers.items()}
    tags[259] = number_tag("<", SHORT, compression)
    file = _file_around(tags, "<", [data])
    name = {known.LZW: "LZW", known.LZMA: "LZMA", known.ZSTD: "ZSTD"}.get(compression)
    with (
        decoder(f"{name or 'PackBits'}-compressed TIFF"),
        TiffImagePlugin.TiffImageFile(file) as picture,
    ):
        return picture.tobytes()


def _file_around(tags, order, segments, offsets=273):
    """A TIFF file in memory with `tags` before the bytes `segments`."""
    lengths = [len(segment) for segment in segments]
    file = io.BytesIO()
    file.write(HEADERS[order])
    file.write(pack_before(tags, order, offsets, lengths))
    file.writelines(segments)
    file.seek(0)
    return file


def decode_by_pillow(file, layout):
    """The page as a picture of Pillow's, for kinds that are not plain.

    Raises:
        Damaged: if the bytes cannot be decoded.
    """
    segments = []
    for offset, length in layout.segments:
        file.seek(offset)
        segments.append(file.read(length))
    order, tags = layout.directory.order, layout.directory.tags
    tags = {code: tags[code] for code in DECODER_TAGS if code in tags}
    (rows, columns), tiled = layout.block, 324 in layout.directory.tags
    longs = {256: [layout.width], 257: [layout.height]}
    longs |= {322: [columns], 323: [rows]} if tiled else {278: [rows]}
    longs[325 if tiled else 279] = [len(segment) for segment in segments]
    shorts = {
        258: layout.directory.numbers(258, (1,))[:1] * layout.samples,
        259: [layout.compression],
        262: [layout.photometric],
        277: [layout.samples],
        284: [2 if layout.is_planar else 1],
        317: [layout.predictor],
    }
    tags |= {code: number_tag(order, LONG, *values) for code, values in longs.items()}
    tags |= {code: number_tag(order, SHORT, *values) for code, values in shorts.items()}
    made = _file_around(tags, order, segments, 324 if tiled else 273)
    with decoder("TIFF"):
        picture = TiffImagePlugin.TiffImageFile(made)
        if picture.size != (layout.width, layout.height):
            raise Damaged("the TIFF header contradicts itself")
        picture.load()
    return picture


def separate_alpha(samples, layout):
    """Colour, alpha, and what was done about further channels.

    Args:
        samples: (height, width, n) array.
        layout: `Layout`.

    Returns:
        `(colour, alpha, notes)`: (height, width, 1 or 3), (height, width) or None, and
        a tuple of str.
    """
    base = layout.base_samples
    extra = samples.shape[2] - base
    if not extra:
        return samples, None, ()
    kinds = layout.directory.numbers(338)
    if not kinds and extra == 1:
        kinds = (2,)  # not stated: every viewer takes it for alpha
    index = next((i for i, kind in enumerate(kinds[:extra]) if kind in (1, 2)), None)
    dropped = extra - (index is not None)
    notes = (f"{dropped} channel(s) without a meaning were dropped",) if dropped else ()
    colour = samples[..., :base]
    if index is None:
        return colour, None, notes
    alpha = samples[..., base + index]
    if kinds[index] == 1:
        colour = divided(colour, alpha)
        notes += ("colours multiplied by alpha were divided by it",)
    return colour, alpha, notes


def divided(colour, alpha):
    """Colours premultiplied by alpha as they are without it."""
    result = np.empty_like(colour)
    full = float(full_scale(colour.dtype))
    for row, (colours, opacity) in enumerate(zip(colour, alpha)):
        opacity = opacity[:, None].astype(np.float64)
        divided = colours * (full / np.where(opacity > 0, opacity, full))
        divided = np.clip(divided, 0, np.maximum(colours, full))
        if colour.dtype.kind == "u":
            divided = np.rint(divided)
        result[row] = divided
    return result
