"""Photoshop's image resources, where JPEG and TIFF keep IPTC captions.

Source: Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

import struct

SIGNATURES = (b"8BIM", b"PHUT", b"AgHg", b"DCSR", b"MeSa")
IPTC = 0x0404
THUMBNAILS = (0x0409, 0x040C)


def without_thumbnails(block):
    """The resources without small copies of the unrestored picture.

    Args:
        block: bytes.

    Returns:
        bytes; what cannot be followed, from there on, as it is.
    """
    kept, position = [], 0
    while block[position : position + 4] in SIGNATURES:
        name = position + 6
        size = name + (block[name] + 2) // 2 * 2 if name < len(block) else len(block)
        if size + 4 > len(block):
            break
        (number,) = struct.unpack(">H", block[position + 4 : name])
        length = int.from_bytes(block[size : size + 4], "big")
        end = size + 4 + length + length % 2
        if number not in THUMBNAILS:
            kept.append(block[position:end])
        position = end
    return b"".join((*kept, block[position:])) or None


def with_iptc(records):
    """One resource that holds IPTC records."""
    head = b"8BIM" + struct.pack(">H", IPTC) + b"\0\0"
    return head + struct.pack(">I", len(records)) + records + bytes(len(records) % 2)
