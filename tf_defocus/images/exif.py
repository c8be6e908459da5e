"""EXIF: what a block says of the picture, and the block of the restored picture.

A block starts with its TIFF header. What turns with the pixels (orientation, width and
height, the two resolutions) is edited in place: all else, makers' notes with absolute
offsets included, stays where it was. Source: EXIF 2.32 (CIPA DC-008), Sec. 4.6.
"""

import fractions
import io
import struct

from tf_defocus.images.directory import (
    HEADERS,
    LONG,
    RATIONAL,
    SHORT,
    Reader,
    Tag,
    number_tag,
    pack,
)
from tf_defocus.images.refusals import Damaged

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY = 34665, 34853, 40965
MAKER_NOTE, IPTC = 37500, 33723
SUB_DIRECTORIES = {
    EXIF_DIRECTORY: {INTEROPERABILITY: {}},
    GPS_DIRECTORY: {},
}
# Pairs of width and height: they change places when the picture is turned.
PAIRS = ((256, 257), (X_RESOLUTION, Y_RESOLUTION), (40962, 40963), (41486, 41487))


def read_tags(block):
    """The tags of a block, those of its EXIF and GPS directories as dicts.

    Returns:
        `(order, tags)`: `"<"` or `">"`, and a dict for `directory.pack`; it is empty
        for a block that cannot be followed.
    """
    try:
        reader = Reader(io.BytesIO(block))
        directory = reader.directory(reader.first)
    except Damaged:
        return "<", {}
    return reader.order, with_sub_directories(reader, directory)


def with_sub_directories(reader, directory, known=None, lost=None):
    """The tags of a directory; pointers to directories become what they point to.

    Args:
        reader: `directory.Reader`.
        directory: `directory.Directory`.
        known: dict, code of a pointer -> such a dict of what it points to; None for
            `SUB_DIRECTORIES`.
        lost: list, to which the codes of what cannot be followed are added, or None.
    """
    tags, lost = dict(directory.tags), [] if lost is None else lost
    lost += directory.lost
    for code, deeper in (SUB_DIRECTORIES if known is None else known).items():
        if tags.pop(code, None) is None:
            continue
        try:
            found = reader.directory(directory.number(code, 0))
        except Damaged:
            lost.append(code)
            continue
        tags[code] = with_sub_directories(reader, found, deeper, lost)
    return {code: tag for code, tag in tags.items() if tag}


def make_block(tags, order):
    """A block of its own that holds `tags`, or None if there are none."""
    return HEADERS[order] + pack(tags, order) if tags else None


def upright(block):
    """The orientation that a block states, and the block of the upright picture.

    The link to the thumbnail directory is cut: its picture is not restored.

    Args:
        block: bytes, from its TIFF header on.

    Returns:
        `(orientation, block)`: int, 1 to 8 and 1 if absent, and bytes of the same
        length. A block that cannot be followed is returned as it is.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    entries = _entries(block, order, block[4:8]) if order else {}
    if not entries:
        return 1, block
    edited, orientation = bytearray(block), 1
    if ORIENTATION in entries:
        place = entries[ORIENTATION]
        kind, _, *values = struct.unpack(order + "HIHH", block[place + 2 : place + 12])
        stated = values[1 if kind == LONG and order == ">" else 0]
        orientation = stated if 1 <= stated <= 8 else 1
        edited[place + 2 : place + 12] = struct.pack(order + "HIHH", SHORT, 1, 1, 0)
    if orientation > 4:
        place = entries.get(EXIF_DIRECTORY)
        deeper = _entries(block, order, block[place + 8 : place + 12]) if place else {}
        for directory in (entries, deeper):
            _exchange_pairs(edited, directory)
    end = max(entries.values()) + 12
    edited[end : end + 4] = bytes(len(edited[end : end + 4]))
    return orientation, bytes(edited)


def _entries(block, order, start):
    """Code -> place of each entry of the directory that the 4 bytes `start` name."""
    (start,) = struct.unpack(order + "I", start) if len(start) == 4 else (len(block),)
    if start + 2 > len(block):
        return {}
    (count,) = struct.unpack(order + "H", block[start : start + 2])
    places = range(start + 2, start + 2 + 12 * count, 12)
    if not count or places[-1] + 12 > len(block):
        return {}
    return {struct.unpack(order + "H", block[p : p + 2])[0]: p for p in places}


def _exchange_pairs(edited, entries):
    for pair in PAIRS:
        if set(pair) <= set(entries):
            one, other = (slice(entries[c] + 2, entries[c] + 12) for c in pair)
            edited[one], edited[other] = edited[other], edited[one]


def resolution(block):
    """`(x, y, unit)` in dots per `"inch"` or `"cm"`, or None if it is not stated."""
    order, tags = read_tags(block) if block else ("<", {})
    values = []
    for code in (X_RESOLUTION, Y_RESOLUTION):
        tag = tags.get(code)
        if not isinstance(tag, Tag) or tag.type != RATIONAL:
            return None
        number, divisor = struct.unpack(order + "II", tag.data[:8])
        values.append(number / divisor if divisor else 0)
    unit = tags.get(RESOLUTION_UNIT)
    known = isinstance(unit, Tag) and unit.type == SHORT
    code = struct.unpack(order + "H", unit.data[:2])[0] if known else 2
    name = {2: "inch", 3: "cm"}.get(code)
    return (*values, name) if name and min(values) > 0 else None


def resolution_tags(value, order):
    """The three tags of a resolution `(x, y, unit)`; see `resolution`."""
    x, y, unit = value
    if unit == "metre":
        x, y, unit = x / 100, y / 100, "cm"
    code = {"inch": 2, "cm": 3}.get(unit, 1)
    return {
        X_RESOLUTION: _rational_tag(x, order),
        Y_RESOLUTION: _rational_tag(y, order),
        RESOLUTION_UNIT: number_tag(order, SHORT, code),
    }


def _rational_tag(value, order):
    ratio = fractions.Fraction(value).limit_denominator(10000)
    return Tag(RATIONAL, 1, struct.pack(order + "II", *ratio.as_integer_ratio()))


def shortened(block, longest):
    """A block of at most `longest` bytes, and what it lost, or None if it cannot be.

    The bytes of a thumbnail whose link is cut go first, then the maker's note.

    Returns:
        `(block, lost)`: bytes or None, and a tuple of str.
    """
    order, tags = read_tags(block)
    for lost in ((), ("the maker's note",)):
        if lost and isinstance(tags.get(EXIF_DIRECTORY), dict):
            tags[EXIF_DIRECTORY].pop(MAKER_NOTE, None)
        made = make_block(tags, order)
        if made and len(made) <= longest:
            return made, lost
    return None, ("EXIF",)
