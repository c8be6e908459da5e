"""XMP packets: what must change with the pixels, and packets too long for one segment.

A packet is edited as text, so that all else stays byte for byte; only a packet that is
split is parsed. Source: XMP Specification, Parts 1 and 3 (Sec. 1.1.3.1).
"""

import hashlib
import re
from xml.dom import minidom
from xml.parsers import expat

TIFF = b"http://ns.adobe.com/tiff/1.0/"
BASIC = b"http://ns.adobe.com/xap/1.0/"
EXIF = b"http://ns.adobe.com/exif/1.0/"
DEVELOPMENT = b"http://ns.adobe.com/camera-raw-settings/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NOTE = "http://ns.adobe.com/xmp/note/"
# What a packet says of a second picture in the file; None stands for every name.
SECOND_PICTURES = {
    b"http://ns.adobe.com/hdr-gain-map/1.0/": None,
    b"http://ns.apple.com/HDRGainMap/1.0/": None,
    b"http://ns.apple.com/pixeldatainfo/1.0/": None,
    b"http://ns.google.com/photos/1.0/container/": None,
    b"http://ns.google.com/photos/1.0/container/item/": None,
    b"http://ns.google.com/photos/1.0/camera/": rb"(?:Motion|Micro)[\w.-]*",
}
PAIRS = (
    (TIFF, b"ImageWidth", b"ImageLength"),
    (TIFF, b"XResolution", b"YResolution"),
    (EXIF, b"PixelXDimension", b"PixelYDimension"),
)
NAME = rb"[\w.-]+"
MOST_ELEMENTS = 100_000  # of a packet that is split, which takes a parsed tree
MOST_PREFIXES, MOST_EDITS = 8, 1000  # more is no honest packet
LONG_ATTRIBUTE = 1000  # characters
PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    b'<?xpacket end="w"?>',
)


