"""AVIF and HEIC: still pictures of 8, 10 and 12 bits.

OpenCV codes AVIF, `pillow-heif` HEIC (extra `[heif]`). Each is given a file made anew
of the picture's own items; what is stored beside them (EXIF, XMP, profile, how the
picture is turned) is read and written here, byte for byte.
"""

import dataclasses
import io
import struct

import cv2
import numpy as np

from tf_defocus.images import colour_spaces, heif_items, heif_picture
from tf_defocus.images.heif_items import Item
from tf_defocus.images.levels import full_scale, widened
from tf_defocus.images.refusals import Damaged, Refused, decoder
from tf_defocus.images.tiff_pixels import divided

QUALITY = 95
AVIF_SPEED = 8  # of 10
PRESET = "medium"  # of x265: slower ones take twice the time for the same result
DEPTHS = (8, 10, 12)
BRANDS = {"AVIF": b"avif\0\0\0\0avifmif1miaf", "HEIC": b"heic\0\0\0\0mif1heicmiaf"}
FILMS = (b"avis", b"hevc", b"hevx", b"msf1")
LACKS_HEIF = 'the codec of HEIC is missing; pip install "tf-defocus[heif]"'
LACKS_AVIF = "OpenCV lacks AVIF here; pip install --upgrade opencv-python-headless"


def read_heif(file, check_size):
    """The photograph in an AVIF or HEIC file; see `tiff.read_tiff`.

    Returns:
        dict: `colour`, `alpha`, `icc`, `exif`, `xmp` (bytes or None), `bits`, `lossy`,
        `extras` and `notes`, as in `files.Image`; upright.
    """
    top = heif_items.top_boxes(file)
    start, length = top.get(b"ftyp", (0, 0))
    file.seek(start)
    has_film = b"moov" in top
    if has_film and file.read(min(length, 4)) in FILMS:
        raise Refused("it is an animated picture; save one frame as PNG")
    picture = heif_picture.find_picture(*heif_items.read_items(file))
    if picture.depth not in DEPTHS:
        raise Refused(
            f"its samples have {picture.depth} bits; save it with 8, 10 or 12 bits"
        )
    heif_picture.check_sizes(picture, check_size)
    bare = heif_picture.bare_items(picture)
    bare = heif_items.file_of_items(BRANDS[picture.coding], picture.number, bare)
    samples = DECODERS[picture.coding](bare)
    if samples.shape[1::-1] != picture.size:
        raise Damaged(f"the {picture.coding} header contradicts itself")
    notes = heif_picture.second_pictures(picture)
    if has_film:
        notes.append("its film was dropped: it belongs to the unrestored picture")
    return {
        **heif_picture.metadata(picture),
        **_channels(heif_picture.turned(samples, picture.item), picture),
        "notes": tuple(notes),
    }


def _channels(samples, picture):
    """Colour, alpha and depth as in `files.Image`."""
    colour, alpha = samples, None
    if samples.shape[2] in (2, 4):
        colour, alpha = samples[..., :-1], samples[..., -1]
    if picture.is_grey:
        colour = colour[..., :1]
    if picture.alpha is None:
        alpha = None
    elif alpha is not None and picture.item.targets(b"prem"):
        colour = divided(colour, alpha)
    return {
        "colour": widened(colour, picture.depth),
        "alpha": None if alpha is None else widened(alpha, picture.depth),
        "bits": picture.depth if picture.depth > 8 else None,
    }


