"""Reduces recorded vectors to what the repository holds.

    python tests/recorded/reduce.py ../reference [NAME.npz ...]

Finds where in the stream of the recorded seed each weight was drawn and how it was
scaled, draws it again, and keeps only what differs. `tests/recorded_vectors.py` says
what a reduced file holds. Takes minutes for all.
"""

import fnmatch
import json
import pathlib
import sys
import zlib

import numpy as np
from scipy import optimize, signal

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import recorded_vectors  # noqa: E402

FOLDER = pathlib.Path(__file__).parent
# What tests feed into layers, by file and key; the rest is only compared.
WHOLE = (
    ("*", "in/*"),
    ("metrics.npz", "*"),
    ("tfa_0_23.npz", "*"),
    ("ebdb*.npz", "edges"),
    ("ebdb*.npz", "luminance"),
    ("ebdb*.npz", "blur_map"),
    ("k3dn_*.npz", "disparity_vector"),
    ("ifan_*n2.npz", "released/train/disparity_warp"),
    ("ifan_n2.npz", "released/eval/f_C"),
    ("ifan_n2.npz", "released/eval/F"),
    ("bambnet_coc.npz", "output"),
    ("gkmnet.npz", "gaussian_bank"),
    ("dmenet.npz", "op/label*"),
    ("nrknet.npz", "op/image_quarter"),
    ("deeprft.npz", "output*"),
    ("srn_*.npz", "output*"),
)
LARGE = 500  # numbers that are found anywhere in the stream
FEWEST = 16  # numbers of a tensor that is looked for in the stream
TERNARY = 0.1  # share of either sign in a ternary kernel
COARSE_GRIDS = (1024, 2048, 4096)
NEAR = 3000  # numbers that are looked past one by one
FEW = 300  # numbers that show whether it is worth to compare all
PALETTE = 3  # times as many values as different ones: kept as indices
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # of PCG64's congruential step
MASK = (1 << 128) - 1


def words_between(start, end):
    """How many 64-bit words lie between two states of one PCG64 stream."""
    current, increment = start["state"]["state"], start["state"]["inc"]
    target, multiplier = end["state"]["state"], MULTIPLIER
    bit, words = 1, 0
    while current != target:
        if (current ^ target) & bit:
            current = (current * multiplier + increment) & MASK
            words |= bit
        increment = (multiplier + 1) * increment & MASK
        multiplier = multiplier * multiplier & MASK
        bit <<= 1
    return words


def grid_of(values):
    """The coarsest grid 1 / n on which all values lie, as n, or 0."""
    grids = (n for n in COARSE_GRIDS if not np.any(values * n % 1))
    return next(grids, 0)


def half_steps(values):
    """How far rounding, after that to float32, may have moved each value."""
    if grid := grid_of(values):
        return np.full(values.shape, 0.5003 / grid)
    return 0.5003 * np.spacing(np.abs(values).astype(np.float16)).astype(np.float64)


def short_number_between(low, high):
    """The decimal of the fewest digits in an interval."""
    for digits in range(1, 17):
        number = float(f"{(low + high) / 2:.{digits}g}")
        if low <= number <= high:
            return number
    return (low + high) / 2


def scale_of(values, numbers):
    """(scale, shift) with values = float16(shift + scale * numbers), or None.

    One value in ten may be another, such as the middle of a kernel with an identity.
    """
    steps = half_steps(values)
    for shift in (0.0, 1.0, *_likely_shifts(values, numbers, steps)):
        offsets = values - shift
        middle = np.median(offsets / numbers)
        close = np.abs(offsets - middle * numbers) < 0.01 * np.abs(offsets) + steps
        if close.mean() < 0.9:
            continue
        ends = [(offsets + side * steps) / numbers for side in (-1, 1)]
        low, high = np.min(ends, axis=0)[close].max(), np.max(ends, axis=0)[close].min()
        if low <= high:
            return short_number_between(low, high), shift
    return None


