"""What PNG's side chunks hold: colours, resolution, texts, EXIF, XMP, transparency.

Chunks that mean the same of the restored picture are kept byte for byte.
Source: W3C PNG Specification, third edition, Sec. 11.3; PNG Extensions 1.5.
"""

import struct
import zlib

from tf_defocus.images import xmp

XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_PROFILE = b"Raw profile type "  # ImageMagick's hexadecimal texts
LONGEST_TEXT = 1 << 24  # bytes of a file; what inflates further is dropped
# Lengths that a chunk may have, None for any; those not named here come out as they are
# if the PNG specification calls them safe to copy.
MANY = (b"sPLT", b"tEXt", b"zTXt", b"iTXt")
LENGTHS = {b"gAMA": {4}, b"cHRM": {32}, b"sRGB": {1}, b"cICP": {4}, b"mDCV": {24}}
LENGTHS |= {b"cLLI": {8}, b"tIME": {7}, b"oFFs": {9}, b"sTER": {1}, b"bKGD": {2, 6}}
LENGTHS |= {b"sBIT": {1, 2, 3, 4}} | dict.fromkeys((*MANY, b"sCAL", b"pCAL"))
# Of the stored pixels alone: meaningless afterwards, and lost without a word.
OF_OLD_PIXELS = (b"hIST", b"iDOT", b"tRNS", b"acTL", b"fcTL", b"fdAT")
# Not worth a note when the format changes; cICP finds a place elsewhere, or its own.
NO_LOSS = (b"sBIT", b"bKGD", b"tIME", b"cICP")


def metadata(side, colour_type, depth, notes):
    """What the side chunks hold.

    Args:
        side: list of (name, body).
        colour_type, depth: int, of the header.
        notes: list of str, to which what was dropped is added.

    Returns:
        `(found, key)`: a dict of `icc`, `exif`, `xmp`, `resolution`, `extras`, and the
        bytes of a valid `tRNS` or None.
    """
    found = dict.fromkeys(("icc", "exif", "xmp", "resolution"))
    key, extras, seen, profiles, packed = None, [], set(), {}, _Packed()
    for name, body in side:
        if name in seen and name not in MANY:
            continue
        seen.add(name)
        try:
            if name == b"tRNS":
                key = _key(body, colour_type)
            elif name == b"iCCP":
                found["icc"] = _profile(body, packed)
            elif name == b"eXIf":
                found["exif"] = _exif(body)
            elif name == b"pHYs":
                found["resolution"] = _resolution(body)
            elif name in (b"tEXt", b"zTXt", b"iTXt") and _is_packet(body):
                _take_profile(name, body, profiles, packed)
            elif _is_kept(name, body, colour_type, depth):
                extras.append((name, body))
        except _Meaningless as error:
            notes.append(f"the PNG chunk {name!r} was dropped: {error}")
    for field in ("exif", "xmp", "icc"):
        found[field] = found[field] or profiles.get(field)
    extras += profiles.get("other", [])
    return {**found, "extras": tuple(extras)}, key


class _Meaningless(ValueError):
    """The body of a chunk is not of its form."""


def _key(body, colour_type):
    lengths = {0: {2}, 2: {6}, 3: set(range(1, 257))}
    if len(body) not in lengths.get(colour_type, ()):
        raise _Meaningless("it fits no picture of this kind")
    return body


class _Packed:
    """Inflates texts, of all chunks together no more than `LONGEST_TEXT`."""

    def __init__(self):
        self.left = LONGEST_TEXT

    def inflate(self, data):
        inflate = zlib.decompressobj()
        try:
            found = inflate.decompress(data, max(self.left, 1))
        except zlib.error as error:
            raise _Meaningless("it is damaged") from error
        self.left -= len(found)
        if not inflate.eof:
            raise _Meaningless("it is cut off, or larger than any of its kind")
        return found


def _profile(body, packed):
    name, found, data = body.partition(b"\0")
    if not found or len(name) > 79 or data[:1] != b"\0":
        raise _Meaningless("it has no name")
    profile = packed.inflate(data[1:])
    if profile[36:40] != b"acsp":
        raise _Meaningless("it holds no colour profile")
    return profile


