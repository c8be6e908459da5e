"""Which items of an AVIF or HEIC file are the photograph, and what they say of it.

Source: ISO/IEC 23008-12 (HEIF), Sec. 6.4 to 6.6; AV1 Image File Format 1.1;
ISO/IEC 14496-15, Sec. 8.3.3 (`hvcC`); ISO/IEC 23000-22 (MIAF), Sec. 7.3.
"""

import dataclasses
import struct

import numpy as np

from tf_defocus.images import colour_spaces, exif, xmp
from tf_defocus.images.heif_items import HIDDEN
from tf_defocus.images.refusals import Damaged, Refused

CODINGS = {b"av01": "AVIF", b"hvc1": "HEIC"}
# What tells a decoder of the coded samples; all else is applied or kept by us.
OF_SAMPLES = (b"ispe", b"pixi", b"av1C", b"hvcC", b"auxC", b"colr")
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
XMP_TYPE = b"application/rdf+xml"
MOST_INFLATION = 1 << 20  # pixels that a byte can stand for
IDENTITY = 0  # coding matrix of H.273: colours are coded as they are


@dataclasses.dataclass(frozen=True)
class Picture:
    """The photograph among the items of a file.

    Attributes:
        number: int, of its item.
        items: dict, number -> `heif_items.Item`, of the whole file.
        used: frozenset of the numbers of the items that hold its samples and alpha.
        coding: `"AVIF"` or `"HEIC"`.
        depth: int, bits of a sample.
        is_grey: bool, whether it is coded without colours.
        alpha: int, number of the item of its alpha, or None.
    """

    number: int
    items: dict
    used: frozenset
    coding: str
    depth: int
    is_grey: bool
    alpha: int | None

    @property
    def item(self):
        """Its own item."""
        return self.items[self.number]

    @property
    def size(self):
        """(width, height) before it is turned."""
        return _size(self.item)


def find_picture(number, items):
    """The `Picture` that the item `number` is.

    Raises:
        Refused: if it is damaged, or of a kind that is not read.
    """
    alpha = next((i for i in items if _is_alpha(items[i], number)), None)
    leaves = _leaves(number, items)
    used = {number, *leaves}
    if alpha is not None:
        used |= {alpha, *_leaves(alpha, items)}
    first = items[leaves[0]]
    depth, is_grey = _depth(first)
    kinds = {items[leaf].type for leaf in leaves}
    if len(kinds) > 1:
        raise Damaged("its tiles are coded in different ways")
    coding = CODINGS[first.type]
    return Picture(number, items, frozenset(used), coding, depth, is_grey, alpha)


def _is_alpha(item, number):
    kind = (item.property(b"auxC") or b"")[4:].split(b"\0")[0]
    return kind in ALPHA and number in item.targets(b"auxl")


def _leaves(number, items):
    """Numbers of the coded items of a picture: its own, or those of its tiles."""
    item = items[number]
    if item.type in CODINGS:
        return [number]
    if item.type != b"grid":
        name = item.type.decode("latin-1")
        raise Refused(f"its picture is of the kind {name!r}; save it as TIFF or PNG")
    rows, columns = _grid(item)
    tiles = item.targets(b"dimg")
    known = all(i in items and items[i].type in CODINGS for i in tiles)
    if len(tiles) != rows * columns or not known:
        raise Damaged("its tiles are missing")
    width, height = _size(items[tiles[0]])
    if any(_size(items[i]) != (width, height) for i in tiles):
        raise Damaged("its tiles have different sizes")
    whole = _size(item)
    for count, side, wanted in ((columns, width, whole[0]), (rows, height, whole[1])):
        if not (count - 1) * side < wanted <= count * side:
            raise Damaged("its tiles do not cover it")
    return list(dict.fromkeys(tiles))


def _grid(item):
    """Rows and columns of a picture of tiles."""
    width = 4 if item.data[1:2] == b"\1" else 2
    if len(item.data) < 4 + 2 * width:
        raise Damaged("its list of tiles is cut off")
    size = tuple(
        int.from_bytes(item.data[4 + i * width : 4 + (i + 1) * width], "big")
        for i in range(2)
    )
    if size != _size(item):
        raise Damaged("the sizes it states differ")
    return item.data[2] + 1, item.data[3] + 1


def _size(item):
    body = item.property(b"ispe", b"")
    if len(body) < 12:
        raise Damaged("it states no size")
    size = struct.unpack(">II", body[4:12])
    if not min(size):
        raise Damaged("it states no size")
    return size


def check_sizes(picture, check_size):
    """Calls `check_size` for every size that a decoder would act on.

    Raises:
        Refused: also where fewer bytes are there than could hold the picture.
    """
    for number in picture.used:
        item = picture.items[number]
        width, height = _size(item)
        check_size(width, height)
        if item.type in CODINGS and width * height > len(item.data) * MOST_INFLATION:
            raise Damaged(f"the {picture.coding} data is cut off")
        if max(width, height) > 2 * max(picture.size) + 1024:
            raise Damaged("its parts are larger than itself")


