"""JPEG's segments around the coded picture: read one by one, and written again.

Source: ITU-T T.81, Annex B; JFIF 1.02; EXIF 2.32, Sec. 4.5; ICC.1, Annex B; XMP Part 3,
Sec. 1.1.3; CIPA DC-007 (several pictures).
"""

import dataclasses
import hashlib
import math
import re
import struct

from tf_defocus.images import exif, xmp
from tf_defocus.images.refusals import Damaged

LONGEST_SEGMENT = 65533  # bytes after the length field
MOST_SEGMENTS = 1 << 14
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
ICC, PHOTOSHOP, MPF = b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"MPF\0"
GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
START, END, SCAN, COMMENT, APP = 0xD8, 0xD9, 0xDA, 0xFE, range(0xE0, 0xF0)
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
PLAIN_JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"
UNITS = {1: "inch", 2: "cm"}


@dataclasses.dataclass(frozen=True)
class Segments:
    """A JPEG file taken apart.

    Attributes:
        side: list of (marker, body), the application segments and comments.
        picture: bytes, a JPEG file of the remaining segments.
        frame: (marker, body) of the frame header.
        num_scans: int.
        rest: bytes behind the end of the picture.
    """

    side: list
    picture: bytes
    frame: tuple
    num_scans: int
    rest: bytes


def take_apart(data):
    """The `Segments` of a file.

    Raises:
        Damaged: if it is cut off, or its segments cannot be followed.
    """
    side, kept, frame, num_scans, position = [], [b"\xff\xd8"], None, 0, 2
    while True:
        match = MARKER.match(data, position) if not num_scans else None
        match = match or MARKER.search(data, position)
        if match is None:
            raise Damaged("the JPEG data is cut off")
        if num_scans:  # what was passed are coded samples
            kept.append(data[position : match.start()])
        marker, position = match.group(1)[0], match.end()
        if marker == END:
            kept.append(b"\xff\xd9")
            return Segments(side, b"".join(kept), frame, num_scans, data[position:])
        if marker == START or len(side) + len(kept) > MOST_SEGMENTS:
            raise Damaged("the JPEG segments cannot be followed")
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if length < 2 or len(body) != length - 2:
            raise Damaged("the JPEG data is cut off")
        position += length
        if marker in FRAMES:
            if frame:
                raise Damaged("the JPEG header stands there twice")
            frame = marker, body
        if marker == SCAN:
            num_scans += 1
        if marker in APP or marker == COMMENT:
            side.append((marker, body))
            body = _colour_segment(marker, body)
        if body:
            kept.append(segment(marker, body))


def _colour_segment(marker, body):
    """What of a side segment says how colours are coded, or None."""
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        return PLAIN_JFIF
    if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        return body[:12]
    return None


