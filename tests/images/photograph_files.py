"""Some 60 photographs' files made from formulas: every format, depth and companion.

They are built by Pillow, tifffile, OpenCV and by hand, never by the package, so that a
fault of its writers cannot hide in the files its readers are tested with.
"""

import hashlib
import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import tifffile

SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
SIZE = (22, 31)
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
FULL = {"uint8": 255, "uint16": 65535, "float32": 1}


def samples(dtype="uint8", channels=3, size=SIZE):
    """A smooth formula with some texture, in the levels of `dtype`."""
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    planes = [
        0.5 + 0.4 * np.sin(5 * rows + 9 * columns * (c + 1)) for c in range(channels)
    ]
    values = np.stack(planes, axis=2) * FULL[dtype]
    return values.astype(dtype) if dtype == "float32" else np.rint(values).astype(dtype)


def exif_block(orientation=None, order="<", width=31, height=22):
    """A block with a camera, a date, a maker's note, GPS; as a camera writes it."""
    exif = PIL.Image.Exif()
    exif[271], exif[306], exif[33432] = "Kamera", "2021:08:16 12:00:00", "© Jörg Müller"
    exif[282], exif[283], exif[296] = 240.0, 72.0, 2
    if orientation:
        exif[274] = orientation
    exif[34665] = {37386: 50.0, 37500: b"note\0\1\2", 40962: width, 40963: height}
    exif[34853] = {1: "N", 2: (48.0, 8.0, 1.5)}
    exif.endian = order
    return exif.tobytes().removeprefix(b"Exif\0\0")


def packet(orientation=None, element=False, more=""):
    """An XMP packet with a title and, if given, an orientation."""
    named = f' tiff:Orientation="{orientation}"' if orientation and not element else ""
    inside = f"<tiff:Orientation>{orientation}</tiff:Orientation>"
    text = (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        f'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" rdf:about=""{named} '
        f'photoshop:Headline="Schärfe">{inside if element and orientation else ""}'
        f"{more}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    )
    return text.encode()


def chunk(name, body, crc=None):
    crc = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def png_file(values, *side, colour_type=None, depth=None, packed=None, palette=b""):
    """A PNG file with filter 0 and the chunks `side` (name, body) at its start."""
    height, width, channels = values.shape
    colour_type = (
        {1: 0, 2: 4, 3: 2, 4: 6}[channels] if colour_type is None else colour_type
    )
    depth = depth or 8 * values.dtype.itemsize
    rows = values.astype(values.dtype.newbyteorder(">")).reshape(height, -1)
    rows = [row.tobytes() for row in rows] if packed is None else packed
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    parts += [chunk(*one) for one in side if one[0] != b"tRNS"]
    parts += [chunk(b"PLTE", palette)] if palette else []
    parts += [chunk(*one) for one in side if one[0] == b"tRNS"]
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))))
    return b"".join((*parts, chunk(b"IEND", b"")))


def jpeg_file(values, *segments, rest=b"", dpi=None, **options):
    """A JPEG file with the segments (marker, body) before its tables."""
    file = io.BytesIO()
    mode = options.pop("mode", None)
    values = values[..., 0] if values.shape[2] == 1 else values
    picture = PIL.Image.fromarray(values) if mode is None else options.pop("picture")
    dpi = {"dpi": dpi} if dpi else {}
    picture.save(file, "JPEG", quality=90, **dpi, **options)
    data = file.getvalue()
    head = 4 + struct.unpack(">H", data[4:6])[0] if data[3] == 0xE0 else 2
    made = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
        for marker, body in segments
    )
    return data[:head] + made + data[head:] + rest


def tiff_file(values, *tags, **options):
    """A TIFF file by tifffile with the extra tags (code, type, count, value)."""
    file = io.BytesIO()
    if options.get("planarconfig") == "separate":
        values = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    colour = "rgb" if values.ndim == 3 and values.shape[-1] >= 3 else "minisblack"
    options.setdefault("photometric", "rgb" if options.get("planarconfig") else colour)
    extra = [(*tag, True) for tag in tags]
    tifffile.imwrite(file, values, metadata=None, extratags=extra, **options)
    return file.getvalue()


