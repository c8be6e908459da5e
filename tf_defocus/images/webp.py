"""WebP: still pictures, 8 bits, lossless and lossy.

The file's chunks are read and written here, so that metadata stay byte for byte and
damage in them costs them alone; Pillow is given the picture's own chunks. Source:
RFC 9649, Sec. 2 and 3.4; RFC 6386, Sec. 9.1.
"""

import io
import os
import struct

import PIL.Image
from PIL import WebPImagePlugin, features

from tf_defocus.images.pillow import to_samples
from tf_defocus.images.refusals import Damaged, Refused, decoder

QUALITY = 95
MOST_CHUNKS = 1 << 14
MOST_METADATA = 1 << 28  # bytes
PICTURE = (b"VP8 ", b"VP8L", b"ALPH")
FIELDS = {b"ICCP": "icc", b"EXIF": "exif", b"XMP ": "xmp"}
ANIMATION = (b"ANIM", b"ANMF")
ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 32, 16, 8, 4, 2


def read_webp(file, check_size):
    """The photograph in a WebP file; see `tiff.read_tiff`.

    Returns:
        dict: `colour`, `alpha`, `icc`, `exif`, `xmp` (bytes or None), `lossy`,
        `extras` and `notes`, as in `files.Image`.
    """
    if not features.check("webp"):
        raise Refused('Pillow lacks WebP here; pip install "Pillow>=12"')
    notes = []
    chunks = _read_chunks(file, notes)
    names = [name for name, _ in chunks]
    if any(name in ANIMATION for name in names):
        raise Refused("it is an animated WebP; save one frame as PNG")
    picture = {name: body for name, body in reversed(chunks) if name in PICTURE}
    if (b"VP8 " in picture) == (b"VP8L" in picture):
        raise Damaged("the WebP data is cut off")
    size = _check_sizes(chunks, picture)
    check_size(*size)
    with decoder("WebP"):
        decoded = WebPImagePlugin.WebPImageFile(io.BytesIO(_bare_file(picture, size)))
        decoded.load()
    if decoded.size != size:
        raise Damaged("the WebP header contradicts itself")
    colour, alpha, _, _ = to_samples(decoded, None)
    found, extras = dict.fromkeys(FIELDS.values()), []
    for name, body in chunks:
        if name in FIELDS:
            found[FIELDS[name]] = found[FIELDS[name]] or body or None
        elif name not in (*PICTURE, b"VP8X"):
            extras.append((name, body))
    if found["exif"]:
        found["exif"] = found["exif"].removeprefix(b"Exif\0\0") or None
    return {
        **found,
        "colour": colour,
        "alpha": alpha,
        "lossy": b"VP8 " in picture,
        "extras": tuple(extras),
        "notes": tuple(notes),
    }


def _read_chunks(file, notes):
    """List of (name, body); what is cut off behind the picture is left out."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(12)
    if len(start) < 12:
        raise Damaged("the WebP header is cut off")
    end, position, chunks = min(end, 8 + int.from_bytes(start[4:8], "little")), 12, []
    while position + 8 <= end and len(chunks) < MOST_CHUNKS:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        position += 8 + length + length % 2
        if position - length % 2 > end:
            if not any(name in PICTURE[:2] for name, _ in chunks):
                raise Damaged("the WebP data is cut off")
            notes.append(f"the damaged WebP chunk {name!r} was dropped")
            break
        if name in PICTURE or length <= MOST_METADATA:
            chunks.append((name, file.read(length)))
    return chunks


def _check_sizes(chunks, picture):
    """(width, height), if the canvas and the coded picture agree on it."""
    if b"VP8L" in picture:
        body = picture[b"VP8L"]
        if len(body) < 5 or body[0] != 0x2F:
            raise Damaged("the WebP header is damaged")
        bits = int.from_bytes(body[1:5], "little")
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        body = picture[b"VP8 "]
        if len(body) < 10 or body[3:6] != b"\x9d\x01\x2a" or body[0] & 1:
            raise Damaged("the WebP header is damaged")
        width, height = struct.unpack("<HH", body[6:10])
        size = width & 0x3FFF, height & 0x3FFF
        blocks = (size[0] + 15) // 16 * ((size[1] + 15) // 16)
        if not min(size) or len(body) * 8 * 256 < blocks:  # 1/256 bit of the coder each
            raise Damaged("the WebP data is cut off")
    canvas = next((body for name, body in chunks if name == b"VP8X"), None)
    if canvas is not None:
        if len(canvas) < 10:
            raise Damaged("the WebP header is damaged")
        stated = (canvas[4:7], canvas[7:10])
        if tuple(int.from_bytes(side, "little") + 1 for side in stated) != size:
            raise Damaged("the WebP header contradicts itself")
    return size


def _bare_file(picture, size):
    """A WebP file of the picture's own chunks."""
    if b"VP8L" in picture:
        return _file_of([(b"VP8L", picture[b"VP8L"])])
    chunks = [(name, picture[name]) for name in (b"ALPH", b"VP8 ") if name in picture]
    if b"ALPH" in picture:
        chunks.insert(0, (b"VP8X", _canvas(ALPHA_FLAG, size)))
    return _file_of(chunks)


def _canvas(flags, size):
    width, height = (int(side - 1).to_bytes(3, "little") for side in size)
    return bytes((flags, 0, 0, 0)) + width + height


def _file_of(chunks):
    body = b"".join(
        struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def write_webp(file, samples, image):
    """Writes one picture with its metadata, without loss unless its file had some.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) uint8.
        image: the `files.Image` whose metadata are written.
    """
    channels = samples.shape[2]
    if channels < 3:  # there is no grey
        samples = samples[..., [0, 0, 0, 1][: 3 if channels == 1 else 4]]
    coded = io.BytesIO()
    options = {"lossless": True, "exact": True, "quality": 50, "method": 2}
    if image.lossy:
        options = {"quality": QUALITY, "method": 4, "exact": True}
    PIL.Image.fromarray(samples).save(coded, "WEBP", **options)
    coded = _read_chunks(coded, [])
    chunks = [(name, body) for name, body in coded if name in PICTURE]
    metadata = {b"ICCP": image.icc, b"EXIF": image.exif, b"XMP ": image.xmp}
    flags = ALPHA_FLAG if samples.shape[2] == 4 else 0
    for (name, data), flag in zip(metadata.items(), (ICC_FLAG, EXIF_FLAG, XMP_FLAG)):
        flags |= flag if data else 0
        if data and name != b"ICCP":
            chunks.append((name, data))
    chunks += image.extras
    if image.icc:
        chunks.insert(0, (b"ICCP", image.icc))
    size = samples.shape[1::-1]
    if len(chunks) > 1:
        chunks.insert(0, (b"VP8X", _canvas(flags, size)))
    file.write(_file_of(chunks))
