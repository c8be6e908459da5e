"""JPEG: photographs in and out.

Pillow codes and decodes the pixels; it is given the tables and the scans alone, so that
damage in a side segment costs that segment. Source: ITU-T T.81.
"""

import io
import math
import struct

import PIL.Image
from PIL import JpegImagePlugin

from tf_defocus.images.jpeg_segments import (
    PLAIN_JFIF,
    fitting,
    metadata,
    segment,
    side_segments,
    take_apart,
)
from tf_defocus.images.pillow import to_samples
from tf_defocus.images.refusals import Damaged, Refused, decoder

QUALITY = 95
MOST_SCANS = 256
HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
ARITHMETIC_FRAMES = {0xC9, 0xCA}


def read_jpeg(file, check_size):
    """The photograph in a JPEG file; see `tiff.read_tiff`.

    Returns:
        dict: `colour`, `alpha` (None), `icc`, `exif`, `xmp`, `photoshop` (bytes or
        None), `resolution`, `lossy`, `extras` and `notes`, as in `files.Image`.
    """
    file.seek(0)
    segments = take_apart(file.read())
    _check_frame(segments, check_size)
    notes = []
    found = metadata(segments, notes)
    with decoder("JPEG"):
        picture = JpegImagePlugin.JpegImageFile(io.BytesIO(segments.picture))
        picture.load()
    colour, _, more, icc = to_samples(picture, found["icc"])
    notes = (*notes, *more)
    found |= {"colour": colour, "alpha": None, "icc": icc, "lossy": True}
    return {**found, "notes": notes}


def _check_frame(segments, check_size):
    if segments.frame is None or not segments.num_scans:
        raise Damaged("the JPEG header is missing")
    marker, body = segments.frame
    if marker not in HUFFMAN_FRAMES | ARITHMETIC_FRAMES:
        raise Refused("it is lossless or hierarchical JPEG; save it as TIFF or PNG")
    if len(body) < 6:
        raise Damaged("the JPEG header is cut off")
    depth, height, width, channels = struct.unpack(">BHHB", body[:6])
    if depth != 8:
        raise Refused(f"it is JPEG of {depth} bits; save it as TIFF or PNG")
    if not width or not height or channels not in (1, 3, 4):
        raise Damaged("the JPEG header states no size or no colours")
    if segments.num_scans > MOST_SCANS:
        raise Damaged(f"it claims {segments.num_scans} scans")
    check_size(width, height)
    blocks = math.ceil(width / 8) * math.ceil(height / 8)
    least = blocks / 8  # a Huffman code has one bit or more
    if marker in HUFFMAN_FRAMES and len(segments.picture) < least:
        raise Damaged("the JPEG data is cut off")


def write_jpeg(file, samples, image):
    """Writes one picture with its metadata.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 or 3) uint8.
        image: the `files.Image` whose metadata are written; what is too long for JPEG
            is left out, see `fitting`.
    """
    image, _ = fitting(image)
    coded = io.BytesIO()
    picture = PIL.Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    picture.save(coded, "JPEG", quality=QUALITY, subsampling=0)
    segments = take_apart(coded.getvalue())
    file.write(b"\xff\xd8")
    for marker, body in side_segments(image):
        file.write(segment(marker, body))
    head = b"\xff\xd8" + segment(0xE0, PLAIN_JFIF)
    file.write(segments.picture.removeprefix(head))