def _likely_shifts(values, numbers, steps):
    """The shift that some scale allows, in few digits, where there is one."""
    if len(values) > 20000 or abs(np.corrcoef(values, numbers)[0, 1]) < 0.99:
        return
    rows = np.stack([numbers, np.ones_like(numbers)], axis=1)
    limits = np.concatenate([values + steps, steps - values])
    for sign in (1, -1):
        found = optimize.linprog(
            [0, sign], np.concatenate([rows, -rows]), limits, bounds=[(None, None)] * 2
        )
        if not found.success:
            return
        for digits in (2, 3, 5, 9):
            yield float(f"{found.x[1]:.{digits}g}")


class Stream:
    """The recorded seed's stream, and how far it has been read."""

    def __init__(self, seed):
        self.bits = np.random.PCG64(seed)
        self.generator = np.random.Generator(self.bits)
        self.first = self.bits.state
        self.seed = seed
        self.unread = 0  # numbers of tensors that were not looked for

    def find(self, tensor):
        """What `recorded_vectors.draw` takes for a tensor, or None."""
        values = tensor.astype(np.float64).ravel()
        start = self.bits.state
        unread = self.unread if self.unread < NEAR else 0
        likely = range(unread, int(1.03 * unread) + 40)
        for skipped in (*range(16), *likely):
            for kind in ("normal", "uniform", "magnitude"):
                self.bits.state = start
                self.bits.advance(skipped)
                before = words_between(self.first, self.bits.state)
                if not scale_of(values[:FEW], self._numbers(kind, len(values[:FEW]))):
                    continue
                self.bits.state = start
                self.bits.advance(skipped)
                found = scale_of(values, self._numbers(kind, values.size))
                if found:
                    self.unread = 0
                    return kind, before, tensor.shape, *found, grid_of(values)
        self.bits.state = start
        self.unread += values.size
        return None

    def _numbers(self, kind, count):
        if kind == "uniform":
            return self.generator.random(count)
        numbers = self.generator.standard_normal(count)
        return np.abs(numbers) if kind == "magnitude" else numbers

    def find_ternary(self, tensor):
        """As `find`, anywhere in the stream, for signs of uniform numbers."""
        values = tensor.ravel()
        start = words_between(self.first, self.bits.state)
        for near in (256, 1 << 16):
            numbers = self.generator.random(near + len(values[:4000])) - 0.5
            match = signal.fftconvolve(
                numbers, values[:4000][::-1].astype(np.float64), mode="valid"
            )
            draw = "ternary", start + int(match.argmax()), tensor.shape, TERNARY, 0.0, 0
            if np.array_equal(recorded_vectors.draw(self.seed, *draw), tensor):
                break
            self.bits.state = self.first
            self.bits.advance(start)
        else:
            raise ValueError("Expected signs of the stream's numbers")
        self.bits.state = self.first
        self.bits.advance(draw[1] + tensor.size)
        self.unread = 0
        return draw

    def find_far(self, tensor, total):
        """As `find`, anywhere in the stream, for a large tensor of normal numbers."""
        if tensor.size < LARGE:
            return None
        start, unread = self.bits.state, self.unread
        self.go_to(tensor, total)
        self.unread = 0
        found = self.find(tensor)
        if not found:
            self.bits.state, self.unread = start, unread
        return found

    def go_to(self, tensor, total):
        """Moves to just before a tensor of normal numbers, past what came first."""
        values = tensor.astype(np.float64).ravel()[:4000]
        length = 2 * total + 100000
        numbers = np.random.default_rng(self.seed).standard_normal(length)
        match = signal.fftconvolve(numbers, values[::-1], mode="valid")
        self.bits.state = self.first
        self.generator.standard_normal(int(np.abs(match).argmax()))


