"""ICC profiles of three primaries and their curves, or of one grey curve.

Such a profile is a function that can be followed forth and back exactly; profiles that
are tables of colours (printers, some scanners) are told apart. LittleCMS, as Pillow
offers it, converts 8 bits only. Source: ICC.1:2022, Sec. 7.2, 9.2, 10.6 and 10.18.
"""

import dataclasses
import math
import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])  # white of the connection space
MOST_TAGS = 200
MOST_STEPS = 1 << 16  # of a curve
TABLES = (b"A2B0", b"A2B1", b"D2B0", b"D2B1")
SPACES = {b"RGB ": "RGB", b"GRAY": "grey"}
NUM_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}


class NotFollowed(ValueError):
    """Why a profile is not followed."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """Levels to light, both from 0 to 1.

    Attributes:
        steps: increasing array of light at even distances of levels, or None.
        parameters: g, a, b, c, d, e, f of [ICC.1 Table 68]:
            (a x + b)^g + e from d on, c x + f below.
    """

    steps: np.ndarray | None = None
    parameters: tuple = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def light(self, levels):
        """float64 array in [0, 1] -> float64 array."""
        if self.steps is not None:
            return np.interp(levels, np.linspace(0, 1, len(self.steps)), self.steps)
        g, a, b, c, d, e, f = self.parameters
        bright = np.maximum(a * levels + b, 0) ** g + e
        return np.where(levels >= d, bright, c * levels + f)

    def levels(self, light):
        """The inverse of `light`; what lies outside its range gives 0 or 1."""
        if self.steps is not None:
            return np.interp(light, self.steps, np.linspace(0, 1, len(self.steps)))
        g, a, b, c, d, e, f = self.parameters
        bright = (np.maximum(light - e, 0) ** (1 / g) - b) / a
        below = (light - f) / c if c else np.zeros_like(light)
        edge = max(a * d + b, 0) ** g + e
        return np.clip(np.where(light >= edge, bright, below), 0, 1)


@dataclasses.dataclass(frozen=True)
class Profile:
    """What a profile says.

    Attributes:
        curves: one `Curve` for grey, or three.
        matrix: (3, 3) float64, light of the primaries to XYZ at D50; None for grey.
        curve_data: bytes of the first curve's tag.
    """

    curves: tuple
    matrix: np.ndarray | None
    curve_data: bytes


def read_profile(data):
    """The `Profile` in the bytes of one.

    Raises:
        NotFollowed: for profiles of another kind, and damaged ones.
    """
    tags = _tags(data)
    space = data[16:20]
    if space not in SPACES:
        name = space.decode("latin-1").strip()
        raise NotFollowed(
            f"is one of {name if name.isprintable() else 'other'} colours"
        )
    if any(name in tags for name in TABLES):
        raise NotFollowed("is a table of colours")
    names = (b"kTRC",) if space == b"GRAY" else (b"rTRC", b"gTRC", b"bTRC")
    if any(name not in tags for name in names):
        raise NotFollowed("lacks its curves")
    curves = tuple(_curve(tags[name]) for name in names)
    if space == b"GRAY":
        return Profile(curves, None, tags[names[0]])
    matrix = np.stack([_xyz(tags.get(n, b"")) for n in (b"rXYZ", b"gXYZ", b"bXYZ")], 1)
    if not abs(np.linalg.det(matrix)) > 1e-4:
        raise NotFollowed("has no three primaries")
    return Profile(curves, matrix, tags[names[0]])


def _tags(data):
    if len(data) < 132 or data[36:40] != b"acsp":
        raise NotFollowed("is damaged")
    (count,) = struct.unpack(">I", data[128:132])
    if count > MOST_TAGS or 132 + 12 * count > len(data):
        raise NotFollowed("is damaged")
    tags = {}
    for index in range(count):
        name, start, length = struct.unpack_from(">4sII", data, 132 + 12 * index)
        if start + length > len(data):
            raise NotFollowed("is damaged")
        tags.setdefault(name, data[start : start + length])
    return tags


def _fixed(data):
    """Numbers of 16 bits before and 16 behind the point."""
    return np.frombuffer(data, ">i4").astype(np.float64) / 65536


def _xyz(data):
    if data[:4] != b"XYZ " or len(data) < 20:
        raise NotFollowed("lacks its primaries")
    return _fixed(data[8:20])


def _curve(data):
    if data[:4] == b"para":
        return _parametric(data)
    if data[:4] != b"curv" or len(data) < 12:
        raise NotFollowed("has damaged curves")
    (count,) = struct.unpack(">I", data[8:12])
    if count > MOST_STEPS or 12 + 2 * count > len(data):
        raise NotFollowed("has damaged curves")
    values = np.frombuffer(data, ">u2", count, 12).astype(np.float64)
    if count == 0:
        return Curve()
    if count == 1:
        return _checked((values[0] / 256, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    steps = values / 65535
    if (np.diff(steps) < 0).any() or steps[-1] - steps[0] < 0.5:
        raise NotFollowed("has curves that cannot be followed back")
    return Curve(steps)


def _parametric(data):
    kind = int.from_bytes(data[8:10], "big") if len(data) >= 12 else None
    count = NUM_PARAMETERS.get(kind)
    if count is None or len(data) < 12 + 4 * count:
        raise NotFollowed("has damaged curves")
    g, *more = (float(value) for value in _fixed(data[12 : 12 + 4 * count]))
    if kind == 0:
        return _checked((g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    a, b, *more = more
    if kind in (1, 2):  # constant below -b / a
        offset = more[0] if kind == 2 else 0.0
        return _checked((g, a, b, 0.0, -b / a if a else 0.0, offset, offset))
    c, d, *more = more
    return _checked((g, a, b, c, d, *(more or (0.0, 0.0))))


def _checked(parameters):
    """A curve that rises from about 0 to about 1, or none."""
    g, a = parameters[:2]
    curve = Curve(parameters=parameters)
    if not (math.isfinite(g) and 0.1 < g < 10 and a > 0.1):
        raise NotFollowed("has curves that cannot be followed back")
    light = curve.light(np.linspace(0, 1, 257))
    if (np.diff(light) < 0).any() or not (light[0] < 0.1 and 0.5 < light[-1] < 2):
        raise NotFollowed("has curves that cannot be followed back")
    return curve


def make_profile(matrix, curve_data, name):
    """The bytes of an RGB profile, version 4.

    Args:
        matrix: (3, 3), light of the primaries to XYZ at D50.
        curve_data: bytes, the tag of the curve that all three have.
        name: str, what programs show.
    """
    text = name.encode("utf-16-be")
    named = b"mluc" + struct.pack(">4xII4sII", 1, 12, b"enUS", len(text), 28) + text
    tags = {b"desc": named, b"cprt": named, b"wtpt": _xyz_tag(D50)}
    for channel, column in zip((b"r", b"g", b"b"), np.transpose(matrix)):
        tags[channel + b"XYZ"] = _xyz_tag(column)
        tags[channel + b"TRC"] = curve_data
    head, body, position = [], [], 132 + 12 * len(tags)
    for tag, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        head.append(struct.pack(">4sII", tag, position, len(data)))
        body.append(padded)
        position += len(padded)
    start = struct.pack(">I4xI4s4s4s", position, 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    date = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    start += date + b"acsp" + bytes(28) + _xyz_tag(D50)[8:]
    start += bytes(128 - len(start)) + struct.pack(">I", len(tags))
    return start + b"".join(head + body)


def _xyz_tag(values):
    fixed = np.rint(np.asarray(values) * 65536).astype(">i4")
    return b"XYZ \0\0\0\0" + fixed.tobytes()


def parametric_tag(parameters):
    """The tag of a curve of seven parameters, see `Curve`."""
    fixed = np.rint(np.array(parameters) * 65536).astype(">i4")
    return b"para\0\0\0\0\0\4\0\0" + fixed.tobytes()
