"""TIFF: which page is the photograph, its tags in and out, and the writer.

The directories are read by us (`directory`), because a header must be checked before
any decoder acts on it and because Pillow and tifffile rewrite texts and drop EXIF.
Arrays are `(height, width, channels)` as in `images.png`. Source: TIFF 6.0; EXIF 2.32.
"""

import contextlib
import zlib

import numpy as np

from tf_defocus.images import exif, tiff_layout, tiff_pixels
from tf_defocus.images.directory import (
    HEADERS,
    LONG,
    SHORT,
    Reader,
    Tag,
    number_tag,
    pack_before,
)
from tf_defocus.images.pillow import to_samples
from tf_defocus.images.refusals import Damaged, Refused

XMP, ICC_PROFILE, PHOTOSHOP = 700, 34675, 34377
SUB_PAGES, LAYERS = 330, 37724
SUBFILE_TYPE, DNG_VERSION = 254, 50706
RAW_COMPRESSIONS = (32767, 34713, 65535, 32769, 32770)
# Tags of how pixels are stored, where, and of copies of them: made anew, never kept.
STRUCTURAL = {
    *range(254, 260),
    *range(262, 267),
    *(273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293),
    *(317, 320, 321, *range(322, 329), 330, 332, 333, 334, 336, 338, 339, 340, 341),
    *(
        342,
        347,
        *range(512, 522),
        529,
        530,
        531,
        532,
        LAYERS,
        50255,
        *range(32995, 32999),
    ),
}
FIELDS = {"xmp": XMP, "icc": ICC_PROFILE, "photoshop": PHOTOSHOP}
FIELD_TYPES = {"xmp": 1, "icc": 7, "photoshop": 7}
SAMPLE_FORMATS = {"u": 1, "f": 3}
STRIP = 128  # rows
DIRECTORIES = 16  # that a page may point to


def read_tiff(file, check_size):
    """The photograph in a TIFF file.

    Args:
        file: a binary file open for reading.
        check_size: called with width and height; raises for what is too large.

    Returns:
        dict: `colour` (height, width, 1 or 3), `alpha` (height, width) or None, both
        as stored; `icc`, `xmp`, `photoshop`, `exif` (bytes) or None, `notes`.

    Raises:
        Refused: if it is damaged, has several pages, or is of a kind that is not read.
    """
    reader = Reader(file)
    pages = reader.chain()
    _refuse_raw(reader, pages)
    page, notes = _photograph(pages)
    layout = tiff_layout.check_layout(page, reader.size)
    check_size(layout.width, layout.height)
    found = {
        name: page.tags[code].data if code in page.tags else None
        for name, code in FIELDS.items()
    }
    if tiff_pixels.is_plain(layout):
        samples = tiff_pixels.decode(file, layout)
        colour, alpha, more = tiff_pixels.separate_alpha(samples, layout)
        notes += more
        if layout.dtype in tiff_layout.WIDENED:
            wider = tiff_layout.WIDENED[layout.dtype]
            notes += (f"{layout.dtype} is written as {wider}",)
    else:
        picture = tiff_pixels.decode_by_pillow(file, layout)
        colour, alpha, more, found["icc"] = to_samples(picture, found["icc"])
        notes += more
    lost = []
    kept = exif.with_sub_directories(reader, page, lost=lost)
    lost = sorted(set(lost) - STRUCTURAL)
    if lost:
        notes += (f"damaged TIFF tags were dropped: {', '.join(map(str, lost))}",)
    if LAYERS in page.tags:
        notes += ("Photoshop's layers were dropped: they hold the unrestored picture",)
    elsewhere = STRUCTURAL | set(FIELDS.values())
    kept = {code: tag for code, tag in kept.items() if code not in elsewhere}
    block = exif.make_block(kept, reader.order)
    bits = tiff_layout.PACKED.get(layout.dtype)
    found["bits"] = bits if bits in (10, 12) else None  # as AVIF and HEIC can have them
    return {**found, "colour": colour, "alpha": alpha, "exif": block, "notes": notes}


