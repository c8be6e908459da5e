"""TIFF of 10, 12 and 14 bits, and of floats of 16 and 64: read as the next wider."""

import struct

import numpy as np
import pytest

from tests.images import photograph_files as made
from tf_defocus.images.files import read_image


def read(folder, name, data):
    (folder / name).write_bytes(data)
    return read_image(folder / name)


def tiff_by_hand(body, entries):
    """A TIFF file of one strip, all of its tags LONG."""
    body += bytes(len(body) % 2)
    entries = sorted({**entries, 273: 8, 279: len(body), 259: 1, 262: 2}.items())
    directory = struct.pack("<H", len(entries))
    for code, value in entries:
        directory += struct.pack("<HHII", code, 4, 1, value)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(body))
    return start + body + directory + bytes(4)


def packed_tiff(values, bits):
    """A TIFF file of levels whose bits share bytes."""
    height, width, channels = values.shape
    places = values[..., None] >> np.arange(bits)[::-1] & 1
    rows = np.packbits(places.reshape(height, -1).astype(np.uint8), axis=1)
    tags = {256: width, 257: height, 258: bits, 277: channels, 278: height}
    return tiff_by_hand(rows.tobytes(), tags)


def predicted_tiff(values):
    """A TIFF file of floats whose bytes are sorted by weight, as differences."""
    height, width, channels = values.shape
    rows = values.astype(values.dtype.newbyteorder(">")).view(np.uint8)
    rows = rows.reshape(height, -1, values.itemsize).swapaxes(1, 2)
    rows = rows.reshape(height, -1, channels)
    stored = np.diff(rows, axis=1, prepend=np.zeros_like(rows[:, :1]))
    tags = {256: width, 257: height, 258: 8 * values.itemsize, 277: channels}
    return tiff_by_hand(stored.tobytes(), tags | {278: height, 317: 3, 339: 3})


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_that_share_bytes_are_widened(tmp_path, bits):
    most = (1 << bits) - 1
    values = np.rint(made.samples("float32") * most).astype(np.uint16)
    image = read(tmp_path, "a.tif", packed_tiff(values, bits))
    np.testing.assert_array_equal(image.pixels, np.rint(values * (65535 / most)))
    assert image.notes == (f"uint{bits} is written as uint16",)
    assert image.bits == (None if bits == 14 else bits)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("make", [made.tiff_file, predicted_tiff])
def test_other_floats_are_read_as_those_of_32_bits(tmp_path, dtype, make):
    values = made.samples("float32").astype(dtype)
    image = read(tmp_path, "a.tif", make(values))
    assert image.pixels.dtype == np.float32
    np.testing.assert_array_equal(image.pixels, values.astype(np.float32))
    assert image.notes == (f"{dtype} is written as float32",)
