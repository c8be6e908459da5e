"""TIFF directories, the form of a TIFF file's tags and of EXIF: read and packed.

Values stay the bytes they are in the file, so that a text in any encoding and a
maker's note come out as they went in. Nothing is allocated before it is known to lie
inside the file. Source: TIFF 6.0, Sec. 2; BigTIFF; EXIF 2.32.
"""

import dataclasses
import io
import itertools
import os
import struct

from tf_defocus.images.refusals import Damaged

TYPE_SIZES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), start=1))
TYPE_SIZES |= {16: 8, 17: 8, 18: 8, 129: 1}
CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
HEADERS = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}  # directory at byte 8
SHORT, LONG, RATIONAL = 3, 4, 5
MOST_PAGES = 1000
MOST_ENTRIES = 4096  # of a directory
MOST_TAGS = 1 << 16  # of a file
LAYERS = 37724  # Photoshop's layers: as large as the file, and never kept


@dataclasses.dataclass(frozen=True)
class Tag:
    """One value: TIFF's number of its type, how many, and their bytes."""

    type: int
    count: int
    data: bytes


@dataclasses.dataclass(frozen=True)
class Directory:
    """One directory.

    Attributes:
        tags: dict, code -> `Tag`.
        order: `"<"` or `">"`, of the bytes in the tags.
        lost: tuple of int, codes of tags whose values lie outside the file.
        next: int, where the next directory starts, or 0.
    """

    tags: dict
    order: str
    lost: tuple = ()
    next: int = 0

    def numbers(self, code, default=()):
        """The integers of a tag as a tuple, or `default` if it holds none."""
        tag = self.tags.get(code)
        if tag is None or tag.type not in CODES:
            return default
        return struct.unpack(f"{self.order}{tag.count}{CODES[tag.type]}", tag.data)

    def number(self, code, default=None):
        """The first integer of a tag, or `default`."""
        return next(iter(self.numbers(code)), default)


class Reader:
    """Directories of a file or of a block of EXIF, wherever they are asked for.

    Args:
        file: a binary file open for reading.

    Raises:
        Damaged: if the file has no TIFF header.
    """

    def __init__(self, file):
        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        start = self._bytes(0, min(16, self.size))
        self.order = {b"II": "<", b"MM": ">"}.get(start[:2])
        self.is_big = start[2:4] in (b"+\0", b"\0+")
        if self.order is None or len(start) < (16 if self.is_big else 8):
            raise Damaged("the TIFF header is damaged")
        self.first = self._number(start[8:16] if self.is_big else start[4:8])
        self.budget = self.size  # of bytes in tags: they do not overlap in honest files
        self.num_tags = 0

    def _number(self, data):
        return int.from_bytes(data, "little" if self.order == "<" else "big")

    def _bytes(self, offset, length):
        if offset < 0 or offset + length > self.size:
            raise Damaged("the TIFF data is cut off")
        self.file.seek(offset)
        return self.file.read(length)

    def chain(self):
        """The directories one after another.

        Raises:
            Damaged: if the list is empty, cut off, without end, or returns to itself.
        """
        found, seen, offset = [], set(), self.first
        while offset:
            if offset in seen or len(found) == MOST_PAGES:
                raise Damaged("its list of pages has no end")
            seen.add(offset)
            found.append(self.directory(offset))
            offset = found[-1].next
        if not found:
            raise Damaged("the TIFF file holds no page")
        return found

    def directory(self, offset):
        """The directory at `offset`; tags that cannot be followed are `lost`."""
        head, entry_size, link = (8, 20, 8) if self.is_big else (2, 12, 4)
        count = self._number(self._bytes(offset, head))
        self.num_tags += count
        if not 0 < count <= MOST_ENTRIES or self.num_tags > MOST_TAGS:
            raise Damaged(f"a TIFF directory claims {count} entries")
        entries = self._bytes(offset + head, count * entry_size)
        end = offset + head + count * entry_size
        following = self._bytes(end, link) if end + link <= self.size else b""
        tags, lost = {}, []
        for start in range(0, len(entries), entry_size):
            code, tag = self._tag(entries[start : start + entry_size])
            if tag is None:
                lost.append(code)
            else:
                tags.setdefault(code, tag)
        return Directory(tags, self.order, tuple(lost), self._number(following))

    def _tag(self, entry):
        code, kind = self._number(entry[:2]), self._number(entry[2:4])
        half = 8 if self.is_big else 4
        count, value = self._number(entry[4:-half]), entry[-half:]
        length = TYPE_SIZES.get(kind, 0) * count
        if code == LAYERS:
            return code, Tag(kind, 0, b"")
        if not length or length > self.budget:
            return code, None
        if length > half:
            offset = self._number(value)
            if offset + length > self.size:
                return code, None
            value = self._bytes(offset, length)
            self.budget -= length
        return code, _classic(Tag(kind, count, value[:length]), self.order)


def _classic(tag, order):
    """A BigTIFF tag with the types of TIFF, where its numbers fit them."""
    if tag.type not in (16, 18):
        return tag
    numbers = struct.unpack(f"{order}{tag.count}Q", tag.data)
    if max(numbers) >= 1 << 32:
        return tag
    return Tag(LONG, tag.count, struct.pack(f"{order}{tag.count}I", *numbers))


def number_tag(order, kind, *values):
    """A `Tag` of integers; `kind` is SHORT or LONG."""
    form = f"{order}{len(values)}{CODES[kind]}"
    return Tag(kind, len(values), struct.pack(form, *values))


def pack(tags, order, start=8):
    """One classic TIFF directory, to stand at byte `start` of its file.

    Args:
        tags: dict, code -> `Tag`, or a dict of the same form: a directory of its own.
        order: `"<"` or `">"`.
        start: int.

    Returns:
        bytes: the directory, without a next one, and all that it points to.
    """
    position = start + 2 + 12 * len(tags) + 4
    entries, body = io.BytesIO(), io.BytesIO()
    entries.write(struct.pack(order + "H", len(tags)))
    for code, tag in sorted(tags.items()):
        here = position + body.tell()
        if isinstance(tag, dict):
            body.write(pack(tag, order, here))
            tag = number_tag(order, LONG, here)
        elif len(tag.data) > 4:
            body.write(tag.data + bytes(len(tag.data) % 2))
            tag = Tag(tag.type, tag.count, struct.pack(order + "I", here))
        entries.write(struct.pack(order + "HHI", code, tag.type, tag.count))
        entries.write(tag.data.ljust(4, b"\0"))
    return entries.getvalue() + bytes(4) + body.getvalue()


def pack_before(tags, order, code, lengths):
    """A directory to stand at byte 8, with segments of data right behind it.

    Args:
        tags: dict as of `pack`.
        order: `"<"` or `">"`.
        code: int, the tag that gets the offsets of the segments.
        lengths: list of int, bytes of each segment.

    Raises:
        OverflowError: if the file would not fit the 4 GB of TIFF.
    """
    unplaced = tags | {code: number_tag(order, LONG, *[0] * len(lengths))}
    start = len(HEADERS[order]) + len(pack(unplaced, order))
    places = list(itertools.accumulate(lengths[:-1], initial=start))
    if places[-1] + lengths[-1] >= 1 << 32:
        raise OverflowError("TIFF holds at most 4 GB")
    return pack(tags | {code: number_tag(order, LONG, *places)}, order)
