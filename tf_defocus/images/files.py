"""Photographs in and out of files, losslessly and whole or not at all.

The one place that decodes a photographer's file. What a file holds besides RGB (alpha,
greyness, depth, colour profile, EXIF) travels with the pixels and is written back;
what cannot be kept is said in `Image.notes`. A file that is damaged, cut off, animated,
mislabelled or too large is refused with one line that names it and the remedy.
"""

import contextlib
import dataclasses
import errno
import io
import os
import pathlib
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
from PIL import ImageCms

from tf_defocus import whole_files
from tf_defocus.images import png, tiff

EXTENSIONS = {
    "png": (".png",),
    "tiff": (".tif", ".tiff"),
    "jpeg": (".jpg", ".jpeg", ".jpe"),
}
JPEG_QUALITY = 95
MAX_MEGAPIXELS = 400.0  # TF_DEFOCUS_MAX_MEGAPIXELS overrides it
MAX_MEGAPIXELS_VARIABLE = "TF_DEFOCUS_MAX_MEGAPIXELS"
MAGIC = (
    (png.SIGNATURE, "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "WebP"),
    (b"%PDF", "PDF"),
)
DEPTHS = {"png": ("uint8", "uint16"), "jpeg": ("uint8",)}
DECODER_ERRORS = (
    ValueError,
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
    cv2.error,
)


class ImageFileError(Exception):
    """A file cannot be read or written: one line with the file and the remedy."""


@dataclasses.dataclass(frozen=True)
class Image:
    """One photograph.

    Attributes:
        pixels: (height, width, 3) uint8, uint16 or float32, upright; a grey picture has
            three equal channels.
        alpha: (height, width) of the same dtype, or None.
        is_gray: bool, whether the file is grey: it is written grey again.
        format: `"png"`, `"tiff"` or `"jpeg"`.
        icc, exif, xmp: bytes or None; `exif` starts with its TIFF header.
        notes: tuple of str, what was converted on the way in.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    is_gray: bool = False
    format: str = "png"
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    notes: tuple = ()


def format_of_extension(path):
    """`"png"`, `"tiff"`, `"jpeg"`, or None for any other extension."""
    suffix = pathlib.Path(path).suffix.lower()
    return next((name for name, known in EXTENSIONS.items() if suffix in known), None)


def read_image(path, max_megapixels=None):
    """Reads one photograph.

    Args:
        path: str or path; its extension must agree with its content.
        max_megapixels: float, larger pictures are refused before they are decoded;
            default 400, or what TF_DEFOCUS_MAX_MEGAPIXELS says.

    Returns:
        An `Image`.

    Raises:
        ImageFileError: for a file that is missing, empty, damaged, cut off, animated,
            mislabelled, too large, or of an unsupported kind.
    """
    path = pathlib.Path(path)
    if max_megapixels is None:
        limit = os.environ.get(MAX_MEGAPIXELS_VARIABLE, MAX_MEGAPIXELS)
        max_megapixels = float(limit)
    try:
        with open(path, "rb") as file:
            kind = _sniff(path, file)
            readers = {"png": _read_png, "tiff": _read_tiff, "jpeg": _read_jpeg}
            return readers[kind](file, max_megapixels)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ImageFileError(f"{path}: cannot be opened ({error.strerror})") from error
    except DECODER_ERRORS as error:
        remedy = "" if ";" in str(error) else "; get the file again from its source"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFileError(f"{path}: cannot be read: {reason}{remedy}") from error


def _sniff(path, file):
    start = file.read(16)
    file.seek(0)
    if not start:
        raise ValueError("the file is empty")
    kind = next((name for magic, name in MAGIC if start.startswith(magic)), None)
    if kind not in EXTENSIONS:
        if kind in ("GIF", "WebP") and _is_animated(file):
            raise ValueError(f"it is an animated {kind}; save one frame as PNG")
        held = f"holds {kind} data" if kind else "is no image file"
        raise ValueError(f"it {held}; supported are PNG, TIFF and JPEG")
    if kind != format_of_extension(path):
        right = EXTENSIONS[kind][0]
        raise ValueError(
            f"its extension is {path.suffix or 'missing'} but it holds {kind.upper()} "
            f"data; rename it to {path.with_suffix(right).name}"
        )
    return kind


def _is_animated(file):
    with PIL.Image.open(file) as picture:
        return getattr(picture, "n_frames", 1) > 1


def _check_size(width, height, max_megapixels):
    if width * height > max_megapixels * 1e6:
        raise ValueError(
            f"it declares {width}x{height} pixels, more than {max_megapixels:g} "
            f"megapixels; set {MAX_MEGAPIXELS_VARIABLE} if that is meant"
        )


def _read_png(file, max_megapixels):
    width, height, depth, colour_type = png.read_header(file.read(33))
    _check_size(width, height, max_megapixels)
    file.seek(0)
    data = file.read()
    found = png.read_chunks(data)
    if found.pop("animated", False):
        raise ValueError("it is an animated PNG; save one frame as PNG")
    notes = ()
    if depth == 16:
        samples = png.decode_16bit(data, colour_type)
    else:
        samples, notes, found["icc"] = _pillow_samples(file, found.get("icc"))
    found.pop("transparent", None)
    return _image(samples, "png", notes, **found)


def _read_jpeg(file, max_megapixels):
    with _pillow_open(file) as picture:
        _check_size(*picture.size, max_megapixels)
        exif = picture.info.get("exif", b"").removeprefix(b"Exif\0\0") or None
        xmp, icc = picture.info.get("xmp"), picture.info.get("icc_profile")
    samples, notes, icc = _pillow_samples(file, icc)
    return _image(samples, "jpeg", notes, icc=icc, exif=exif, xmp=xmp)


def _read_tiff(file, max_megapixels):
    info = tiff.inspect(file)
    _check_size(info["width"], info["height"], max_megapixels)
    notes, icc, dtype = (), info["icc"], info["dtype"]
    orientation = info["orientation"]
    if dtype in ("bool", "uint8"):
        samples, notes, icc = _pillow_samples(file, icc)
        orientation = 1  # Pillow has applied it
    elif dtype in ("uint16", "float32"):
        samples = tiff.decode_deep(file)
    else:
        raise ValueError(
            f"its samples are {dtype}; save it with 8, 16 or float 32 bits"
        )
    if dtype == "float32":
        notes = _check_floats(samples)
    return _image(samples, "tiff", notes, icc, info["exif"], info["xmp"], orientation)


def _check_floats(samples):
    low, high = float(samples.min()), float(samples.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("it holds values that are not finite; repair them first")
    if low < 0 or high > 1:
        return (f"values from {low:g} to {high:g} were clipped to 0..1",)
    return ()


@contextlib.contextmanager
def _pillow_open(file):
    """Pillow's picture, not yet decoded; the callers bound its size themselves."""
    file.seek(0)
    limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
    try:
        picture = PIL.Image.open(file)
    except PIL.UnidentifiedImageError as error:
        raise ValueError("the header is damaged") from error
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = limit
    yield picture


def _pillow_samples(file, icc):
    """8-bit samples with 1 to 4 channels, what was converted, and the profile left."""
    with _pillow_open(file) as picture:
        picture.load()
        transparent = "transparency" in picture.info
        targets = {
            "1": "LA" if transparent else "L",
            "L": "LA" if transparent else "L",
            "LA": "LA",
            "P": "RGBA" if transparent else "RGB",
            "PA": "RGBA",
            "RGB": "RGBA" if transparent else "RGB",
            "RGBA": "RGBA",
            "YCbCr": "RGB",
        }
        if picture.mode == "CMYK":
            samples = np.asarray(_cmyk_to_rgb(picture, icc))
            return samples, ("CMYK was converted to RGB (sRGB)",), None
        if picture.mode not in targets:
            raise ValueError(
                f"{picture.mode} colours are not supported; save it as RGB"
            )
        samples = np.asarray(picture.convert(targets[picture.mode]))
    return samples if samples.ndim == 3 else samples[..., None], (), icc


def _cmyk_to_rgb(picture, icc):
    if not icc:
        return picture.convert("RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    target = ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(picture, source, target, outputMode="RGB")


def _image(samples, kind, notes, icc=None, exif=None, xmp=None, orientation=None):
    exif_orientation, exif = tiff.upright_exif(exif) if exif else (1, None)
    if orientation is None:
        orientation = exif_orientation
    samples = tiff.apply_orientation(samples, orientation)
    channels = samples.shape[2]
    if channels > 4:
        raise ValueError(f"it has {channels} channels; save it as RGB")
    if channels < 3:
        pixels = np.repeat(samples[..., :1], 3, axis=2)
    else:
        pixels = np.ascontiguousarray(samples[..., :3])
    alpha = np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None
    return Image(pixels, alpha, channels < 3, kind, icc, exif, xmp, tuple(notes))


def write_image(path, image):
    """Writes one photograph: under a temporary name first, then renamed.

    Args:
        path: str or path ending in .png, .tif, .tiff, .jpg or .jpeg; its folder exists.
        image: an `Image`; see `convert_for` for depths the format lacks.

    Raises:
        ImageFileError: if the format cannot hold the picture, the disk is full or the
            folder cannot be written. Nothing partial is left behind.
    """
    path = pathlib.Path(path)
    kind = format_of_extension(path)
    if kind is None:
        raise ImageFileError(f"{path}: unknown extension; use .png, .tif or .jpg")
    if str(image.pixels.dtype) not in DEPTHS.get(kind, (str(image.pixels.dtype),)):
        raise ImageFileError(
            f"{path}: {kind.upper()} cannot hold {image.pixels.dtype}; use .tif"
        )
    try:
        with whole_files.open_whole(path) as file:
            _encode(file, kind, image)
    except OSError as error:
        raise ImageFileError(f"{path}: {_explain(error)}") from error


def _explain(error):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or choose another output folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return "the folder cannot be written; choose another output folder"
    return f"cannot be written ({error}); choose another output folder"


def _encode(file, kind, image):
    samples = samples_of(image)
    if kind == "png":
        png.write_png(file, samples, image.icc, image.exif, image.xmp)
    elif kind == "tiff":
        tiff.write_tiff(file, samples, image.icc, image.exif, image.xmp)
    else:
        picture = PIL.Image.fromarray(samples[..., 0] if image.is_gray else samples)
        extras = {"icc_profile": image.icc, "xmp": image.xmp}
        extras = {name: value for name, value in extras.items() if value}
        if image.exif:
            extras["exif"] = b"Exif\0\0" + image.exif
        picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, **extras)


def samples_of(image):
    """What the file stores: (height, width, 1 to 4); grey is the channels' mean."""
    samples = image.pixels
    if image.is_gray:
        samples = _mean_of_channels(samples)[..., None]
    if image.alpha is not None:
        samples = np.concatenate([samples, image.alpha[..., None]], axis=2)
    return samples


def _mean_of_channels(pixels):
    if pixels.dtype.kind == "f":
        return pixels.mean(axis=2, dtype=np.float64).astype(pixels.dtype)
    total = pixels.sum(axis=2, dtype=np.uint32)
    return ((2 * total + 3) // 6).astype(pixels.dtype)  # rounded third


def convert_for(image, path):
    """The picture as the format of `path` can hold it, with a note for each loss.

    Args:
        image: an `Image`.
        path: str or path with a known extension.

    Returns:
        An `Image` that `write_image(path, ...)` accepts.
    """
    kind = format_of_extension(path)
    notes = list(image.notes)
    depth, limits = str(image.pixels.dtype), DEPTHS.get(kind)
    if limits and depth not in limits:
        notes.append(
            f"{depth} was converted to {limits[-1]}, the most {kind.upper()} holds"
        )
        image = dataclasses.replace(
            image,
            pixels=_requantize(image.pixels, limits[-1]),
            alpha=None if image.alpha is None else _requantize(image.alpha, limits[-1]),
        )
    if kind == "jpeg" and image.alpha is not None:
        notes.append("transparency was dropped: JPEG has none")
        image = dataclasses.replace(image, alpha=None)
    return dataclasses.replace(image, notes=tuple(notes))


def _requantize(values, dtype):
    """Rounded to another depth, full scale to full scale."""
    full = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    scaled = np.clip(values.astype(np.float32) / full, 0, 1) * np.iinfo(dtype).max
    return np.rint(scaled).astype(dtype)