def _exif(body):
    block = body.removeprefix(b"Exif\0\0")
    if block[:4] not in (b"II*\0", b"MM\0*"):
        raise _Meaningless("it holds no EXIF")
    return block


def _resolution(body):
    if len(body) != 9:
        raise _Meaningless("it has a wrong length")
    x, y, unit = struct.unpack(">IIB", body)
    return (x, y, "metre" if unit == 1 else None) if x and y else None


def _is_packet(body):
    keyword = body.split(b"\0", 1)[0]
    return keyword == XMP_KEYWORD or keyword.startswith(RAW_PROFILE)


def _take_profile(name, body, profiles, packed):
    """XMP, or what ImageMagick wrote in hexadecimal digits, into `profiles`."""
    keyword, _, text = body.partition(b"\0")
    if name == b"iTXt":
        is_packed = text[:1] == b"\1"
        *_, text = text[2:].split(b"\0", 2)  # behind the two names of the language
        text = packed.inflate(text) if is_packed else text
    elif name == b"zTXt":
        text = packed.inflate(text[1:])
    if keyword == XMP_KEYWORD:
        profiles.setdefault("xmp", xmp.as_utf8(text))
        return
    kind = keyword.removeprefix(RAW_PROFILE).strip().lower()
    content = _from_hexadecimal(text)
    if kind in (b"exif", b"app1") and content.startswith(b"Exif\0\0"):
        profiles.setdefault("exif", _exif(content))
    elif kind == b"xmp" or content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        packet = content.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
        profiles.setdefault("xmp", xmp.as_utf8(packet))
    elif kind in (b"icc", b"icm") and content[36:40] == b"acsp":
        profiles.setdefault("icc", content)
    else:
        profiles.setdefault("other", []).append((name, body))


def _from_hexadecimal(text):
    try:
        _, length, digits = text.split(None, 2)
        content = bytes.fromhex(digits.decode("ascii"))
        length = int(length[:12])
    except ValueError as error:
        raise _Meaningless("it is not of ImageMagick's form") from error
    if len(content) != length:
        raise _Meaningless("its length is wrong")
    return content


def _is_kept(name, body, colour_type, depth):
    if name in OF_OLD_PIXELS:
        return False
    if name == b"bKGD" and (colour_type == 3 or depth < 8):
        return False
    if name in LENGTHS:
        if LENGTHS[name] and len(body) not in LENGTHS[name]:
            raise _Meaningless("it has a wrong length")
        return True
    if not name[3] & 32:
        raise _Meaningless("it belongs to the unrestored pixels")
    return True


def side_chunks(image, channels, depth):
    """The chunks (name, body) that stand before the picture's.

    Args:
        image: `files.Image`.
        channels, depth: int, of the samples that are written.
    """
    extras = image.extras if image.format == "png" else ()
    for name, body in extras:
        if name == b"sBIT":
            body = body[:channels] + bytes([depth]) * (channels - len(body))
        if name not in MANY:
            yield name, body
    if image.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(image.icc)
    if image.resolution:
        yield b"pHYs", _physical(image.resolution)
    if image.xmp:
        yield b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + image.xmp
    if image.exif:
        yield b"eXIf", image.exif
    yield from ((name, body) for name, body in extras if name in MANY)


def _physical(resolution):
    x, y, unit = resolution
    per_metre = {"inch": 1 / 0.0254, "cm": 100}.get(unit, 1)
    x, y = (min(max(round(value * per_metre), 1), 2**31 - 1) for value in (x, y))
    return struct.pack(">IIB", x, y, 0 if unit is None else 1)


def lost_elsewhere(extras):
    """Names of the chunks that another format has no place for, as text."""
    names = {name for name, _ in extras} - set(NO_LOSS)
    if b"sRGB" in names:
        names -= {b"sRGB", b"gAMA", b"cHRM"}
    return ", ".join(sorted(name.decode("latin-1") for name in names))
