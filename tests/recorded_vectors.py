"""Recorded vectors made small enough for the repository, read as if they were whole.

The authors' programs were run with random weights, which came from NumPy's generator:
tensor by tensor the next numbers of one stream, times a scale, rounded to half
precision. A reduced file holds the seed and, per tensor, where it starts in the stream
and how it is scaled, so that the weights are drawn again to the last bit. Of a result
it holds some hundred values at fixed positions, its shape and its largest magnitude.
What a test feeds into a layer is kept whole. `tests/recorded/reduce.py` makes them.

Keys of a reduced `.npz`, beside `description` (JSON):

    half/KEY       the array, exact in float16
    palette/KEY    indices into values/KEY
    whole/KEY      the array as it was
    samples/KEY    values at `positions(size)`
    at/KEY, is/KEY numbers of drawn weights that were rounded otherwise
"""

import dataclasses
import json
import zlib

import numpy as np

NUM_SAMPLES = 96
GOLDEN_RATIO = 0.6180339887498949  # its multiples spread evenly over any range


@dataclasses.dataclass(frozen=True)
class Samples:
    """Some values of a recorded tensor.

    Attributes:
        values: (samples,) float32.
        shape: tuple of int, of the tensor.
        largest: float, its largest magnitude.
    """

    values: np.ndarray
    shape: tuple
    largest: float

    def of(self, tensor):
        """The same values of another tensor of that shape."""
        return np.ravel(tensor)[positions(int(np.prod(self.shape)))]


def positions(size):
    """Where `Samples` of a tensor of that size lie in it, (samples,) int, sorted."""
    fractions = np.arange(NUM_SAMPLES) * GOLDEN_RATIO % 1
    return np.unique((fractions * size).astype(np.int64))


def draw(seed, kind, start, shape, scale, shift, grid=0):
    """One tensor of the stream: shift + scale * numbers, rounded.

    Args:
        seed: int, of NumPy's PCG64.
        kind: "normal", "uniform", "magnitude" (of normal numbers), or "ternary": int8,
            -1 and 1 for the share `scale` of smallest and of largest uniform numbers.
        start: int, how many 64-bit words of the stream precede it.
        shape: tuple of int.
        scale, shift: float.
        grid: int, rounded to multiples of 1 / grid; 0: to half precision.

    Returns:
        float32 array, int8 if ternary.
    """
    stream = np.random.PCG64(seed)
    stream.advance(start)
    generator = np.random.Generator(stream)
    if kind == "ternary":
        numbers = generator.random(shape)
        return (numbers > 1 - scale).astype(np.int8) - (numbers < scale)
    uniform = kind == "uniform"
    numbers = (generator.random if uniform else generator.standard_normal)(shape)
    if kind == "magnitude":
        numbers = np.abs(numbers)
    scaled = (shift + scale * numbers).astype(np.float32)
    if grid:
        return (np.rint(scaled * np.float32(grid)) / grid).astype(np.float32)
    return scaled.astype(np.float16).astype(np.float32)


class ReducedVectors:
    """A reduced file under the interface of the whole one (mapping name -> array).

    Args:
        path: path of the `.npz`.

    Raises:
        ValueError: when drawing, if NumPy's stream gives other weights than recorded.
    """

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as stored:
            self._stored = dict(stored)
        self._description = json.loads(str(self._stored.pop("description")))
        self._kinds = {
            name.partition("/")[2]: name.partition("/")[0]
            for name in self._stored
            if name.partition("/")[0] not in ("values", "at", "is")
        }

    @property
    def files(self):
        """Every key, in the recorded order."""
        return self._description["keys"]

    def __contains__(self, key):
        return key in self.files

    def __getitem__(self, key):
        if key == "meta":
            return json.dumps(self._description["meta"])
        if key in self._description["draws"]:
            return self._drawn(key)
        kind = self._kinds[key]
        stored = self._stored[f"{kind}/{key}"]
        if kind == "half":
            return stored.astype(np.float32)
        if kind == "palette":
            return self._stored[f"values/{key}"][stored]
        if kind == "samples":
            return Samples(stored, *self._shape_and_largest(key))
        return stored

    def _shape_and_largest(self, key):
        shape, largest = self._description["samples"][key]
        return tuple(shape), largest

    def _drawn(self, key):
        *how, checksum = self._description["draws"][key]
        tensor = draw(self._description["seed"], *how)
        if f"at/{key}" in self._stored:
            tensor.flat[self._stored[f"at/{key}"]] = self._stored[f"is/{key}"]
        if zlib.crc32(tensor.tobytes()) != checksum:
            raise ValueError(
                f"{key} is not drawn again as it was recorded; NumPy "
                f"{np.__version__} has another stream than 2.x had"
            )
        return tensor