def segment(marker, body):
    """The bytes of a segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def metadata(segments, notes):
    """What the side segments hold: a dict of `files.Image`'s fields.

    Args:
        segments: `Segments`.
        notes: list of str, to which what was dropped is added.
    """
    found = dict.fromkeys(("icc", "exif", "xmp", "photoshop", "resolution"))
    extras, profile, extension, photoshop, second = [], [], [], [], set()
    for marker, body in segments.side:
        if body.startswith(EXIF) and marker == 0xE1:
            found["exif"] = found["exif"] or body[len(EXIF) :]
        elif body.startswith(XMP):
            found["xmp"] = found["xmp"] or body[len(XMP) :]
        elif body.startswith(EXTENSION):
            extension.append(body[len(EXTENSION) :])
        elif body.startswith(ICC):
            profile.append(body[len(ICC) :])
        elif body.startswith(PHOTOSHOP):
            photoshop.append(body[len(PHOTOSHOP) :])
        elif body.startswith((MPF, GAIN_MAP)):
            second.add("gain map" if body.startswith(GAIN_MAP) else "second picture")
        elif body.startswith(b"JFIF\0"):
            found["resolution"] = _density(body)
        elif body.startswith((b"JFXX\0", b"Adobe")):
            continue  # a thumbnail; how the old pixels were coded
        elif body[:2] == b"JP" and marker == 0xEB:
            notes.append("content credentials were dropped: they sign other pixels")
        else:
            extras.append((marker, body))
    found["extras"] = tuple(extras)
    found["photoshop"] = b"".join(photoshop) or None
    found["icc"] = _profile(profile, notes)
    found["xmp"] = _packet(found["xmp"], extension, notes)
    _tell_second_picture(segments.rest, second, found, notes)
    return found


def _density(body):
    unit, x, y = struct.unpack(">BHH", body[7:12]) if len(body) >= 12 else (0, 1, 1)
    if not x or not y or (unit not in UNITS and x == y):
        return None
    return x, y, UNITS.get(unit)


def _profile(parts, notes):
    """The colour profile out of its numbered parts."""
    if not parts:
        return None
    ordered = sorted(parts, key=lambda part: part[:1])
    numbers = [part[:2] for part in ordered]
    expected = [bytes((i + 1, len(parts))) for i in range(len(parts))]
    profile = b"".join(part[2:] for part in ordered)
    if numbers == expected and profile[36:40] == b"acsp":
        return profile
    notes.append("the damaged colour profile was dropped")
    return None


def _packet(packet, parts, notes):
    """The XMP packet, joined with its extension."""
    if packet is None:
        if parts:
            notes.append("an extension without its XMP packet was dropped")
        return None
    packet = xmp.as_utf8(packet)
    named = re.search(rb"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})", packet)
    parts = [p for p in parts if named and p[:32].upper() == named.group(1).upper()]
    if not parts:
        return packet
    ordered = sorted(parts, key=lambda part: part[36:40])
    extension = b"".join(part[40:] for part in ordered)
    digest = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()
    joined = None
    if digest.encode() == named.group(1).upper():
        joined = xmp.join(packet, extension)
    if joined is None:
        notes.append("the damaged extension of the XMP packet was dropped")
    return joined or packet


def _tell_second_picture(rest, second, found, notes):
    if b"ftyp" in rest[:4096]:
        second.add("film")
    elif rest.lstrip(b"\0").startswith(b"\xff\xd8"):
        second.add("second picture")
    elif len(rest.strip(b"\0\r\n")) > 16:
        notes.append(f"{len(rest)} bytes behind the picture were dropped")
    packet = found["xmp"] or b""
    cleaned = xmp.without_second_picture(packet)
    if cleaned != packet:
        found["xmp"] = cleaned
        is_map = re.search(rb"hdr-?gain-?map", packet, re.IGNORECASE)
        second.add("gain map" if is_map else "second picture")
    if second & {"gain map", "film"}:
        second.discard("second picture")
    for name in sorted(second):
        notes.append(f"its {name} was dropped: it belongs to the unrestored picture")


def side_segments(image):
    """The segments (marker, body) of the metadata of a `files.Image`."""
    yield 0xE0, _jfif(image.resolution)
    if image.exif:
        yield 0xE1, EXIF + image.exif
    packet, extension = image.xmp, b""
    if packet and len(XMP + packet) > LONGEST_SEGMENT:
        packet, extension = xmp.split(packet, LONGEST_SEGMENT - len(XMP))
    if packet:
        yield 0xE1, XMP + packet
    yield from _extension_segments(extension)
    yield from _numbered(image.icc or b"")
    step = LONGEST_SEGMENT - len(PHOTOSHOP)
    for start in range(0, len(image.photoshop or b""), step):
        yield 0xED, PHOTOSHOP + image.photoshop[start : start + step]
    yield from image.extras


def _jfif(resolution):
    x, y, unit = resolution or (1, 1, None)
    if unit == "metre":
        x, y, unit = x * 0.0254, y * 0.0254, "inch"
    code = {name: code for code, name in UNITS.items()}.get(unit, 0)
    x, y = (min(max(round(value), 1), 65535) for value in (x, y))
    return b"JFIF\0" + struct.pack(">BBBHHBB", 1, 1, code, x, y, 0, 0)


def _extension_segments(extension):
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper().encode()
    step = LONGEST_SEGMENT - len(EXTENSION) - 40
    for start in range(0, len(extension), step):
        place = struct.pack(">II", len(extension), start)
        yield 0xE1, EXTENSION + guid + place + extension[start : start + step]


def _numbered(profile):
    step = LONGEST_SEGMENT - len(ICC) - 2
    count = math.ceil(len(profile) / step)
    for index in range(count):
        part = profile[index * step : (index + 1) * step]
        yield 0xE2, ICC + bytes((index + 1, count)) + part


def fitting(image):
    """The image with the EXIF, XMP and profile that JPEG can hold, and notes on it.

    Args:
        image: `files.Image`.

    Returns:
        `(image, notes)`; notes is a list of str.
    """
    notes, changes = [], {}
    if image.exif and len(image.exif) > LONGEST_SEGMENT - len(EXIF):
        block, lost = exif.shortened(image.exif, LONGEST_SEGMENT - len(EXIF))
        changes["exif"] = block
        if lost:
            notes.append(f"{', '.join(lost)} was dropped: too long for JPEG")
    room = LONGEST_SEGMENT - len(XMP)
    if image.xmp and len(image.xmp) > room:
        parts = xmp.split(image.xmp, room)
        notes.append(
            "the XMP was split in two, as JPEG needs it"
            if parts
            else "the XMP was dropped: too long for JPEG"
        )
        if not parts:
            changes["xmp"] = None
    if image.icc and len(image.icc) > 255 * (LONGEST_SEGMENT - len(ICC) - 2):
        changes["icc"] = None
        notes.append("the colour profile was dropped: too long for JPEG")
    return dataclasses.replace(image, **changes), notes
