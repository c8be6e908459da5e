"""The items of an AVIF or HEIC file: read one by one, and put together as a file.

Such a file is a list of items (coded pictures, tiles, EXIF, XMP), each with properties
and references to others. Nothing is allocated before it is known to lie inside the
file. Source: ISO/IEC 14496-12, Sec. 8.11; ISO/IEC 23008-12 (HEIF), Sec. 6 and 9.
"""

import dataclasses
import os
import struct

from tf_defocus.images.refusals import Damaged

MOST_BOXES = 1 << 13  # of one kind: a photograph of 200 megapixels has 800 tiles
MOST_EXTENTS = 1 << 14
HANDLER = bytes(8) + b"pict" + bytes(13)
HIDDEN = 1


@dataclasses.dataclass(frozen=True)
class Item:
    """One item.

    Attributes:
        type: four bytes, such as `b"hvc1"`.
        content: bytes, the content type of a `mime` item.
        flags: int; `HIDDEN` pictures are not to be shown by themselves.
        properties: tuple of (name, body, is_essential).
        references: tuple of (name, tuple of item numbers) from this item to others.
        data: bytes.
    """

    type: bytes
    content: bytes = b""
    flags: int = 0
    properties: tuple = ()
    references: tuple = ()
    data: bytes = b""

    def property(self, name, default=None):
        """The body of the first property of that name."""
        return next((body for n, body, _ in self.properties if n == name), default)

    def targets(self, name):
        """The numbers of the items that references of that name lead to."""
        return tuple(i for n, ids in self.references for i in ids if n == name)


class _Body:
    """Numbers out of bytes, one after another."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def number(self, width):
        end = self.position + width
        if end > len(self.data):
            raise Damaged("a box of the file is cut off")
        value = int.from_bytes(self.data[self.position : end], "big")
        self.position = end
        return value

    def full(self):
        """Version and flags."""
        value = self.number(4)
        return value >> 24, value & 0xFFFFFF

    def text(self):
        text, _, _ = self.data[self.position :].partition(b"\0")
        self.position += len(text) + 1
        return text

    def count(self, width):
        value = self.number(width)
        if value > MOST_BOXES:
            raise Damaged(f"the file claims {value} boxes")
        return value


def boxes(data, start=0):
    """List of (name, body) of the boxes in `data` from `start` on."""
    found = []
    while start + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        length = length or len(data) - start
        if length < head or start + length > len(data) or len(found) == MOST_BOXES:
            raise Damaged("the boxes of the file cannot be followed")
        found.append((name, data[start + head : start + length]))
        start += length
    return found


def top_boxes(file):
    """dict, name -> (offset, length) of the first top box of each name, body only."""
    size, position, found = file.seek(0, os.SEEK_END), 0, {}
    for _ in range(MOST_BOXES):
        file.seek(position)
        start = file.read(16)
        if len(start) < 8:
            break
        length, name = struct.unpack(">I4s", start[:8])
        head = 16 if length == 1 else 8
        if length == 1:
            length = int.from_bytes(start[8:], "big")
        length = length or size - position
        if length < head or position + length > size:
            break  # what is cut off is missed where it is needed
        found.setdefault(name, (position + head, length - head))
        position += length
    return found


def read_items(file):
    """The items of a file.

    Args:
        file: a binary file open for reading.

    Returns:
        `(primary, items)`: the number of the picture, and a dict number -> `Item`.

    Raises:
        Damaged: if the boxes or items cannot be followed.
    """
    meta = top_boxes(file).get(b"meta")
    if meta is None:
        raise Damaged("the file lists no pictures")
    file.seek(meta[0])
    found = {}
    for name, body in boxes(file.read(meta[1]), 4):
        found.setdefault(name, body)
    if b"pitm" not in found or b"iinf" not in found:
        raise Damaged("the file lists no pictures")
    items = _information(found[b"iinf"])
    properties = _properties(found.get(b"iprp", b""))
    references = _references(found.get(b"iref", b""))
    places = _locations(found.get(b"iloc", b""))
    space = _Space(file, found.get(b"idat", b""))
    items = {
        number: dataclasses.replace(
            item,
            properties=tuple(properties.get(number, ())),
            references=tuple(references.get(number, ())),
            data=space.read(places.get(number)),
        )
        for number, item in items.items()
    }
    primary = _Body(found[b"pitm"])
    version, _ = primary.full()
    number = primary.number(4 if version else 2)
    if number not in items:
        raise Damaged("the file names no picture")
    return number, items


def _information(data):
    body, items = _Body(data), {}
    version, _ = body.full()
    body.count(4 if version else 2)
    for name, entry in boxes(data, body.position):
        entry = _Body(entry)
        version, flags = entry.full()
        if name != b"infe" or version < 2:
            continue
        number = entry.number(4 if version > 2 else 2)
        entry.number(2)  # protection
        kind = entry.number(4).to_bytes(4, "big")
        entry.text()  # its name
        content = entry.text() if kind == b"mime" else b""
        items.setdefault(number, Item(kind, content, flags))
    return items


def _properties(data):
    """dict, item number -> list of (name, body, is_essential)."""
    parts, found = boxes(data), {}
    known = next((boxes(body) for name, body in parts if name == b"ipco"), [])
    for body in (_Body(body) for name, body in parts if name == b"ipma"):
        version, flags = body.full()
        for _ in range(body.count(4)):
            number = body.number(4 if version else 2)
            for _ in range(body.number(1)):
                value, bits = body.number(2 if flags & 1 else 1), 15 if flags & 1 else 7
                index = value & ((1 << bits) - 1)
                if 0 < index <= len(known):
                    entry = (*known[index - 1], bool(value >> bits))
                    found.setdefault(number, []).append(entry)
    return found


def _references(data):
    """dict, item number -> list of (name, numbers)."""
    if not data:
        return {}
    found, width = {}, 4 if data[0] else 2
    for name, body in boxes(data, 4):
        body = _Body(body)
        number = body.number(width)
        numbers = tuple(body.number(width) for _ in range(body.count(2)))
        found.setdefault(number, []).append((name, numbers))
    return found


def _locations(data):
    """dict, item number -> (in which space, list of (offset, length))."""
    if not data:
        return {}
    body, found, num_extents = _Body(data), {}, 0
    version, _ = body.full()
    sizes = body.number(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(body.count(4 if version == 2 else 2)):
        number = body.number(4 if version == 2 else 2)
        space = body.number(2) & 15 if version else 0
        body.number(2)  # which file: this one
        start, extents = body.number(base), []
        for _ in range(body.number(2)):
            num_extents += 1
            if num_extents > MOST_EXTENTS:
                raise Damaged("the file claims too many parts")
            body.number(index if version else 0)
            extents.append((start + body.number(offset), body.number(length)))
        found.setdefault(number, (space, extents))
    return found


class _Space:
    """The bytes of items, of all together no more than the file has."""

    def __init__(self, file, inside):
        self.file, self.inside = file, inside
        self.size = self.budget = file.seek(0, os.SEEK_END)

    def read(self, place):
        """The data of an item, or b"" where it does not lie in the file."""
        space, extents = place or (0, [])
        parts = []
        for offset, length in extents:
            end = len(self.inside) if space else self.size
            length = length or max(end - offset, 0)
            if offset + length > end or length > self.budget or space > 1:
                return b""
            self.budget -= length
            if space:
                parts.append(self.inside[offset : offset + length])
            else:
                self.file.seek(offset)
                parts.append(self.file.read(length))
        return b"".join(parts)


def box(name, *parts):
    """The bytes of a box."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def file_of_items(brands, primary, items):
    """A file that holds these items.

    Args:
        brands: bytes, the body of its `ftyp` box.
        primary: int, the number of the picture.
        items: dict, number -> `Item`; numbers below 65536.

    Returns:
        bytes.
    """
    items = dict(sorted(items.items()))
    known, start = _known_properties(items), len(box(b"ftyp", brands)) + 8
    head = _meta(primary, items, known, start)
    start += len(head)
    head = _meta(primary, items, known, start)
    data = b"".join(item.data for item in items.values())
    return box(b"ftyp", brands) + head + box(b"mdat", data)


