"""Raw files of cameras, developed to sRGB of 16 bits by LibRaw (extra `[raw]`).

The white balance is the camera's, the exposure as it was taken. Small developed copies
in the file are never taken for the photograph. What a raw file says of the photograph
is kept where the file is built like TIFF (DNG, CR2, NEF, ARW, ORF, RW2 and others).
"""

from tf_defocus.images import colour_spaces, exif, icc, xmp
from tf_defocus.images.directory import SHORT, Reader, Tag, number_tag
from tf_defocus.images.refusals import Damaged, Refused, decoder

LACKS_RAW = 'the reader of raw files is missing; pip install "tf-defocus[raw]"'
UNKNOWN = "LibRaw does not know such raw data; develop it to TIFF or JPEG first"
SRGB_GAMMA = (2.4, 12.92)  # exponent and slope at black, of IEC 61966-2-1
MOST_INFLATION = 64  # samples that a byte can stand for
XMP = 700
# Tags of the first directory that hold of the developed picture: what is shown, by whom
# and with what it was taken, when; title, rating, keywords.
KEPT = {270, 271, 272, 274, 282, 283, 296, 306, 315, 316, 18246, 18249, 33432}
KEPT |= {33723, exif.EXIF_DIRECTORY, exif.GPS_DIRECTORY, *range(40091, 40096)}
COLOUR_SPACE, WIDTH, HEIGHT = 40961, 40962, 40963


def read_raw(file, check_size):
    """The photograph in a raw file; see `tiff.read_tiff`.

    Returns:
        dict: `colour` (height, width, 3) uint16, `alpha` (None), `icc`, `exif`, `xmp`
        (bytes or None) and `notes`, as in `files.Image`; upright.
    """
    try:
        import rawpy
    except ImportError as error:
        raise Refused(LACKS_RAW) from error
    found, notes = _metadata(file)
    file.seek(0)
    with decoder("raw"), _opened(rawpy, file) as developing:
        sizes = developing.sizes
        held = file.seek(0, 2) * MOST_INFLATION
        _check_sizes(sizes, held, check_size)
        colour = developing.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_bps=16,
            output_color=rawpy.ColorSpace.sRGB,
            gamma=SRGB_GAMMA,
        )
    curve = icc.parametric_tag(colour_spaces.SRGB_CURVE.parameters)
    profile = icc.make_profile(colour_spaces.SRGB_TO_D50, curve, "sRGB")
    return {
        **found,
        "colour": colour,
        "alpha": None,
        "icc": profile,
        "notes": ("its raw data were developed to sRGB of 16 bits", *notes),
    }


def _opened(rawpy, file):
    try:
        return rawpy.imread(file)
    except rawpy.LibRawFileUnsupportedError as error:
        raise Refused(UNKNOWN) from error
    except rawpy.LibRawError as error:
        raise Damaged("the raw data is damaged or cut off") from error


def _check_sizes(sizes, held, check_size):
    width, height = sizes.raw_width, sizes.raw_height
    check_size(width, height)
    check_size(sizes.iwidth, sizes.iheight)
    if not min(width, height, sizes.iwidth, sizes.iheight) or width * height > held:
        raise Damaged("the raw data is cut off")


def _metadata(file):
    """EXIF and XMP of a file that is built like TIFF, and notes on what is lost."""
    found = {"exif": None, "xmp": None}
    try:
        reader = Reader(file)
        page = reader.directory(reader.first)
        tags = exif.with_sub_directories(reader, page)
    except Damaged:
        return found, ("its EXIF was left out: it is not built like TIFF",)
    packet = tags.get(XMP)
    kept = {code: tag for code, tag in tags.items() if code in KEPT}
    details = kept.get(exif.EXIF_DIRECTORY)
    if isinstance(details, dict):
        for code in (WIDTH, HEIGHT, exif.INTEROPERABILITY):
            details.pop(code, None)
        details[COLOUR_SPACE] = number_tag(reader.order, SHORT, 1)
    orientation = 1
    if kept:
        orientation, found["exif"] = exif.upright(exif.make_block(kept, reader.order))
    if isinstance(packet, Tag) and packet.data.strip(b"\0"):
        packet = xmp.upright(xmp.as_utf8(packet.data), orientation)
        found["xmp"] = xmp.without_development(xmp.without_second_picture(packet))
    return found, ()
