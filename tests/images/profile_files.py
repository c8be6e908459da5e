"""Colour profiles made by hand from published numbers: wide, linear, grey."""

import struct

import numpy as np

# XYZ at D50 of red, green and blue, as the profiles of their makers state them.
PRIMARIES = {
    "srgb": (
        (0.43607, 0.22249, 0.01392),
        (0.38515, 0.71687, 0.09708),
        (0.14307, 0.06061, 0.7141),
    ),
    "p3": (
        (0.51512, 0.2412, -0.00105),
        (0.29198, 0.69225, 0.04189),
        (0.1571, 0.06657, 0.78407),
    ),
    "adobe": (
        (0.60974, 0.31111, 0.01947),
        (0.20528, 0.62567, 0.06087),
        (0.14919, 0.06322, 0.74457),
    ),
    "prophoto": (
        (0.79767, 0.28804, 0.0),
        (0.13519, 0.71188, 0.0),
        (0.03134, 0.00009, 0.82491),
    ),
}


def numbers(values):
    return np.rint(np.array(values) * 65536).astype(">i4").tobytes()


def gamma(value):
    """A curve of version 2: one number of 8 bits before and behind the point."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * value))


def table(function, count=1024):
    levels = np.rint(65535 * function(np.linspace(0, 1, count))).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", count) + levels.tobytes()


def parametric(kind, *values):
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + numbers(values)


def srgb_light(x):
    return np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
LINEAR = b"curv\0\0\0\0" + bytes(4)


def packed(tags, space=b"RGB ", version=4):
    """A profile of these tags, one of each name."""
    head, body, position = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        head += struct.pack(">4sII", name, position + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = position + len(body)
    start = struct.pack(">I4xBxxx4s4s4s", size, version, b"mntr", space, b"XYZ ")
    start = start.ljust(36, b"\0") + b"acsp"
    start = start.ljust(68, b"\0") + numbers((0.9642, 1.0, 0.8249))
    return start.ljust(128, b"\0") + struct.pack(">I", len(tags)) + head + body


def profile(primaries="srgb", curve=SRGB_CURVE, version=4, more=()):
    tags = {b"wtpt": b"XYZ \0\0\0\0" + numbers((0.9642, 1.0, 0.8249))}
    for name, values in zip((b"r", b"g", b"b"), PRIMARIES[primaries]):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + numbers(values)
        tags[name + b"TRC"] = curve
    return packed(tags | dict(more), version=version)


def grey_profile(curve):
    return packed({b"kTRC": curve}, b"GRAY")


PROFILES = {
    "p3": profile("p3"),
    "p3_version_2": profile("p3", table(srgb_light), version=2),
    "adobe": profile("adobe", gamma(563 / 256), version=2),
    "prophoto": profile("prophoto", gamma(1.8)),
    "linear": profile("srgb", LINEAR),
    "linear_prophoto": profile("prophoto", parametric(0, 1.0)),
}