def _known_properties(items):
    """dict, (name, body) -> place in the list of properties, from 1."""
    found = {}
    for item in items.values():
        for name, body, _ in item.properties:
            found.setdefault((name, body), len(found) + 1)
    return found


def _meta(primary, items, known, start):
    information, places, links, references = [], [], [], []
    for number, item in items.items():
        head = struct.pack(">BxH", 2, item.flags & 0xFFFF)
        head += struct.pack(">HH4s", number, 0, item.type)
        content = item.content + b"\0" if item.type == b"mime" else b""
        information.append(box(b"infe", head, b"\0", content))
        places.append(struct.pack(">HHHII", number, 0, 1, start, len(item.data)))
        start += len(item.data)
        links.append(struct.pack(">HB", number, len(item.properties)))
        links += [
            struct.pack(">H", known[name, body] | essential << 15)
            for name, body, essential in item.properties
        ]
        for name, numbers in item.references:
            form = f">{2 + len(numbers)}H"
            packed = struct.pack(form, number, len(numbers), *numbers)
            references.append(box(name, packed))
    count = struct.pack(">H", len(items))
    parts = [
        box(b"hdlr", HANDLER),
        box(b"pitm", struct.pack(">IH", 0, primary)),
        box(b"iloc", bytes(4), b"\x44\0", count, *places),
        box(b"iinf", bytes(4), count, *information),
    ]
    if references:
        parts.append(box(b"iref", bytes(4), *references))
    properties = box(b"ipco", *(box(name, body) for name, body in known))
    associations = box(b"ipma", b"\0\0\0\1", struct.pack(">I", len(items)), *links)
    parts.append(box(b"iprp", properties, associations))
    return box(b"meta", bytes(4), *parts)
