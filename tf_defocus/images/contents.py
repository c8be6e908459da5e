"""Photographs as the bytes of their files, for programs that send and receive them."""

import io
from collections.abc import Callable

from tf_defocus.images import files, kinds
from tf_defocus.images.files import Image
from tf_defocus.images.refusals import Damaged, Refused

SENT = ("png", "jpeg", "tiff")


def read_content(data: bytes, check_size: Callable[[int, int], None]) -> Image:
    """The photograph in the bytes of a PNG, JPEG or TIFF file.

    Args:
        data: the whole file.
        check_size: called with the width and height [px] that the header states, before
            anything is decoded; raises for what is too large.

    Returns:
        An `Image`.

    Raises:
        Refused: for bytes that are no such file, damaged, cut off, animated or of a
            kind that is not read; and whatever `check_size` raises.
    """
    kind = kinds.format_of_bytes(data[: kinds.LONGEST_START])
    if kind not in SENT:
        found = f"{kind} data" if kind else f"{len(data)} bytes of no image file"
        raise Refused(f"expected a PNG, JPEG or TIFF file; received {found}")
    try:
        return files.upright_image(
            kind, **files.READERS[kind](io.BytesIO(data), check_size)
        )
    except MemoryError as error:
        raise Damaged("it needs more memory than there is") from error


def write_content(image: Image, kind: str) -> bytes:
    """The bytes of a file with the photograph and what it holds besides.

    Args:
        image: an `Image`, at a depth that the format has: see `files.convert_for`.
        kind: "png", "jpeg" or "tiff".

    Returns:
        The whole file.
    """
    file = io.BytesIO()
    files.encode(file, kind, image)
    return file.getvalue()
