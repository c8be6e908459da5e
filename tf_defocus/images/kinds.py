"""What a file is: told by its first bytes, and by its extension where those are silent.

Formats that are not read are known by name all the same, so that nobody has to guess
why a photograph was left out.
"""

import os
import pathlib
import stat

from tf_defocus.images.refusals import Refused

RAW = "3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq kdc mef mos mrw nef nrw orf pef raf"
RAW += " raw rw2 rwl sr2 srf srw x3f"
EXTENSIONS = {
    "png": (".png",),
    "tiff": (".tif", ".tiff"),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    "webp": (".webp",),
    "bmp": (".bmp", ".dib"),
    "avif": (".avif", ".avifs"),
    "heic": (".heic", ".heif", ".heics", ".hif"),
    "raw": tuple(f".{name}" for name in RAW.split()),
}
READ_ONLY = {"raw": ".tif"}  # and what is written in its place
NAMES = {"webp": "WebP", "raw": "raw"}  # others are written in capitals
SUPPORTED = "supported are PNG, TIFF, JPEG, WebP, AVIF, HEIC, BMP and raw files"
CONVERT = "save it as TIFF, PNG or JPEG first"
LONGEST_START = 64  # bytes that tell every format below
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0\x10\0\0\0CR", "raw (CR2)"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"FUJIFILMCCD-RAW", "raw (RAF)"),
    (b"IIRO", "raw (ORF)"),
    (b"IIRS", "raw (ORF)"),
    (b"MMOR", "raw (ORF)"),
    (b"IIU\0", "raw (RW2)"),
    (b"II\x1a\0\0\0HEAPCCDR", "raw (CRW)"),
    (b"FOVb", "raw (X3F)"),
    (b"\0MRM", "raw (MRW)"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"8BPS", "PSD"),
    (b"v/1\x01", "EXR"),
    (b"#?RADIANCE", "HDR"),
    (b"#?RGBE", "HDR"),
    (b"gimp xcf", "XCF"),
    (b"GIF8", "GIF"),
    (b"BM", "bmp"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"%PDF", "PDF"),
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
BRANDS = dict.fromkeys(HEIF_BRANDS, "heic")  # of ISO media files, byte 8
BRANDS |= {b"avif": "avif", b"avis": "avif", b"jxl ": "JPEG XL", b"crx ": "raw (CR3)"}
FOREIGN = {
    "JPEG XL": "jxl",
    "JPEG 2000": "jp2 j2k j2c jpf jpx",
    "JPEG XR": "jxr wdp hdp",
    "PSD": "psd psb",
    "PNM": "pnm ppm pgm pbm pam",
    **{name.upper(): name for name in ("gif", "exr", "hdr", "xcf", "qoi", "dds")},
    **{name.upper(): name for name in ("tga", "pcx", "ico", "pfm", "fits", "sgi")},
}
# Small companions of photographs, whatever they hold.
NO_PICTURES = (".thm", ".jpg_original", ".pdf", ".partial")
NO_PHOTOGRAPHS = ("PDF",)


def format_of_extension(path):
    """A key of `EXTENSIONS`, or None for any other extension."""
    suffix = pathlib.Path(path).suffix.lower()
    return next((name for name, known in EXTENSIONS.items() if suffix in known), None)


def written_extension(suffix):
    """The extension of what is written for a file of the extension `suffix`."""
    return READ_ONLY.get(format_of_extension(f"a{suffix}"), suffix)


def unwritten_of_extension(path):
    """The name of a format that is known but not written, or None."""
    kind = format_of_extension(path)
    return name_of(kind) if kind in READ_ONLY else foreign_of_extension(path)


def name_of(kind):
    """What people call a format."""
    return NAMES.get(kind, kind.upper())


def foreign_of_extension(path):
    """The name of a format that is known but not read, or None."""
    ending = pathlib.Path(path).suffix.lower().removeprefix(".")
    return next(
        (name for name, known in FOREIGN.items() if ending in known.split()), None
    )


def format_of_bytes(start):
    """The format that a file's first `LONGEST_START` bytes tell, or None."""
    if start[4:8] == b"ftyp":
        if b"avif" in start[8:]:
            return "avif"
        return BRANDS.get(start[8:12])
    if start[:4] == b"RIFF":
        return "webp" if start[8:12] == b"WEBP" else None
    if start[:1] == b"P" and start[1:2] in b"1234567Ff" and start[2:3].isspace():
        return "PFM" if start[1:2] in b"Ff" else "PNM"
    return next((name for magic, name in MAGIC if start.startswith(magic)), None)


def open_file(path):
    """Opens a regular file for reading bytes; a pipe or device would wait for ever.

    Raises:
        OSError: if it cannot be opened.
        Refused: if it is no regular file.
    """
    if stat.S_ISDIR(os.stat(path).st_mode):
        raise Refused("it is a folder; give a photograph")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Refused("it is a pipe or device; copy it to a file first")
    return open(path, "rb")


def may_be_photograph(path, opener=open_file):
    """Whether a file counts as a photograph, be it one that is not read.

    Args:
        path: `pathlib.Path`; a pipe, a broken link or an unreadable file counts by its
            extension.
        opener: function of the path that opens the file, if it must be looked into.
    """
    suffix = path.suffix.lower()
    if suffix in NO_PICTURES:
        return False
    if format_of_extension(path) or foreign_of_extension(path):
        return True
    try:
        with opener(path) as file:
            kind = format_of_bytes(file.read(LONGEST_START))
    except (OSError, Refused):
        return False
    return kind is not None and kind not in NO_PHOTOGRAPHS


def recognise(path, start):
    """A key of `EXTENSIONS`, if extension and content agree.

    Args:
        path: `pathlib.Path`.
        start: the first `LONGEST_START` bytes of the file.

    Raises:
        Refused: for every other file, by the name of its format.
    """
    if not start:
        raise Refused("the file is empty; get the file again from its source")
    told, kind = format_of_bytes(start), format_of_extension(path)
    is_raw = told is None or told == "tiff" or told.startswith("raw")
    if kind == "raw" and is_raw:
        return kind  # many cameras write TIFF with the raw picture inside
    told = told or foreign_of_extension(path)
    if told is None:
        raise Refused(f"it is no image file; {SUPPORTED}")
    if told.startswith("raw"):
        right = path.with_suffix(f".{told[5:-1].lower()}").name
        raise Refused(f"it holds {told} data; rename it to {right}")
    if told not in EXTENSIONS:
        more = ", an animated one frame by frame" if told == "GIF" else ""
        raise Refused(f"it holds {told} data; {SUPPORTED}: {CONVERT}{more}")
    if told != kind:
        right = path.with_suffix(EXTENSIONS[told][0]).name
        raise Refused(
            f"its extension is {path.suffix or 'missing'} but it holds {name_of(told)} "
            f"data; rename it to {right}"
        )
    return kind