def pillow_tiff(picture, **options):
    file = io.BytesIO()
    picture.save(file, "TIFF", **options)
    return file.getvalue()


def lzw_tiff(values):
    order = [2, 1, 0, 3][: values.shape[2]] if values.shape[2] > 1 else [0]
    written = cv2.imencode(
        ".tif", values[..., order], [cv2.IMWRITE_TIFF_COMPRESSION, 5]
    )
    return written[1].tobytes()


def extended_xmp(length=150_000):
    """The segments of a packet and its extension."""
    body = packet(more=f"<photoshop:Source>{'a' * length}</photoshop:Source>")
    body = body[body.index(b"<x:") : body.index(b"<?xpacket end")]
    guid = hashlib.md5(body).hexdigest().upper()
    note = 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP='
    main = packet().replace(b"rdf:about", f'{note}"{guid}" rdf:about'.encode())
    segments = [(0xE1, XMP_NAME + main)]
    for start in range(0, len(body), 65000):
        place = struct.pack(">II", len(body), start)
        part = EXTENSION + guid.encode() + place + body[start : start + 65000]
        segments.append((0xE1, part))
    return segments


def icc_segments(profile=SRGB, parts=1):
    step = -(-len(profile) // parts)
    return [
        (0xE2, b"ICC_PROFILE\0" + bytes((i + 1, parts)) + profile[i * step :][:step])
        for i in range(parts)
    ]


def iptc():
    """Photoshop's resources with one IPTC record: a caption."""
    record = b"\x1c\x02\x78\x00\x07Caption"
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record


def text_chunks():
    return [
        (b"tEXt", b"Author\0J\xf6rg"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"sharp " * 40)),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "Größe".encode()),
        (b"tEXt", b"Author\0another"),
    ]