def _refuse_raw(reader, pages):
    """A camera's raw file holds small developed copies: none is the photograph."""
    below = []
    for offset in (o for page in pages for o in page.numbers(SUB_PAGES)[:DIRECTORIES]):
        with contextlib.suppress(Damaged):
            below.append(reader.directory(offset))
    for page in pages + below:
        photometric = tiff_layout.OTHER_PHOTOMETRICS.get(page.number(262))
        compression = page.number(259)
        if photometric == "raw" or compression in RAW_COMPRESSIONS:
            raise Refused("it holds raw data of a camera; develop it to TIFF or JPEG")
        if DNG_VERSION in page.tags:
            raise Refused("it holds raw data (DNG); develop it to TIFF or JPEG")
    largest = max(map(_size, pages))
    if any(not _is_reduced(page) and _size(page) > largest for page in below):
        raise Refused(
            "its first page is a small copy of the photograph; save it as a plain TIFF"
        )


def _size(page):
    return page.number(256, 0) * page.number(257, 0)


def _is_reduced(page):
    return bool(page.number(SUBFILE_TYPE, 0) & 1) or page.number(255) == 2


def _photograph(pages):
    """The one full page, and a note about a mask that is left out."""
    masks = [page for page in pages if page.number(SUBFILE_TYPE, 0) & 4]
    full = [page for page in pages if not _is_reduced(page) and page not in masks]
    if not full:
        raise Refused("it holds a thumbnail only; get the photograph itself")
    if len(full) > 1:
        raise Refused("it has several pages; save each page as a file of its own")
    return full[0], ("its transparency mask was dropped",) if masks else ()


def write_tiff(file, samples, image=None):
    """Writes one page with Adobe Deflate compression and its metadata.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) array, uint8, uint16 or float32.
        image: the `files.Image` whose metadata are written, or None; the byte order of
            its EXIF becomes the file's.

    Raises:
        OverflowError: if the file would exceed 4 GB.
    """
    order, tags = _tags_of(image) if image else ("<", {})
    strips = [
        zlib.compress(_difference(samples[top : top + STRIP], order))
        for top in range(0, samples.shape[0], STRIP)
    ]
    lengths = [len(strip) for strip in strips]
    tags |= _structure(samples, lengths, order)
    file.write(HEADERS[order])
    file.write(pack_before(tags, order, 273, lengths))
    for strip in strips:
        file.write(strip)


def _tags_of(image):
    """The byte order and the descriptive tags of a picture."""
    order, tags = exif.read_tags(image.exif) if image.exif else ("<", {})
    tags = {code: tag for code, tag in tags.items() if code not in STRUCTURAL}
    if image.resolution and exif.X_RESOLUTION not in tags:
        tags |= exif.resolution_tags(image.resolution, order)
    for name, code in FIELDS.items():
        data = getattr(image, name)
        if data:
            tags[code] = Tag(FIELD_TYPES[name], len(data), data)
    return order, tags


def _difference(rows, order):
    """Bytes of the rows, integers as differences to the left (predictor 2)."""
    stored = rows.dtype.newbyteorder(order)
    if rows.dtype.kind == "u":
        rows = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], axis=1)
    return np.ascontiguousarray(rows, stored).tobytes()


def _structure(samples, lengths, order):
    """The tags of the layout."""
    height, width, channels = samples.shape
    shorts = {
        258: [8 * samples.dtype.itemsize] * channels,
        259: [8],  # Adobe Deflate
        262: [1 if channels < 3 else 2],  # black is zero, RGB
        277: [channels],
        284: [1],  # interleaved
        339: [SAMPLE_FORMATS[samples.dtype.kind]] * channels,
    }
    if samples.dtype.kind == "u":
        shorts[317] = [2]  # predictor
    if channels in (2, 4):
        shorts[338] = [2]  # unassociated alpha
    longs = {256: [width], 257: [height], 278: [min(STRIP, height)], 279: lengths}
    made = {code: number_tag(order, SHORT, *values) for code, values in shorts.items()}
    return made | {code: number_tag(order, LONG, *v) for code, v in longs.items()}