def draws_of(vectors, seed):
    """dict, key -> arguments of `draw`, of the weights that can be drawn again."""
    kinds = (np.float32, np.int8)
    keys = [k for k in vectors.files if k[:2] == "w/" and vectors[k].dtype in kinds]
    stream, found = Stream(seed), {}
    total = sum(vectors[k].size for k in vectors.files if k[:2] in ("w/", "in"))
    large = [k for k in keys if vectors[k].size >= LARGE]
    if large and vectors[large[0]].dtype == np.float32:
        stream.go_to(vectors[large[0]], total)
        keys = keys[keys.index(large[0]) :]
    for key in keys:
        tensor = vectors[key]
        if tensor.size < FEWEST:
            stream.unread += tensor.size
        elif tensor.dtype == np.int8:
            found[key] = stream.find_ternary(tensor)
        elif draw := stream.find(tensor) or stream.find_far(tensor, total):
            found[key] = draw
    return found


def corrections(key, draw, seed, tensor):
    """Entries for the few numbers that another rounding gave."""
    drawn = recorded_vectors.draw(seed, *draw)
    at = np.flatnonzero(drawn != tensor)
    if not at.size:
        return {}
    values = tensor.ravel()[at].astype(np.float16)
    return {f"at/{key}": at.astype(np.int32), f"is/{key}": values}


def pack(key, array):
    """Entries of the file for an array that is kept whole, in the fewest bytes."""
    half = array.astype(np.float16) if array.dtype == np.float32 else None
    if half is not None and np.array_equal(half.astype(np.float32), array):
        return {f"half/{key}": half}
    values, indices = np.unique(array, return_inverse=True)
    if array.dtype == np.float32 and PALETTE * len(values) < array.size:
        kind = np.uint8 if len(values) <= 256 else np.uint16
        indices = indices.reshape(array.shape).astype(kind)
        return {f"palette/{key}": indices, f"values/{key}": values}
    return {f"whole/{key}": array}


def is_whole(name, key):
    """Whether a test needs every value of a tensor."""
    return any(
        fnmatch.fnmatch(name, file) and fnmatch.fnmatch(key, pattern)
        for file, pattern in WHOLE
    )


def reduce(path):
    """Writes the reduced copy of a recorded file; returns a line about it."""
    vectors = np.load(path, allow_pickle=False)
    meta = json.loads(str(vectors["meta"])) if "meta" in vectors.files else {}
    draws = draws_of(vectors, meta["seed"]) if "seed" in meta else {}
    entries, samples = {}, {}
    for key, draw in draws.items():
        entries |= corrections(key, draw, meta["seed"], vectors[key])
    for key in vectors.files:
        array = vectors[key]
        if key == "meta" or key in draws:
            continue
        compared = not key.startswith("w/") and not is_whole(path.name, key)
        if compared and array.size > recorded_vectors.NUM_SAMPLES:
            kept = array.ravel()[recorded_vectors.positions(array.size)]
            entries[f"samples/{key}"] = kept
            samples[key] = array.shape, float(np.abs(array).max())
        else:
            entries |= pack(key, array)
    sums = {key: zlib.crc32(vectors[key].tobytes()) for key in draws}
    description = {
        "keys": vectors.files,
        "meta": meta,
        "seed": meta.get("seed"),
        "draws": {key: (*draw, sums[key]) for key, draw in draws.items()},
        "samples": samples,
    }
    target = FOLDER / path.name
    np.savez_compressed(target, description=json.dumps(description), **entries)
    weights = [k for k in vectors.files if k.startswith("w/")]
    kept = sum(vectors[k].size for k in weights if k not in draws)
    return f"{path.name}: {target.stat().st_size} bytes, {kept} weights kept as numbers"


def main():
    """Reduces the files that are named, or all."""
    source = pathlib.Path(sys.argv[1])
    names = sys.argv[2:] or sorted(path.name for path in source.glob("*.npz"))
    for name in names:
        print(reduce(source / name), flush=True)


if __name__ == "__main__":
    main()
