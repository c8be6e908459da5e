"""Photographs in and out of files, losslessly and whole or not at all.

The one place that decodes a photographer's file. What a file holds besides RGB (alpha,
greyness, depth, colour profile, resolution, EXIF, XMP, IPTC, texts) travels with the
pixels and is written back; what cannot be kept is said in `Image.notes`. A file that is
damaged, cut off, animated, mislabelled or too large is refused with one line that names
it and the remedy.
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import shutil

import numpy as np

from tf_defocus import whole_files
from tf_defocus.images import (
    bmp,
    bounds,
    exif,
    heif,
    jpeg,
    kinds,
    levels,
    photoshop,
    png,
    raw,
    tiff,
    webp,
)
from tf_defocus.images import xmp as xmp_packets
from tf_defocus.images.convert import convert_for, why_not
from tf_defocus.images.kinds import format_of_extension
from tf_defocus.images.refusals import ImageFileError, Refused, shown

READERS = {"png": png.read_png, "tiff": tiff.read_tiff, "jpeg": jpeg.read_jpeg}
READERS |= {"webp": webp.read_webp, "bmp": bmp.read_bmp, "raw": raw.read_raw}
READERS |= {"avif": heif.read_heif, "heic": heif.read_heif}
WRITERS = {"png": png.write_png, "tiff": tiff.write_tiff, "jpeg": jpeg.write_jpeg}
WRITERS |= {"webp": webp.write_webp, "bmp": bmp.write_bmp}
WRITERS |= {"avif": heif.write_avif, "heic": heif.write_heic}


__all__ = ["Image", "convert_for", "copy_image", "read_image", "write_image"]


@dataclasses.dataclass(frozen=True)
class Image:
    """One photograph.

    Attributes:
        pixels: (height, width, 3) uint8, uint16 or float32, upright; a grey picture has
            three equal channels.
        alpha: (height, width) of the same dtype, or None; colours are not multiplied
            by it.
        is_gray: bool, whether the file is grey: it is written grey again.
        format: a key of `kinds.EXTENSIONS`.
        icc, exif, xmp, photoshop: bytes or None; `exif` starts with its TIFF header,
            `photoshop` are its image resources, IPTC among them.
        resolution: (x, y, unit) in dots per `"inch"`, `"cm"` or `"metre"`, or a ratio
            of sides with the unit None; or None. TIFF has it in `exif`.
        bits: int, significant bits of a sample where a format has fewer than the
            dtype (10 or 12), or None.
        lossy: bool, whether the file has lost detail to its compression.
        extras: tuple of (name, bytes): chunks of a PNG or WebP file or segments of a
            JPEG file that other formats have no place for, and PNG's `cICP`, which AVIF
            and HEIC have, too.
        notes: tuple of str, what was converted or dropped on the way in.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    is_gray: bool = False
    format: str = "png"
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None
    resolution: tuple | None = None
    bits: int | None = None
    lossy: bool = False
    extras: tuple = ()
    notes: tuple = ()


def read_image(path: str | os.PathLike, max_megapixels: float | None = None) -> Image:
    """Reads one photograph.

    Args:
        path: str or path; its extension must agree with its content.
        max_megapixels: float, larger pictures are refused before they are decoded;
            default 400, or what TF_DEFOCUS_MAX_MEGAPIXELS says.

    Returns:
        An `Image`.

    Raises:
        ImageFileError: for a file that is missing, empty, damaged, cut off, animated,
            mislabelled, too large, or of an unsupported kind; and for a pipe.
    """
    path = pathlib.Path(path)
    if max_megapixels is None:
        max_megapixels = bounds.max_megapixels()
    try:
        with kinds.open_file(path) as file:
            kind = kinds.recognise(path, file.read(kinds.LONGEST_START))
            found = READERS[kind](file, bounds.size_check(max_megapixels))
        return upright_image(kind, **found)
    except Refused as error:
        raise ImageFileError(f"{shown(path)}: cannot be read: {error}") from error
    except OSError as error:
        raise ImageFileError(
            f"{shown(path)}: cannot be opened ({error.strerror})"
        ) from error
    except MemoryError as error:
        raise ImageFileError(
            f"{shown(path)}: cannot be read: it needs more memory than there is"
        ) from error