def colour_chunks():
    chrm = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    return [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", chrm), (b"sRGB", b"\0")]


def png_files():
    profile = (b"iCCP", b"mine\0\0" + zlib.compress(SRGB))
    xmp = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet())
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet())
    physical = (b"pHYs", struct.pack(">IIB", 11811, 5906, 1))
    files = {}
    for dtype, depth in (("uint8", 8), ("uint16", 16)):
        for channels in (1, 2, 3, 4):
            files[f"{depth}_{channels}.png"] = png_file(
                samples(dtype, channels), *colour_chunks(), *text_chunks(), physical
            )
        rgb, grey = samples(dtype), samples(dtype, 1)
        files[f"{depth}_meta.png"] = png_file(
            rgb, profile, xmp, (b"eXIf", exif_block()), physical
        )
        files[f"{depth}_packed_xmp.png"] = png_file(rgb, (b"iTXt", packed))
        turned = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(6, True))
        files[f"{depth}_turned.png"] = png_file(
            rgb, (b"eXIf", exif_block(6, ">")), turned, physical
        )
        files[f"{depth}_hdr.png"] = png_file(
            rgb,
            (b"cICP", b"\x09\x10\0\1"),
            (b"mDCV", bytes(24)),
            (b"cLLI", bytes(8)),
            (b"sBIT", bytes([depth - 1] * 3)),
            (b"tIME", b"\x07\xe5\1\1\1\1\1"),
            (b"bKGD", bytes(6)),
            (b"prIv", b"private, safe to copy"),
        )
        key = struct.pack(">3H", *map(int, rgb[3, 4]))
        files[f"{depth}_key.png"] = png_file(rgb, (b"tRNS", key))
        key = struct.pack(">H", int(grey[3, 4, 0]))
        files[f"{depth}_gray_key.png"] = png_file(grey, (b"tRNS", key))
    indices = (samples("uint8", 1) // 64).astype("uint8")
    palette = bytes(range(12))
    files["palette.png"] = png_file(indices, colour_type=3, palette=palette)
    files["palette_key.png"] = png_file(
        indices, (b"tRNS", b"\xff\x80"), colour_type=3, palette=palette
    )
    rows = [np.packbits(row[:, 0] > 1).tobytes() for row in indices]
    files["bits.png"] = png_file(indices, depth=1, packed=rows)
    return files


def jpeg_files():
    rgb, exif = samples(), b"Exif\0\0"
    files = {
        "plain.jpg": jpeg_file(rgb, dpi=(300, 150)),
        "gray.jpg": jpeg_file(samples(channels=1), (0xFE, b"a comment")),
        "meta.jpg": jpeg_file(
            rgb,
            (0xE1, exif + exif_block()),
            (0xE1, XMP_NAME + packet()),
            *icc_segments(),
        ),
        "big_endian.jpg": jpeg_file(rgb, (0xE1, exif + exif_block(order=">"))),
        "icc_parts.jpg": jpeg_file(rgb, *reversed(icc_segments(parts=3))),
        "turned.jpg": jpeg_file(
            rgb, (0xE1, exif + exif_block(6)), (0xE1, XMP_NAME + packet(6)), dpi=(9, 5)
        ),
        "iptc.jpg": jpeg_file(rgb, (0xED, b"Photoshop 3.0\0" + iptc())),
        "comment.jpg": jpeg_file(rgb, (0xFE, b"caf\xe9"), (0xEC, b"Ducky\0\1")),
        "extended_xmp.jpg": jpeg_file(rgb, *extended_xmp()),
        "progressive.jpg": jpeg_file(rgb, progressive=True),
        "photo.jfif": jpeg_file(rgb),
        "photo.mpo": jpeg_file(rgb),
        "restart.jpg": jpeg_file(rgb, restart_marker_blocks=1),
    }
    return files


def tiff_files():
    accents = [
        (270, 2, 9, "Größe".encode() + b"\0"),
        (315, 2, 6, b"J\xf6rg\0\0"),
        (33432, 2, 15, "© Jörg Müll".encode()),
    ]
    more = [
        (700, 1, len(packet()), packet()),
        (33723, 7, 12, b"\x1c\x02\x78\0\7Caption"),
        (34377, 7, len(iptc()), iptc()),
        (50000 + 1234, 12, 2, (0.5, 1e9)),
        (33550, 12, 3, (1.0, 2.0, 0.0)),
    ]
    files = {}
    for dtype in ("uint8", "uint16", "float32"):
        rgb, grey = samples(dtype), samples(dtype, 1)[..., 0]
        files[f"{dtype}.tif"] = tiff_file(
            rgb,
            *accents,
            *more,
            iccprofile=SRGB,
            resolution=(300, 200),
            resolutionunit=2,
        )
        files[f"{dtype}_gray.tif"] = tiff_file(grey, *accents)
        files[f"{dtype}_big.tif"] = tiff_file(
            rgb, *accents, bigtiff=True, byteorder=">"
        )
        files[f"{dtype}_motorola.tif"] = tiff_file(
            rgb, *accents, *more, byteorder=">", iccprofile=SRGB
        )
        files[f"{dtype}_alpha.tif"] = tiff_file(
            samples(dtype, 4), extrasamples=["unassalpha"]
        )
        turned = (700, 1, len(packet(8)), packet(8))
        files[f"{dtype}_turned.tif"] = tiff_file(rgb, (274, 3, 1, 8), turned)
        files[f"{dtype}_tiles.tif"] = tiff_file(rgb, tile=(16, 16), compression="zlib")
        files[f"{dtype}_lzw.tif"] = lzw_tiff(rgb)
        planar = {"planarconfig": "separate", "compression": "zlib"}
        files[f"{dtype}_planar.tif"] = tiff_file(rgb, **planar)
    picture = PIL.Image.fromarray(samples())
    for name in ("tiff_lzw", "packbits", "zstd", "lzma", "jpeg"):
        files[f"pillow_{name}.tif"] = pillow_tiff(picture, compression=name)
    exif = PIL.Image.Exif()
    exif.load(b"Exif\0\0" + exif_block())
    files["exif.tif"] = pillow_tiff(picture, exif=exif)
    files["palette.tif"] = pillow_tiff(picture.quantize(16))
    files["bits.tif"] = pillow_tiff(picture.convert("1"), compression="group4")
    files["cmyk.tif"] = pillow_tiff(picture.convert("CMYK"))
    return files


def all_files():
    """dict, name -> bytes of a photograph's file."""
    return {**png_files(), **jpeg_files(), **tiff_files()}
