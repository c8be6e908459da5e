"""TIFF: 16-bit and float pages in, and a writer that keeps EXIF and the colour profile.

tifffile decodes the layouts; OpenCV steps in for the compressions that tifffile leaves
to an optional package (LZW above all); neither writes an EXIF directory, so the writer
is ours: one directory packed by Pillow, then compressed strips. Arrays are
`(height, width, channels)` as in `images.png`. Source: TIFF 6.0; EXIF 2.32.
"""

import io
import itertools
import struct
import zlib

import cv2
import numpy as np
import tifffile
from PIL import TiffImagePlugin

EXIF_DIRECTORY, GPS_DIRECTORY = 34665, 34853
ORIENTATION, XMP, ICC_PROFILE = 274, 700, 34675
# Descriptive tags of the first directory that survive a restoration: description, make,
# model, resolution, software, date, artist, copyright, EXIF and GPS.
KEPT_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432)
SUB_DIRECTORIES = (EXIF_DIRECTORY, GPS_DIRECTORY)
SAMPLE_FORMATS = {"u": 1, "f": 3}
STRIP = 128  # rows
HEADER = b"II*\0\x08\0\0\0"


def inspect(file):
    """What the first page holds, and that the file holds one whole picture.

    Args:
        file: a binary file open for reading.

    Returns:
        dict: `width`, `height`, `dtype` (NumPy name), `orientation` (1 to 8), and those
        of `icc`, `xmp`, `exif` (bytes) that are present.

    Raises:
        ValueError: if it is damaged, cut off, or has several pages.
    """
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        if sum(_is_picture(page) for page in tiff.pages) > 1:
            raise ValueError(
                "it has several pages; save each page as a file of its own"
            )
        size = tiff.filehandle.size
        ends = map(sum, zip(page.dataoffsets, page.databytecounts))
        if not page.dataoffsets or max(ends) > size:
            raise ValueError("the TIFF data is cut off")
        tags = {code: page.tags.get(code) for code in (ORIENTATION, XMP, ICC_PROFILE)}
        info = {
            "width": page.imagewidth,
            "height": page.imagelength,
            "dtype": str(page.dtype),
            "orientation": tags[ORIENTATION].value if tags[ORIENTATION] else 1,
            "icc": bytes(tags[ICC_PROFILE].value) if tags[ICC_PROFILE] else None,
            "xmp": bytes(tags[XMP].value) if tags[XMP] else None,
        }
    info["exif"] = _exif_block(file)
    return info


def _is_picture(page):
    """False for the thumbnails that cameras and editors store as further pages."""
    subfile_type = page.tags.get(254)
    return not (subfile_type and int(subfile_type.value) & 1)


def _exif_block(file):
    """The descriptive tags of a file as one EXIF block of their own."""
    return HEADER + _pack_directory(_descriptive_tags(file))


def _descriptive_tags(file):
    file.seek(0)
    header = file.read(8)
    if header[2:4] in (b"+\0", b"\0+"):  # BigTIFF
        header += file.read(8)
    first = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(first.next)
    first.load(file)
    tags = {code: first[code] for code in KEPT_TAGS if code in first}
    for code in SUB_DIRECTORIES:
        if code in first:
            directory = TiffImagePlugin.ImageFileDirectory_v2(header, group=code)
            file.seek(first[code])
            directory.load(file)
            tags[code] = dict(directory)
    return tags