def upright_image(
    kind, colour, alpha, notes, exif=None, xmp=None, resolution=None, **fields
):
    """The upright `Image`, whatever its metadata said of its orientation."""
    notes = (*notes, *_check_floats(colour))
    if alpha is not None:
        _check_floats(alpha)
    if fields.get("icc") and fields["icc"][36:40] != b"acsp":
        fields["icc"] = None
        notes += ("the damaged colour profile was dropped",)
    orientation, exif = exif_upright(exif)
    if xmp:
        xmp = xmp_packets.upright(xmp_packets.as_utf8(xmp), orientation)
        xmp = xmp_packets.without_thumbnails(xmp)
    if fields.get("photoshop"):
        fields["photoshop"] = photoshop.without_thumbnails(fields["photoshop"])
    if resolution and orientation > 4:
        resolution = (resolution[1], resolution[0], resolution[2])
    pixels = apply_orientation(colour, orientation)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if alpha is not None:
        alpha = np.ascontiguousarray(apply_orientation(alpha, orientation))
    return Image(
        np.ascontiguousarray(pixels),
        alpha,
        is_gray=colour.shape[2] == 1,
        format=kind,
        exif=exif,
        xmp=xmp,
        resolution=resolution,
        notes=notes,
        **fields,
    )


def _check_floats(colour):
    if colour.dtype.kind != "f":
        return ()
    try:
        low, high = levels.check_range(colour)
    except ValueError as error:
        raise Refused(str(error)) from error
    if low < 0 or high > 1:
        return (f"values from {low:g} to {high:g} were clipped to 0..1",)
    return ()


def exif_upright(block):
    """`exif.upright`, for a block that may be None."""
    return exif.upright(block) if block else (1, None)


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


def write_image(path: str | os.PathLike, image: Image) -> None:
    """Writes one photograph: under a temporary name first, then renamed.

    Args:
        path: str or path with the extension of a format that is written; its folder
            exists.
        image: an `Image`; see `convert_for` for depths the format lacks.

    Raises:
        ImageFileError: if the format cannot hold the picture, the disk is full or the
            folder cannot be written. Nothing partial is left behind.
    """
    path = pathlib.Path(path)
    kind = format_of_extension(path)
    if kind not in WRITERS:
        raise ImageFileError(
            f"{shown(path)}: unknown extension; use .png, .tif or .jpg"
        )
    problem = why_not(image, kind)
    if problem:
        raise ImageFileError(f"{shown(path)}: {problem}")
    try:
        with _written(path) as file:
            encode(file, kind, image)
    except Refused as error:
        raise ImageFileError(f"{shown(path)}: cannot be written: {error}") from error


def copy_image(source, target):
    """Copies a photograph that nothing has changed; a lossy one would, written anew.

    Args:
        source, target: str or path.

    Raises:
        ImageFileError: as of `write_image`.
    """
    with open(source, "rb") as original, _written(target) as file:
        shutil.copyfileobj(original, file)


@contextlib.contextmanager
def _written(path):
    try:
        with whole_files.open_whole(path) as file:
            yield file
    except OSError as error:
        raise ImageFileError(f"{shown(path)}: {_explain(error)}") from error
    except OverflowError as error:
        raise ImageFileError(f"{shown(path)}: {error}; write it as .png") from error


def _explain(error):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or choose another output folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return "the folder cannot be written; choose another output folder"
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long for the file system; use a shorter --suffix"
    return f"cannot be written ({error}); choose another output folder"


def encode(file, kind, image):
    """Writes the picture and what belongs to it into an open binary file."""
    samples = samples_of(image)
    if image.format != kind:
        image = dataclasses.replace(image, format=kind, extras=())
    WRITERS[kind](file, samples, image)


def samples_of(image):
    """What the file stores: (height, width, 1 to 4); grey is the channels' mean."""
    samples = image.pixels
    if image.is_gray:
        bands = range(0, len(samples), png.BAND)  # the sums are large
        means = [_mean_of_channels(samples[top : top + png.BAND]) for top in bands]
        samples = np.concatenate(means)[..., None]
    if image.alpha is not None:
        samples = np.concatenate([samples, image.alpha[..., None]], axis=2)
    return samples


def _mean_of_channels(pixels):
    if pixels.dtype.kind == "f":
        return pixels.mean(axis=2, dtype=np.float64).astype(pixels.dtype)
    total = pixels.sum(axis=2, dtype=np.uint32)
    return ((2 * total + 3) // 6).astype(pixels.dtype)  # rounded third
