"""The colours of a file as sRGB, which the networks know, and back.

Values may leave [0, 1] on the way: a colour that sRGB lacks becomes a value below 0 or
above 1 and is found again from it. Source: IEC 61966-2-1; ITU-T H.273 (CICP); W3C PNG
Specification, Sec. 4.3; Lindbloom, "Chromatic adaptation" (Bradford).
"""

import dataclasses
import itertools
import struct

import numpy as np

from tf_defocus.images import exif, icc
from tf_defocus.images.levels import full_scale

BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
D65, DCI_WHITE = (0.3127, 0.3290), (0.314, 0.351)
# Chromaticities of red, green, blue and white by their number in H.273, Table 2.
PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), DCI_WHITE),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
}
ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), D65)
SRGB_CURVE = icc.Curve(
    parameters=(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0)
)
# Curves by their number in H.273, Table 3. That of video is shown as sRGB.
CURVES = dict.fromkeys((1, 2, 6, 13, 14, 15), SRGB_CURVE)
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
CURVES |= {n: icc.Curve(parameters=(g, 1, 0, 0, 0, 0, 0)) for n, g in GAMMAS.items()}
HIGH_RANGE = {16: "PQ", 18: "HLG"}
CICP = b"cICP"  # of `Image.extras`: primaries, curve, matrix 0, full range 1
SAME = 1.5 / 255  # what differs less from sRGB is a rounded sRGB


@dataclasses.dataclass(frozen=True)
class ColourSpace:
    """Colours of a file.

    Attributes:
        curves: three `icc.Curve`.
        matrix: (3, 3) float64, light of the file to that of sRGB.
    """

    curves: tuple
    matrix: np.ndarray

    def to_srgb(self, pixels):
        """The pixels in sRGB, not clipped.

        Args:
            pixels: (height, width, 3) uint8, uint16 or float32 in [0, 1].

        Returns:
            (height, width, 3) float64.
        """
        channels = [self._light(pixels[..., c], c) for c in range(3)]
        light = np.stack(channels, axis=2) @ self.matrix.T
        return encode_srgb(light)

    def _light(self, levels, channel):
        curve = self.curves[channel]
        if levels.dtype.kind == "f":
            return curve.light(np.clip(levels, 0, 1).astype(np.float64))
        full = full_scale(levels.dtype)
        if levels.size < full:
            return curve.light(levels / full)
        return curve.light(np.arange(full + 1) / full)[levels]

    def from_srgb(self, values):
        """The inverse: (height, width, 3) floats of any range -> floats in [0, 1]."""
        light = decode_srgb(values) @ np.linalg.inv(self.matrix).T
        channels = [curve.levels(light[..., c]) for c, curve in enumerate(self.curves)]
        return np.clip(np.stack(channels, axis=2), 0, 1)

    def is_srgb(self):
        """Whether nothing would change by more than 1.5 levels of 8 bits."""
        grid = np.array(list(itertools.product(np.linspace(0, 1, 9), repeat=3)))
        grid = grid[None].astype(np.float32)
        return float(np.abs(self.to_srgb(grid) - grid).max()) < SAME


def encode_srgb(light):
    """Light as sRGB levels, mirrored below 0 and continued above 1."""
    size = np.abs(light)
    bright = 1.055 * np.power(size, 1 / 2.4) - 0.055
    return np.copysign(np.where(size > 0.0031308, bright, 12.92 * size), light)


def decode_srgb(levels):
    """The inverse of `encode_srgb`."""
    size = np.abs(levels)
    bright = np.power((size + 0.055) / 1.055, 2.4)
    return np.copysign(np.where(size > 0.04045, bright, size / 12.92), levels)


def primaries_to_xyz(primaries, adapted_to=None):
    """(3, 3): light of three primaries to XYZ.

    Args:
        primaries: chromaticities (x, y) of red, green, blue and white.
        adapted_to: XYZ of another white to see them under, or None.
    """
    x, y = np.transpose(primaries)
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    matrix = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
    if adapted_to is None:
        return matrix
    ratio = (BRADFORD @ adapted_to) / (BRADFORD @ xyz[:, 3])
    return np.linalg.inv(BRADFORD) @ np.diag(ratio) @ BRADFORD @ matrix


SRGB_TO_D50 = primaries_to_xyz(PRIMARIES[1], icc.D50)


def space_of(image):
    """The colours that a picture states.

    Args:
        image: `files.Image`.

    Returns:
        `(space, note)`: a `ColourSpace`, None where it is sRGB or not followed; and a
        str that says why it is not followed, or None.
    """
    try:
        space = _stated(image)
    except icc.NotFollowed as error:
        return None, f"its colour profile {error}: it was restored as if it were sRGB"
    return (None if space is None or space.is_srgb() else space), None