def as_utf8(packet):
    """The packet in UTF-8, whichever of the encodings that XMP allows it is in."""
    for start, encoding in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
        if packet[:2] == start:
            return packet.decode(encoding, "replace").encode()
    if packet[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return packet.decode("utf-16", "replace").encode()
    return packet


def upright(packet, orientation):
    """The packet of a picture that was turned upright.

    Args:
        packet: bytes, UTF-8.
        orientation: int, 1 to 8, which was applied; 1 changes nothing.
    """
    if orientation == 1:
        return packet
    for pattern in _patterns(packet, TIFF, b"Orientation"):
        packet = re.sub(pattern, rb"\g<1>1\g<3>", packet, count=MOST_EDITS)
    if orientation > 4:
        for namespace, *names in PAIRS:
            packet = _exchange(packet, namespace, names)
    return packet


def _prefixes(packet, namespace):
    pattern = rb"xmlns:(" + NAME + rb")\s*=\s*[\"']" + re.escape(namespace) + rb"[\"']"
    return sorted(set(re.findall(pattern, packet)))[:MOST_PREFIXES]


def _patterns(packet, namespace, name):
    """Of a property as attribute and as element: before, value, after."""
    for prefix in _prefixes(packet, namespace):
        full = re.escape(prefix + b":" + name)
        yield rb"(\s" + full + rb"\s*=\s*[\"'])([^\"'<>]*)([\"'])"
        yield rb"(<" + full + rb"(?:\s[^<>]*)?>)([^<>]*)(</" + full + rb"\s*>)"


def _exchange(packet, namespace, names):
    found = [_first(packet, namespace, name) for name in names]
    if None in found:
        return packet
    (one, _), (other, _) = spans = sorted(match.span(2) for match in found)
    first, second = (packet[slice(*span)] for span in spans)
    middle = packet[spans[0][1] : other]
    return packet[:one] + second + middle + first + packet[spans[1][1] :]


def _first(packet, namespace, name):
    matches = (re.search(p, packet) for p in _patterns(packet, namespace, name))
    return next((match for match in matches if match), None)


def without_second_picture(packet):
    """The packet without its words on a gain map, depth map or film in the file."""
    return _without_properties(packet, SECOND_PICTURES)


def without_development(packet):
    """The packet without settings of how raw data are developed: programs would apply
    them again to the developed picture."""
    return _without_properties(packet, {DEVELOPMENT: None})


def _without_properties(packet, unwanted):
    for namespace, names in unwanted.items():
        for prefix in _prefixes(packet, namespace):
            full = re.escape(prefix + b":") + b"(?:" + (names or NAME) + b")"
            packet = _without_elements(packet, full)
            packet = re.sub(
                rb"\s" + full + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", packet
            )
            if not re.search(rb"[<\s]" + re.escape(prefix) + rb":", packet):
                declared = (
                    rb"\s*xmlns:" + re.escape(prefix) + rb"\s*=\s*[\"'][^\"']*[\"']"
                )
                packet = re.sub(declared, b"", packet)
    return packet


def without_thumbnails(packet):
    """The packet without small copies of the unrestored picture."""
    for prefix in _prefixes(packet, BASIC):
        packet = _without_elements(packet, re.escape(prefix + b":Thumbnails"))
    return packet


def _without_elements(packet, name):
    opening = re.compile(rb"<(" + name + rb")(?:\s[^<>]*)?>")
    kept, position = [], 0
    while (match := opening.search(packet, position)) and len(kept) < MOST_EDITS:
        end = match.end()
        if not match.group().endswith(b"/>"):
            close = packet.find(b"</" + match.group(1), end)
            end = packet.find(b">", close) + 1 if close >= 0 else 0
        if not end:
            break
        kept.append(packet[position : match.start()])
        position = end
    return b"".join(kept) + packet[position:]


def join(packet, extension):
    """A packet with the properties of its extension, as one packet.

    Args:
        packet, extension: bytes, UTF-8.

    Returns:
        bytes, or None if the two cannot be put together.
    """
    body = re.search(rb"<rdf:RDF\b[^>]*>(.*)</rdf:RDF\s*>", extension, re.DOTALL)
    end = packet.rfind(b"</rdf:RDF")
    if body is None or end < 0:
        return None
    joined = packet[:end] + body.group(1) + packet[end:]
    for pattern in _patterns(joined, NOTE.encode(), b"HasExtendedXMP"):
        joined = re.sub(pattern, b"", joined)
    return joined


def split(packet, longest):
    """A packet of at most `longest` bytes, and the extension with what it lacks.

    Args:
        packet: bytes, UTF-8.
        longest: int, bytes.

    Returns:
        `(packet, extension)`, both bytes, or None if it cannot be split.
    """
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        return None
    if packet.count(b"<") > MOST_ELEMENTS:
        return None
    try:
        return _split_parsed(minidom.parseString(packet), longest)
    except (expat.ExpatError, ValueError, LookupError, RecursionError):
        return None


def _split_parsed(document, longest):
    rdf = next(iter(document.getElementsByTagNameNS(RDF, "RDF")), None)
    if rdf is None:
        return None
    blocks = _elements(rdf)
    parts = [part for block in blocks for part in _properties(document, block)]
    sized = sorted(((len(part.toxml().encode()), part) for part in parts), key=_size)
    length, moved = _length(document) + 200, []
    while length > longest and sized:
        size, part = sized.pop()
        length -= size
        moved.append((part.parentNode, part))
        part.parentNode.removeChild(part)
    if not moved or length > longest:
        return None
    extension = _extension(document, rdf, moved)
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()
    blocks[0].setAttribute("xmlns:xmpNote", NOTE)
    blocks[0].setAttribute("xmpNote:HasExtendedXMP", guid)
    root = _root(document).toxml().encode()
    return b"\n".join((PACKET[0], root, PACKET[1])), extension


def _size(sized):
    return sized[0]


def _elements(node):
    return [child for child in node.childNodes if child.nodeType == node.ELEMENT_NODE]


def _properties(document, block):
    """The elements of a description; long attributes become elements first."""
    for name, value in list(block.attributes.items()):
        if len(value) > LONG_ATTRIBUTE and not name.startswith(("xmlns", "rdf:")):
            block.removeAttribute(name)
            element = document.createElement(name)
            element.appendChild(document.createTextNode(value))
            block.appendChild(element)
    return _elements(block)


def _root(document):
    return document.documentElement


def _length(document):
    return len(_root(document).toxml().encode()) + sum(map(len, PACKET))


def _extension(document, rdf, moved):
    """A packet of the moved properties, under the declarations they had."""
    root, again = _root(document).cloneNode(False), rdf.cloneNode(False)
    if _root(document) is rdf:
        root = again
    else:
        root.appendChild(again)
    for parent, part in moved:
        block = parent.cloneNode(False)
        for name in list(block.attributes.keys()):
            if not name.startswith("xmlns") and name != "rdf:about":
                block.removeAttribute(name)
        block.appendChild(part)
        again.appendChild(block)
    return root.toxml().encode()