def _depth(item):
    """Bits of a sample, and whether there are no colours."""
    if item.type == b"hvc1":
        body = item.property(b"hvcC", b"")
        if len(body) < 19:
            raise Damaged("the HEIC header is missing")
        return 8 + (body[17] & 7), body[16] & 3 == 0
    body = item.property(b"av1C", b"")
    if len(body) < 4:
        raise Damaged("the AVIF header is missing")
    is_high, is_twelve = body[2] >> 6 & 1, body[2] >> 5 & 1
    return (12 if is_twelve else 10) if is_high else 8, bool(body[2] >> 4 & 1)


def bare_items(picture):
    """The items of the samples alone, for a decoder; see `OF_SAMPLES`."""
    kept = {}
    for number in picture.used:
        item = picture.items[number]
        properties = tuple(
            (name, body, essential)
            for name, body, essential in item.properties
            if name in OF_SAMPLES and not (name == b"colr" and body[:4] != b"nclx")
        )
        references = tuple(
            (name, numbers)
            for name, numbers in item.references
            if name in (b"dimg", b"auxl") and set(numbers) <= picture.used
        )
        kept[number] = dataclasses.replace(
            item, properties=properties, references=references
        )
    return kept


def turned(samples, item):
    """Samples cropped, turned and mirrored as the properties of the item say."""
    for name, body, _ in item.properties:
        if name == b"irot" and body:
            samples = np.rot90(samples, body[0] & 3)
        elif name == b"imir" and body:
            samples = samples[:, ::-1] if body[0] & 1 else samples[::-1]
        elif name == b"clap":
            samples = _cropped(samples, body)
    return samples


def _cropped(samples, body):
    """The inner part that a clean aperture names, if it is one of whole pixels."""
    if len(body) < 32:
        raise Damaged("its crop is damaged")
    sides = []
    for place, full in ((0, samples.shape[1]), (8, samples.shape[0])):
        length, divisor = struct.unpack_from(">II", body, place)
        offset, other = struct.unpack_from(">iI", body, place + 16)
        if not divisor or not other or length % divisor:
            raise Damaged("its crop is not of whole pixels")
        length //= divisor
        start = round(offset / other + (full - length) / 2)
        if not (0 < length <= full and 0 <= start <= full - length):
            raise Damaged("its crop lies outside")
        sides.append(slice(start, start + length))
    return samples[sides[1], sides[0]]


def metadata(picture):
    """What stands beside the samples: a dict of `files.Image`'s fields.

    The numbers of the colours become `cICP` in `extras`, as PNG has them.
    """
    found = {"icc": None, "exif": None, "xmp": None, "extras": ()}
    matrix = None
    for item in (picture.item, *map(picture.items.get, sorted(picture.used))):
        for name, body, _ in item.properties:
            if name != b"colr":
                continue
            if body[:4] in (b"prof", b"rICC"):
                found["icc"] = found["icc"] or body[4:]
            elif body[:4] == b"nclx" and len(body) >= 11 and matrix is None:
                primaries, curve, matrix = struct.unpack(">HHH", body[4:10])
                if not _is_srgb(primaries, curve):
                    numbers = bytes((primaries & 255, curve & 255, 0, 1))
                    found["extras"] = ((colour_spaces.CICP, numbers),)
    orientation = 1
    for item in picture.items.values():
        if item.type == b"Exif" and not found["exif"] and len(item.data) > 12:
            start = 4 + int.from_bytes(item.data[:4], "big")
            block = item.data[start:].removeprefix(b"Exif\0\0")
            if block[:2] in (b"II", b"MM"):
                orientation, found["exif"] = exif.upright(block)
    packets = (i.data for i in picture.items.values() if i.content == XMP_TYPE)
    packet = next(packets, b"").strip(b"\0")
    if packet:
        packet = xmp.upright(xmp.as_utf8(packet), orientation)
        found["xmp"] = xmp.without_second_picture(packet)
    return found | {"lossy": matrix != IDENTITY}


def _is_srgb(primaries, curve):
    known = colour_spaces.CURVES.get(curve) is colour_spaces.SRGB_CURVE
    return primaries in (1, 2) and known


def second_pictures(picture):
    """Notes on the pictures in the file that are not the photograph."""
    names, others = set(), 0
    inner = {i for item in picture.items.values() for i in item.targets(b"dimg")}
    for number, item in picture.items.items():
        is_picture = item.type in (*CODINGS, b"grid", b"iovl", b"tmap")
        if number in picture.used | inner or not is_picture or item.targets(b"thmb"):
            continue
        kind = (item.property(b"auxC") or b"").lower()
        if item.type == b"tmap" or b"gainmap" in kind:
            names.add("gain map")
        elif kind and picture.number in item.targets(b"auxl"):
            names.add("depth map" if b"depth" in kind or b"auxid:2" in kind else "mask")
        elif not kind and not item.flags & HIDDEN:
            others += 1
    notes = [
        f"its {name} was dropped: it belongs to the unrestored picture"
        for name in sorted(names)
    ]
    if others:
        notes.append(f"{others} more picture(s) in the file were left out")
    return notes