def _stated(image):
    if image.icc:
        return _of_profile(image.icc, image.is_gray)
    extras = dict(image.extras) if image.format != "jpeg" else {}
    if CICP in extras:
        return of_numbers(*extras[CICP][:2])
    if b"gAMA" in extras and b"sRGB" not in extras:
        return _of_png(extras)
    return _of_camera(image.exif)


def _of_profile(data, is_gray):
    profile = icc.read_profile(data)
    if profile.matrix is None and not is_gray:
        raise icc.NotFollowed("is one of grey pictures")
    if profile.matrix is None:
        return ColourSpace(profile.curves * 3, np.eye(3))
    return _space(profile.curves, np.linalg.inv(SRGB_TO_D50) @ profile.matrix)


def _space(curves, matrix):
    """A space whose white is that of sRGB, however its numbers were rounded."""
    white = matrix.sum(axis=1, keepdims=True)
    if not ((white > 0.7) & (white < 1.4)).all():
        raise icc.NotFollowed("has no white")
    return ColourSpace(curves, matrix / white)


def of_numbers(primaries, curve):
    """The space of two numbers of H.273; what they leave open is as in sRGB.

    Raises:
        icc.NotFollowed: for numbers that are not followed, such as those of HDR.
    """
    if curve in HIGH_RANGE:
        raise icc.NotFollowed(f"is of high dynamic range ({HIGH_RANGE[curve]})")
    if curve not in CURVES or primaries not in (2, *PRIMARIES):
        raise icc.NotFollowed(f"has the numbers {primaries} and {curve}")
    return _of_primaries(PRIMARIES.get(primaries, PRIMARIES[1]), CURVES[curve])


def _of_primaries(primaries, curve):
    matrix = np.linalg.inv(SRGB_TO_D50) @ primaries_to_xyz(primaries, icc.D50)
    return _space((curve,) * 3, matrix)


def _of_png(extras):
    """PNG's gAMA and cHRM; 1 / 2.2 is what programs write that mean sRGB."""
    gamma = int.from_bytes(extras[b"gAMA"], "big") / 100_000
    if not 0.1 < gamma < 10:
        raise icc.NotFollowed("has no curve")
    curve = icc.Curve(parameters=(1 / gamma, 1, 0, 0, 0, 0, 0))
    if abs(gamma - 0.45455) < 0.005:
        curve = SRGB_CURVE
    numbers = PRIMARIES[1]
    if b"cHRM" in extras:
        white, *others = np.reshape(struct.unpack(">8I", extras[b"cHRM"]), (4, 2)) / 1e5
        numbers = (*others, white)
        if not (np.array(numbers)[:, 1] > 0).all() or _is_flat(numbers):
            raise icc.NotFollowed("has no three primaries")
    return _of_primaries(numbers, curve)


def _is_flat(numbers):
    red, green, blue = np.array(numbers)[:3]
    (a, b), (c, d) = green - red, blue - red
    return abs(a * d - b * c) < 1e-3


def _of_camera(block):
    """Adobe RGB, if a camera says so by the number R03 [DCF 2.0, Sec. 3.2.5]."""
    _, tags = exif.read_tags(block) if block else ("<", {})
    details = tags.get(exif.EXIF_DIRECTORY)
    index = details.get(exif.INTEROPERABILITY) if isinstance(details, dict) else None
    name = index.get(1) if isinstance(index, dict) else None
    if name is None or isinstance(name, dict) or name.data[:3] != b"R03":
        return None
    curve = icc.Curve(parameters=(563 / 256, 1, 0, 0, 0, 0, 0))
    return _of_primaries(ADOBE_RGB, curve)


def profile_of_numbers(primaries, curve):
    """The bytes of an ICC profile for two numbers of H.273, or None for sRGB's.

    Raises:
        icc.NotFollowed: as of `of_numbers`.
    """
    space = of_numbers(primaries, curve)
    if space.is_srgb():
        return None
    tag = icc.parametric_tag(space.curves[0].parameters)
    return icc.make_profile(
        SRGB_TO_D50 @ space.matrix, tag, f"H.273 {primaries}/{curve}"
    )


def rgb_profile(profile):
    """The profile of a grey picture as one of an RGB picture of equal channels."""
    curve = icc.read_profile(profile).curve_data
    return icc.make_profile(SRGB_TO_D50, curve, "grey")
