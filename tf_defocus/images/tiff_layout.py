"""How a TIFF page lays out its samples: read from its tags and checked as a whole.

What is claimed is compared with the bytes that are there before anything is decoded or
allocated: sizes, depths, strips and tiles, and how far a compression can inflate.
Source: TIFF 6.0, Sec. 3 to 15; TIFF Technical Notes 1 to 3.
"""

import dataclasses
import math

from tf_defocus.images.directory import Directory
from tf_defocus.images.refusals import Damaged, Refused

MOST_SAMPLES = 16  # per pixel
NONE, LZW, DEFLATE, ADOBE_DEFLATE = 1, 5, 8, 32946
PACKBITS, LZMA, ZSTD = 32773, 34925, 50000
JPEG, CCITT = 7, (2, 3, 4)
# Bytes that one byte of the file can become: what claims more is cut off.
MOST_INFLATION = {NONE: 1, LZW: 3000, DEFLATE: 1040, ADOBE_DEFLATE: 1040, PACKBITS: 64}
MOST_INFLATION |= {LZMA: 20_000, ZSTD: 50_000, JPEG: 3000}
MOST_INFLATION |= dict.fromkeys(CCITT, 20_000)
OTHER_COMPRESSIONS = {6: "old JPEG", 9: "JBIG", 10: "JBIG", 34661: "JBIG"}
OTHER_COMPRESSIONS |= {22610: "JPEG XR", 34934: "JPEG XR", 34887: "LERC", 50001: "WebP"}
OTHER_COMPRESSIONS |= dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000")
OTHER_COMPRESSIONS |= {34676: "LogL", 34677: "LogLuv", 34892: "lossy JPEG"}
OTHER_COMPRESSIONS |= {50002: "JPEG XL", 52546: "JPEG XL", 32766: "NeXT"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
# Samples per pixel of the colours that are read, and names of others.
PHOTOMETRICS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3}
PHOTOMETRICS |= {PALETTE: 1, CMYK: 4, YCBCR: 3}
OTHER_PHOTOMETRICS = {4: "mask", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32844: "LogL"}
OTHER_PHOTOMETRICS |= {32803: "raw", 34892: "raw", 32845: "LogLuv", 51177: "depth"}
PACKED = {"uint10": 10, "uint12": 12, "uint14": 14}  # bits that share bytes
WIDENED = {
    **dict.fromkeys(PACKED, "uint16"),
    "float16": "float32",
    "float64": "float32",
}
KNOWN = ("uint1", "uint2", "uint4", "uint8", "uint16", "float32", *WIDENED)
SAMPLE_FORMATS = {1: "uint", 2: "int", 3: "float", 4: "uint"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """A checked page.

    Attributes:
        directory: `Directory`, its tags.
        width, height, samples: int; samples per pixel.
        dtype: NumPy's name of a sample; `"uint1"` to `"uint4"` for less than a byte.
        compression, photometric, predictor: TIFF's numbers.
        is_planar: bool, whether each sample has a plane of its own.
        block: (rows, columns) of a strip or tile.
        segments: list of (offset, length) of strips or tiles, plane by plane.
    """

    directory: Directory
    width: int
    height: int
    samples: int
    dtype: str
    compression: int
    photometric: int
    predictor: int
    is_planar: bool
    block: tuple
    segments: list

    @property
    def base_samples(self):
        """Samples of a pixel without alpha and other extras."""
        return PHOTOMETRICS[self.photometric]


def check_layout(directory, file_size):
    """The `Layout` of a page.

    Args:
        directory: `Directory` of the page.
        file_size: int, bytes.

    Raises:
        Refused: if it is damaged, or of a kind that is not read.
    """
    width, height = (_positive(directory, code) for code in (256, 257))
    samples = directory.number(277, 1)
    if not 1 <= samples <= MOST_SAMPLES:
        raise Refused(f"it has {samples} channels; save it as RGB")
    if any(directory.number(code, 1) != 1 for code in (32997, 32998)):
        raise Refused("it holds a volume of several layers; save one layer as TIFF")
    compression = directory.number(259, NONE)
    if compression not in MOST_INFLATION:
        name = OTHER_COMPRESSIONS.get(compression, f"number {compression}")
        raise Refused(
            f"its compression ({name}) is not supported; save it with Deflate, LZW or "
            "no compression"
        )
    dtype = _dtype(directory, samples)
    photometric = _photometric(directory, samples, dtype)
    planar = directory.number(284, 1)
    if planar not in (1, 2) or directory.number(266, 1) not in (1, 2):
        raise Damaged("the TIFF layout is unknown")
    is_planar = planar == 2 and samples > 1
    block, count = _blocks(directory, width, height)
    count *= samples if is_planar else 1
    segments = _segments(directory, count, file_size)
    layout = Layout(
        directory=directory,
        width=width,
        height=height,
        samples=samples,
        dtype=dtype,
        compression=compression,
        photometric=photometric,
        predictor=directory.number(317, 1),
        is_planar=is_planar,
        block=block,
        segments=segments,
    )
    _check_inflation(layout)
    return layout


def _positive(directory, code):
    value = directory.number(code, 0)
    if value < 1:
        raise Damaged("the TIFF header states no size")
    return value


def _dtype(directory, samples):
    bits = directory.numbers(258, (1,))
    formats = directory.numbers(339, (1,))
    if len({*bits[:samples]}) > 1 or len({*formats[:samples]}) > 1:
        raise Refused("its channels have different depths; save it as RGB")
    kind = SAMPLE_FORMATS.get(formats[0], f"format {formats[0]} of bits ")
    dtype = f"{kind}{bits[0]}"
    if dtype not in KNOWN:
        raise Refused(f"its samples are {dtype}; save it with 8, 16 or float 32 bits")
    return dtype


def _photometric(directory, samples, dtype):
    value = directory.number(262)
    if value is None:
        raise Damaged("the TIFF header states no colours")
    if value not in PHOTOMETRICS:
        name = OTHER_PHOTOMETRICS.get(value, f"number {value}")
        raise Refused(f"its colours ({name}) are not supported; save it as RGB")
    name = {PALETTE: "palette", CMYK: "CMYK", YCBCR: "YCbCr"}.get(value, "RGB")
    small = dtype in ("uint1", "uint2", "uint4")
    if name != "RGB" and dtype != "uint8" and not (value == PALETTE and small):
        raise Refused(
            f"its {name} colours are not supported at {dtype}; save it as RGB"
        )
    if directory.number(259, NONE) in CCITT and dtype != "uint1":
        raise Damaged("the TIFF header claims fax codes of more than one bit")
    if samples < PHOTOMETRICS[value] or (small and samples > 1):
        raise Refused(f"it has {samples} channels of {dtype}; save it as RGB")
    if value == PALETTE:
        entries = 3 << int(dtype.removeprefix("uint"))
        colours = directory.tags.get(320)
        if colours is None or (colours.type, colours.count) != (3, entries):
            raise Damaged("the TIFF palette is damaged")
    return value


def _blocks(directory, width, height):
    """(rows, columns) of a block, and how many blocks a plane has."""
    if 322 in directory.tags or 323 in directory.tags:
        columns, rows = directory.number(322, 0), directory.number(323, 0)
        if min(rows, columns) < 1 or rows % 16 or columns % 16:
            raise Damaged("the TIFF tiles have no valid size")
    else:
        rows, columns = min(directory.number(278, height), height), width
        if rows < 1:
            raise Damaged("the TIFF strips have no valid size")
    count = math.ceil(height / rows) * math.ceil(width / columns)
    return (rows, columns), count


def _segments(directory, count, file_size):
    tiled = 324 in directory.tags
    offsets = directory.numbers(324 if tiled else 273)
    lengths = directory.numbers(325 if tiled else 279)
    if not lengths and len(offsets) == 1 and directory.number(259, NONE) == NONE:
        lengths = (file_size - offsets[0],)
    if len(offsets) < count or len(lengths) < count:
        raise Damaged("the TIFF data is cut off")
    segments = list(zip(offsets[:count], lengths[:count]))
    if any(min(part) < 1 or sum(part) > file_size for part in segments):
        raise Damaged("the TIFF data is cut off")
    return segments


def _check_inflation(layout):
    rows, columns = layout.block
    bits = layout.directory.number(258, 1) * layout.samples
    needed = layout.width * layout.height * bits / 8
    if layout.photometric == YCBCR:
        needed /= 2  # at most: chroma is stored with fewer pixels
    held = sum(length for _, length in layout.segments)
    if needed > held * MOST_INFLATION[layout.compression] + 8:
        raise Damaged("the TIFF data is cut off")
    if rows * columns > 4 * (layout.width + 64) * (layout.height + 64):
        raise Damaged("the TIFF tiles have no valid size")
