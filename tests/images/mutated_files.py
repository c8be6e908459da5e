"""Photographs' files damaged at random, and what reading and writing them comes to.

    python -m tests.images.mutated_files --count 20000

prints what other exceptions than `ImageFileError` there were, the slowest file and the
peak of memory; it exits with 1 if one of them is out of bounds.
"""

import argparse
import collections
import pathlib
import re
import struct
import sys
import tempfile
import time
import traceback
import zlib

import numpy as np

from tests.images import modern_files
from tf_defocus.images.files import convert_for, read_image, write_image
from tf_defocus.images.refusals import ImageFileError

EXTREMES = (
    0,
    1,
    2,
    3,
    7,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    1 << 31,
)
EXTREMES += (0xFFFFFFFE, 0xFFFFFFFF, 1 << 24, 1 << 16)
WRITTEN = (".written.png", ".written.tif", ".written.jpg")
WRITTEN += (".written.webp", ".written.avif", ".written.heic", ".written.bmp")
# Boxes and chunks of AVIF, HEIC and WebP whose numbers decoders act on.
BOXES = re.compile(rb"ftyp|meta|pitm|iloc|iinf|infe|iref|ipma|ipco|ispe|pixi|hvcC|av1C")
CHUNKS = re.compile(BOXES.pattern + rb"|irot|imir|clap|colr|auxC|VP8X|VP8L|VP8 |ALPH")
SLOWEST = 5.0  # [s]
MOST_MEMORY = 1 << 30  # bytes


def mutations(count, seed=0, endings=""):
    """Yields (name, bytes) of `count` damaged files, the same for the same seed."""
    rng = np.random.default_rng(seed)
    seeds = sorted(modern_files.all_files().items())
    seeds = [file for file in seeds if file[0].endswith(endings)]
    for index in range(count):
        name, data = seeds[rng.integers(len(seeds))]
        other = seeds[rng.integers(len(seeds))][1]
        for _ in range(rng.integers(1, 4)):
            data = _damage(bytearray(data), other, name, rng)
        yield f"{index}_{name}", bytes(data)


def _damage(data, other, name, rng):
    kinds = [_flip, _extreme, _extreme, _cut, _repeat, _remove, _splice]
    kinds += [_in_structure] * 5
    return kinds[rng.integers(len(kinds))](data, other, name, rng)


def _flip(data, other, name, rng):
    for place in rng.integers(0, len(data), rng.integers(1, 20)):
        data[place] = rng.integers(256)
    return data


def _extreme(data, other, name, rng):
    """An extreme number, mostly near the start, where headers are."""
    end = len(data) if rng.random() < 0.3 else min(len(data), 400)
    _write_extreme(data, rng.integers(0, end), rng)
    return data


def _write_extreme(data, place, rng):
    width = int(rng.choice((1, 2, 4, 8)))
    value = EXTREMES[rng.integers(len(EXTREMES))] % (1 << 8 * width)
    order = "little" if rng.random() < 0.5 else "big"
    data[place : place + width] = value.to_bytes(width, order)


def _cut(data, other, name, rng):
    return data[: rng.integers(1, len(data) + 1)]


def _repeat(data, other, name, rng):
    start, end = sorted(rng.integers(0, len(data) + 1, 2))
    return data[:end] + data[start:end] + data[end:]


def _remove(data, other, name, rng):
    start, length = rng.integers(0, len(data)), rng.integers(1, 64)
    return data[:start] + data[start + length :] or bytearray(b"\0")


def _splice(data, other, name, rng):
    start = rng.integers(0, len(data))
    return data[:start] + other[rng.integers(0, len(other)) :]


def _in_structure(data, other, name, rng):
    """Damage inside a chunk, tag or segment that leaves its surroundings whole."""
    if name.endswith(".png"):
        return _in_chunk(data, rng)
    if name.endswith((".tif", ".dng")):
        return _in_tag(data, rng)
    if name.endswith((".avif", ".heic", ".heif", ".webp")):
        markers = [match.start() + 3 for match in CHUNKS.finditer(data)]
    elif name.endswith(".bmp"):
        markers = [0, 9, 13, 25, 40]
    else:
        markers = [
            i for i in range(len(data) - 8) if data[i] == 0xFF and data[i + 1] >= 0xC0
        ]
    if markers:
        place = markers[rng.integers(len(markers))]
        _write_extreme(data, place + rng.integers(1, 24), rng)
    return data


def _in_chunk(data, rng):
    position, chunks = 8, []
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        chunks.append((position, length))
        position += 12 + length
    if not chunks:
        return data
    position, length = chunks[rng.integers(len(chunks))]
    body = data[position + 4 : position + 8 + length]
    _write_extreme(body, rng.integers(0, len(body)), rng)
    made = struct.pack(">I", len(body) - 4) + body if len(body) >= 4 else b""
    made += zlib.crc32(body).to_bytes(4, "big")
    return data[:position] + made + data[position + 12 + length :]


def _in_tag(data, rng):
    order = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order) or 16
    if start + 2 > len(data):
        return data
    count = int.from_bytes(data[start : start + 2], order) or 1
    place = start + 2 + 12 * int(rng.integers(min(count, 40)))
    field, width = ((0, 2), (2, 2), (4, 4), (8, 4), (8, 2))[rng.integers(5)]
    value = EXTREMES[rng.integers(len(EXTREMES))] % (1 << 8 * width)
    data[place + field : place + field + width] = value.to_bytes(width, order)
    return data


def try_all(count, seed, folder, endings=""):
    """Reads every mutation, and writes what can be read, in one format after another.

    Args:
        count, seed: int.
        folder: path, for the files.
        endings: str or tuple of str, of the names of the files that are damaged.

    Returns:
        `(outcomes, slowest)`: a Counter of "read", "refused" and of the last line of
        other exceptions, and (seconds, name).
    """
    outcomes, slowest = collections.Counter(), (0.0, "")
    for name, data in mutations(count, seed, endings):
        path = pathlib.Path(folder) / name
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            image = read_image(path)
            target = path.with_suffix(WRITTEN[outcomes["read"] % len(WRITTEN)])
            write_image(target, convert_for(image, target))
            target.unlink()
            outcome = "read"
        except ImageFileError:
            outcome = "refused"
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{pathlib.Path(place.filename).name}:{place.lineno}"
            outcome = f"{type(error).__name__} at {where}: {error} ({name})"
        slowest = max(slowest, (time.perf_counter() - start, name))
        outcomes[outcome] += 1
        if outcome in ("read", "refused"):
            path.unlink()
    return outcomes, slowest


def peak_memory():
    """The most memory this process has had, in bytes."""
    status = pathlib.Path("/proc/self/status").read_text()  # rusage keeps the parent's
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--endings", nargs="*", default=[""], help="such as .avif")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="mutated_")
    outcomes, slowest = try_all(
        options.count, options.seed, folder, tuple(options.endings)
    )
    for outcome, number in outcomes.most_common():
        print(f"{number:6d} {outcome}")
    print(f"slowest: {slowest[0]:.2f} s, {slowest[1]}")
    print(f"peak of memory: {peak_memory() / 1e6:.0f} MB; failures kept in {folder}")
    unexpected = set(outcomes) - {"read", "refused"}
    bad = unexpected or slowest[0] > SLOWEST or peak_memory() > MOST_MEMORY
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