def _narrowed(samples, depth):
    """The inverse of `levels.widened`."""
    most, full = (1 << depth) - 1, full_scale(np.uint16)
    return ((samples.astype(np.uint32) * most + full // 2) // full).astype(np.uint16)


def _decode_avif(data):
    if not cv2.haveImageWriter(".avif"):
        raise Refused(LACKS_AVIF)
    with decoder("AVIF"):
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise Damaged("the AVIF data cannot be decoded")
    if samples.ndim == 2:
        return samples[..., None]
    return samples[..., [2, 1, 0, 3][: samples.shape[2]]]


def _heif_codec():
    try:
        import pillow_heif
    except ImportError as error:
        raise Refused(LACKS_HEIF) from error
    return pillow_heif


def _decode_heic(data):
    codec = _heif_codec()
    with decoder("HEIC"):
        found = codec.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        samples = np.asarray(found)
    return samples if samples.ndim == 3 else samples[..., None]


DECODERS = {"AVIF": _decode_avif, "HEIC": _decode_heic}


def write_avif(file, samples, image):
    """Writes one picture with its metadata, without loss unless its file had some.

    Args:
        file: a binary file open for writing.
        samples: (height, width, 1 to 4) uint8, or uint16 for 10 or 12 bits.
        image: the `files.Image` whose metadata are written.

    Raises:
        Refused: if OpenCV cannot write AVIF here.
    """
    if not cv2.haveImageWriter(".avif"):
        raise Refused(LACKS_AVIF)
    samples, depth = _to_code(samples, image)
    order = [2, 1, 0, 3][: samples.shape[2]] if samples.shape[2] > 1 else [0]
    options = {
        cv2.IMWRITE_AVIF_DEPTH: depth,
        cv2.IMWRITE_AVIF_QUALITY: QUALITY if image.lossy else 100,
        cv2.IMWRITE_AVIF_SPEED: AVIF_SPEED,
    }
    flat = [value for option in options.items() for value in option]
    coded = cv2.imencode(".avif", np.ascontiguousarray(samples[..., order]), flat)[1]
    _write_with_metadata(file, coded.tobytes(), image, "AVIF")


def write_heic(file, samples, image):
    """Writes one picture; see `write_avif`.

    Raises:
        Refused: if `pillow-heif` is missing.
    """
    codec = _heif_codec()
    samples, depth = _to_code(samples, image)
    mode = "L" if samples.shape[2] == 1 else "RGBA"[: samples.shape[2]]
    mode += f";{depth}" if depth > 8 else ""
    options = {"quality": QUALITY, "chroma": 420}
    if not image.lossy:
        options = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    options["enc_params"] = {"preset": PRESET}
    coded = io.BytesIO()
    data = np.ascontiguousarray(samples).tobytes()
    codec.encode(mode, samples.shape[1::-1], data, coded, **options)
    _write_with_metadata(file, coded.getvalue(), image, "HEIC")


def _to_code(samples, image):
    """Samples of 8, 10 or 12 bits with 1, 3 or 4 channels, and their depth."""
    if samples.shape[2] == 2:  # there is no grey with alpha
        samples = samples[..., [0, 0, 0, 1]]
    if samples.dtype == np.uint8:
        return samples, 8
    depth = image.bits or 12
    return _narrowed(samples, depth), depth


def _write_with_metadata(file, coded, image, coding):
    number, items = heif_items.read_items(io.BytesIO(coded))
    picture = items[number]
    numbers = dict(image.extras).get(colour_spaces.CICP)
    properties = [
        (name, _stating(body, numbers) if name == b"colr" else body, essential)
        for name, body, essential in picture.properties
        if name != b"colr" or body[:4] == b"nclx"
    ]
    if image.icc:
        properties.append((b"colr", b"prof" + image.icc, False))
    items[number] = dataclasses.replace(picture, properties=tuple(properties))
    about = ((b"cdsc", (number,)),)
    if image.exif:
        data = bytes(4) + image.exif
        items[max(items) + 1] = Item(b"Exif", references=about, data=data)
    if image.xmp:
        kind = heif_picture.XMP_TYPE
        packet = Item(b"mime", kind, references=about, data=image.xmp)
        items[max(items) + 1] = packet
    file.write(heif_items.file_of_items(BRANDS[coding], number, items))


def _stating(body, numbers):
    """A `colr` property that names the colours by `numbers`, or those of sRGB."""
    primaries, curve = numbers[:2] if numbers else (1, 13)
    return body[:4] + struct.pack(">HH", primaries, curve) + body[8:]