def _pack_directory(tags):
    """One TIFF directory with the dict `tags`, to stand behind `HEADER`."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=HEADER)
    for code, value in tags.items():
        directory[code] = value
    return directory.tobytes(len(HEADER))


def decode_deep(file):
    """Samples of a 16-bit or float page: `(height, width, channels)`, not rotated.

    Raises:
        ValueError: if the layout is one that nobody here can decode faithfully.
    """
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        photometric = page.photometric.name
        if photometric not in ("MINISBLACK", "MINISWHITE", "RGB"):
            raise ValueError(
                f"its {photometric} colours are not supported at {page.dtype}; "
                "save it as RGB"
            )
        try:
            samples = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            samples = _decode_by_opencv(tiff.filehandle, page)
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
        if samples.dtype.byteorder == ">":
            samples = samples.astype(samples.dtype.newbyteorder("="))
        if photometric == "MINISWHITE":
            samples = (np.iinfo(samples.dtype).max - samples).astype(samples.dtype)
    return samples[..., None] if samples.ndim == 2 else samples


def _decode_by_opencv(file, page):
    plain = page.photometric.name != "MINISWHITE" and page.samplesperpixel in (1, 3, 4)
    if not plain or page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        raise ValueError(
            f"its compression {page.compression.name} needs the package imagecodecs; "
            "install it, or save the file without compression"
        )
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != page.dtype:
        raise ValueError("the TIFF data cannot be decoded")
    orientation = page.tags.get(ORIENTATION)
    if orientation:  # OpenCV has applied it already
        pixels = _undo_orientation(pixels, int(orientation.value))
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def _undo_orientation(pixels, orientation):
    inverse = {6: 8, 8: 6}  # the other six undo themselves
    return apply_orientation(pixels, inverse.get(orientation, orientation))


def apply_orientation(pixels, orientation):
    """The picture as it should be seen.

    Args:
        pixels: (height, width, ...) array.
        orientation: int, 1 to 8 as in the EXIF tag; other values count as 1.

    Returns:
        A view; 5 to 8 exchange height and width.
    """
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def write_tiff(file, samples, icc=None, exif=None, xmp=None):
    """Writes one page with Adobe Deflate compression and its metadata.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) array, uint8, uint16 or float32.
        icc, exif, xmp: bytes or None; `exif` starts with its TIFF header.
    """
    strips = [
        zlib.compress(_difference(samples[top : top + STRIP]))
        for top in range(0, samples.shape[0], STRIP)
    ]
    tags = _structure(samples, [len(strip) for strip in strips])
    if exif:
        tags |= _descriptive_tags(io.BytesIO(exif))
    if icc:
        tags[ICC_PROFILE] = icc
    if xmp:
        tags[XMP] = xmp
    file.write(HEADER)
    file.write(_pack_directory(tags))
    for strip in strips:
        file.write(strip)


def _difference(rows):
    """Bytes of the rows, integers as differences to the left (predictor 2)."""
    little = rows.dtype.newbyteorder("<")
    if rows.dtype.kind == "u":
        rows = np.concatenate([rows[:, :1], rows[:, 1:] - rows[:, :-1]], axis=1)
    return np.ascontiguousarray(rows, little).tobytes()


def _structure(samples, counts):
    """The tags of the layout; Pillow moves the strips' offsets behind the directory."""
    height, width, channels = samples.shape
    tags = {
        256: width,
        257: height,
        258: (8 * samples.dtype.itemsize,) * channels,
        259: 8,  # Adobe Deflate
        262: 1 if channels < 3 else 2,  # black is zero, RGB
        273: tuple(itertools.accumulate(counts[:-1], initial=0)),
        277: channels,
        278: min(STRIP, height),
        279: tuple(counts),
        284: 1,  # interleaved
        339: (SAMPLE_FORMATS[samples.dtype.kind],) * channels,
    }
    if samples.dtype.kind == "u":
        tags[317] = 2  # predictor
    if channels in (2, 4):
        tags[338] = 2  # unassociated alpha
    return tags


def upright_exif(block):
    """The orientation of an EXIF block, and the block of the picture turned upright.

    Only the orientation's value and the link to the thumbnail directory change, in
    place: all else, makers' notes with absolute offsets included, stays as it was.

    Args:
        block: bytes, from its TIFF header on.

    Returns:
        `(orientation, block)`: int, 1 if absent, and bytes of the same length. A block
        that cannot be followed is returned as it is.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 14:
        return 1, block
    (start,) = struct.unpack(order + "I", block[4:8])
    if start + 2 > len(block):
        return 1, block
    (count,) = struct.unpack(order + "H", block[start : start + 2])
    end = start + 2 + 12 * count
    if end + 4 > len(block):
        return 1, block
    orientation, edited = 1, bytearray(block)
    for entry in range(start + 2, end, 12):
        if struct.unpack(order + "H", block[entry : entry + 2])[0] == ORIENTATION:
            (orientation,) = struct.unpack(order + "H", block[entry + 8 : entry + 10])
            edited[entry + 8 : entry + 12] = struct.pack(order + "HH", 1, 0)
    edited[end : end + 4] = bytes(4)
    return orientation, bytes(edited)
