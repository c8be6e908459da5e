"""What of a photograph another format can hold, and a note for each loss."""

import dataclasses
import os
from typing import TYPE_CHECKING

from tf_defocus.images import (
    colour_spaces,
    exif,
    icc,
    jpeg_segments,
    levels,
    photoshop,
    png_chunks,
)
from tf_defocus.images.kinds import format_of_extension, name_of

if TYPE_CHECKING:
    from tf_defocus.images.files import Image

DEPTHS = {"png": ("uint8", "uint16"), "jpeg": ("uint8",), "webp": ("uint8",)}
DEPTHS |= {"bmp": ("uint8",), "avif": ("uint8", "uint16"), "heic": ("uint8", "uint16")}
MOST_BITS = {"avif": 12, "heic": 12}  # of uint16
WITHOUT_GREY = ("webp", "bmp")  # formats whose pictures are RGB to colour profiles
WITHOUT_IPTC = {"png": "PNG", "webp": "WebP", "avif": "AVIF", "heic": "HEIC"}
RESOLUTION_IN_EXIF = ("webp", "avif", "heic")
WITH_NUMBERS = ("png", "avif", "heic")  # that say colours by the numbers of H.273
LONGEST_SIDE = {"webp": 16383, "jpeg": 65500, "avif": 32768, "heic": 16384}


def convert_for(image: "Image", path: str | os.PathLike) -> "Image":
    """The picture as the format of `path` can hold it, with a note for each loss.

    Args:
        image: an `Image`.
        path: str or path with a known extension.

    Returns:
        An `Image` that `write_image(path, ...)` accepts.
    """
    kind = format_of_extension(path)
    notes, changes = list(image.notes), _change_depth(image, kind)
    if "pixels" in changes:
        depth, deepest = image.pixels.dtype, changes["pixels"].dtype
        notes.append(
            f"{depth} was converted to {deepest}, the most {name_of(kind)} holds"
        )
    if image.pixels.dtype != "uint8" and kind in MOST_BITS and not image.bits:
        notes.append(f"16 bits were rounded to 12, the most {name_of(kind)} holds")
    if kind == "jpeg" and image.alpha is not None:
        notes.append("transparency was dropped: JPEG has none")
        changes["alpha"] = None
    if kind != image.format:
        changes |= _change_format(image, kind, notes)
        changes |= _change_colours(image, kind, notes)
    image = dataclasses.replace(image, **changes)
    if kind == "jpeg":
        image, more = jpeg_segments.fitting(image)
        notes += more
    return dataclasses.replace(image, notes=tuple(notes))


def why_not(image, kind):
    """What of a picture a format cannot hold, and the remedy; or None."""
    dtype = str(image.pixels.dtype)
    if dtype not in DEPTHS.get(kind, (dtype,)):
        return f"{name_of(kind)} cannot hold {dtype}; use .tif"
    longest = LONGEST_SIDE.get(kind)
    if longest and max(image.pixels.shape) > longest:
        return f"{name_of(kind)} holds at most {longest} pixels a side; use .tif"
    return None


def _change_depth(image, kind):
    limits = DEPTHS.get(kind)
    if not limits or str(image.pixels.dtype) in limits:
        return {}
    changes = {"pixels": levels.convert(image.pixels, limits[-1])}
    if image.alpha is not None:
        changes["alpha"] = levels.convert(image.alpha, limits[-1])
    return changes


def _change_format(image, kind, notes):
    """Metadata that have another place in the new format, or none there."""
    changes = {"format": kind, "extras": ()}
    if kind == "heic":
        changes["lossy"] = True  # phones do not show what is coded without loss
    if image.exif and kind == "tiff" and not exif.read_tags(image.exif)[1]:
        notes.append("the damaged EXIF was dropped")
        changes["exif"] = None
    if image.resolution is None:
        changes["resolution"] = exif.resolution(image.exif)
    elif kind in RESOLUTION_IN_EXIF:
        changes |= _resolution_in_exif(image, kind, notes)
    if image.format == "png":
        lost = png_chunks.lost_elsewhere(image.extras)
        if lost:
            notes.append(
                f"PNG's {lost} was dropped: {name_of(kind)} has no place for it"
            )
    elif image.format == "jpeg" and image.extras:
        notes.append("comments and maker's segments of the JPEG file were dropped")
    if kind == "bmp" and (image.exif or image.xmp or image.photoshop):
        notes.append("EXIF, XMP and IPTC were dropped: BMP has none")
        return changes | dict.fromkeys(("exif", "xmp", "photoshop"))
    records = exif.read_tags(image.exif)[1].get(exif.IPTC) if image.exif else None
    if kind == "jpeg" and records and not image.photoshop:
        changes["photoshop"] = photoshop.with_iptc(records.data)
    if kind in WITHOUT_IPTC and image.photoshop:
        name = WITHOUT_IPTC[kind]
        notes.append(f"IPTC and Photoshop's resources were dropped: {name} has none")
        changes["photoshop"] = None
    return changes


def _resolution_in_exif(image, kind, notes):
    if image.exif is None:
        tags = exif.resolution_tags(image.resolution, "<")
        return {"exif": exif.make_block(tags, "<")}
    if exif.resolution(image.exif) is None:
        notes.append(f"the resolution was dropped: {name_of(kind)} has it in EXIF only")
    return {}


def _change_colours(image, kind, notes):
    """The colour profile, in the form that the new format has for it."""
    changes, extras = {}, dict(image.extras) if image.format != "jpeg" else {}
    numbers = extras.get(colour_spaces.CICP)
    if numbers and kind in WITH_NUMBERS:
        changes["extras"] = ((colour_spaces.CICP, numbers),)
    elif numbers and not image.icc:
        try:
            changes["icc"] = colour_spaces.profile_of_numbers(*numbers[:2])
        except icc.NotFollowed as error:
            notes.append(
                f"its colour profile {error}, for which {name_of(kind)} has no place: "
                "its colours will look wrong"
            )
    if image.is_gray and kind in WITHOUT_GREY and (image.icc or b"")[16:20] == b"GRAY":
        try:
            changes["icc"] = colour_spaces.rgb_profile(image.icc)
        except icc.NotFollowed:
            notes.append(f"the grey profile was dropped: {name_of(kind)} is in colours")
            changes["icc"] = None
    return changes
