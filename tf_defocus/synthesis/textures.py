"""Sharp textures and outlines: what a synthetic scene is painted with.

Every function draws from the generator it is given and from nothing else, so a texture
is a function of the seed. Textures are sRGB-encoded; scenes make them linear. This file
knows nothing of depth, lenses or layers.
"""

import dataclasses
import pathlib

import cv2
import numpy as np

SEGMENTS_SUFFIX = "_segments.png"
PHOTO_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
MAX_PHOTO_BYTES = 1 << 28
_SUPERSAMPLING = 2


def power_law_radii(rng, count, radius_range):
    """Radii [px] with density proportional to r^-3, the scale-invariant law.

    Args:
        rng: numpy.random.Generator.
        count: int.
        radius_range: pair of floats [px], smallest and largest radius.

    Returns:
        (count,) float64.

    Reference:
        Lee, Mumford, Huang, "Occlusion Models for Natural Images", IJCV 2001.
    """
    smallest, largest = radius_range
    low, high = largest**-2.0, smallest**-2.0
    return rng.uniform(low, high, count) ** -0.5


def fractal_noise(rng, height, width, exponent=1.2):
    """Gaussian noise with an amplitude spectrum of 1/f^exponent.

    Returns:
        (height, width) float32, zero mean, unit standard deviation.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(
        np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    )
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency**exponent, s=(height, width))
    return (noise / noise.std()).astype(np.float32)


def smooth_field(rng, height, width, sigma):
    """A random field without detail finer than `sigma` [px], affinely in [0, 1].

    Returns:
        (height, width) float32; smallest value 0, largest 1.
    """
    noise = rng.standard_normal((height, width)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    low, high = field.min(), field.max()
    return (field - low) / (high - low)


def dead_leaves(rng, height, width, radius_range=None):
    """Opaque textured discs, ellipses and rectangles fallen on one another.

    The radii follow r^-3, so edges and occlusions have the statistics of photographs at
    every scale. Each leaf has its own colour, contrast of fractal texture and shading.

    Args:
        rng: numpy.random.Generator.
        height, width: int [px].
        radius_range: pair of floats [px]; default from 2 px to half the larger side.

    Returns:
        (height, width, 3) float32 in [0, 1], sRGB-encoded.

    Reference:
        Lee, Mumford, Huang, "Occlusion Models for Natural Images", IJCV 2001.
    """
    smallest, largest = radius_range or (2.0, max(height, width) / 2)
    size = (height * _SUPERSAMPLING, width * _SUPERSAMPLING)
    # enough leaves that the expected number over a pixel is about five
    mean_area = (
        2 * np.pi * np.log(largest / smallest) / (smallest**-2.0 - largest**-2.0)
    )
    count = int(np.clip(5 * height * width / mean_area, 1, 40_000))
    radii = power_law_radii(rng, count, (smallest, largest)) * _SUPERSAMPLING
    labels = np.zeros(size, np.int32)
    for label, radius in enumerate(radii, start=1):
        _drop_leaf(rng, labels, radius, label)
    image = _paint_leaves(rng, labels, count + 1)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _drop_leaf(rng, labels, radius, label):
    """Draws one leaf at a random place, shape and angle into `labels`."""
    height, width = labels.shape
    centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
    angle, aspect = rng.uniform(0, 180), rng.uniform(0.35, 1.0)
    if rng.random() < 0.6:
        axes = (max(1, round(radius)), max(1, round(radius * aspect)))
        cv2.ellipse(labels, centre, axes, angle, 0, 360, label, cv2.FILLED)
    else:
        box = (centre, (2 * radius, 2 * radius * aspect), angle)
        corners = np.round(cv2.boxPoints(box)).astype(int)
        cv2.fillConvexPoly(labels, corners, label)


def _paint_leaves(rng, labels, count):
    """Colours, texture contrast and shading for every label."""
    height, width = labels.shape
    # hues scatter about a common cast less than grey levels do, as in photographs
    cast = rng.normal(0, 0.06, 3)
    chroma = cast + rng.normal(0, 1, (count, 3)) * rng.gamma(1.5, 0.07, (count, 1))
    colours = np.clip(rng.beta(1.2, 1.4, (count, 1)) + chroma, 0, 1)
    contrast = (rng.random(count) ** 2 * 0.25).astype(np.float32)
    shading = rng.normal(0, 0.12, (count, 2)).astype(np.float32)
    noise = fractal_noise(rng, height, width, rng.uniform(0.8, 1.6))
    ramp_y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    ramp_x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    detail = contrast[labels] * noise
    detail += shading[labels, 0] * ramp_y + shading[labels, 1] * ramp_x
    return np.clip(colours.astype(np.float32)[labels] + detail[..., None], 0, 1)


def checkerboard(height, width, period, angle=0.0):
    """Antialiased squares of `period` / 2 px, turned by `angle` [rad].

    Returns:
        (height, width, 3) float32 in [0, 1].
    """
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    wave = np.sin(2 * np.pi * along / period) * np.sin(2 * np.pi * across / period)
    # a slope of one grey level per pixel at the zero crossings
    return _grey(np.clip(0.5 + wave * period / (2 * np.pi), 0, 1))


def siemens_star(height, width, spokes=36):
    """A star of `spokes` black and white sectors about the centre.

    Returns:
        (height, width, 3) float32 in [0, 1].
    """
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    wave = np.sin(spokes * np.arctan2(y, x))
    return _grey(np.clip(0.5 + wave * np.hypot(x, y) / spokes, 0, 1))


def _grey(image):
    return np.repeat(image.astype(np.float32)[..., None], 3, axis=-1)


def glyphs(rng, height, width):
    """Lines of random characters, in one ink on one paper.

    Returns:
        (height, width, 3) float32 in [0, 1], sRGB-encoded.
    """
    coverage = np.zeros((height, width), np.uint8)
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_PLAIN)
    baseline = 0
    while baseline < height:
        scale = rng.uniform(0.4, 1.6)
        baseline += round(30 * scale)
        characters = rng.integers(33, 127, max(4, width // 10)).astype(np.uint8)
        text = bytes(characters).decode("ascii")
        font = fonts[rng.integers(len(fonts))]
        start = (int(rng.integers(-10, 10)), baseline)
        thickness = int(rng.integers(1, 3))
        cv2.putText(coverage, text, start, font, scale, 255, thickness, cv2.LINE_AA)
    ink, paper = rng.random((2, 3)).astype(np.float32)
    return paper + (ink - paper) * (coverage[..., None] / np.float32(255))


def procedural_texture(rng, height, width):
    """One of the textures above; mostly dead leaves.

    Returns:
        (height, width, 3) float32 in [0, 1], sRGB-encoded.
    """
    kind = rng.choice(["leaves", "glyphs", "board", "star"], p=[0.8, 0.1, 0.05, 0.05])
    if kind == "leaves":
        return dead_leaves(rng, height, width)
    if kind == "glyphs":
        return glyphs(rng, height, width)
    if kind == "board":
        return checkerboard(height, width, rng.uniform(6, 40), rng.uniform(0, np.pi))
    return siemens_star(height, width, int(rng.integers(8, 60)))


def outline(rng, height, width):
    """The antialiased matte of one object: bar, ellipse, polygon or letter.

    Returns:
        (height, width) float32 in [0, 1]; 1 inside the object.
    """
    matte = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)
    size = np.array([width, height]) * _SUPERSAMPLING
    centre = rng.uniform(0.15, 0.85, 2) * size
    scale = rng.uniform(0.2, 0.5) * size.min()
    kind = rng.choice(["bar", "ellipse", "polygon", "letter"], p=[0.4, 0.2, 0.3, 0.1])
    if kind == "bar":  # poles, rails and trunks cross the whole frame
        extent = (float(rng.uniform(0.03, 0.3) * size.min()), float(4 * size.max()))
        turn = float(rng.normal(0, 15) + 90 * (rng.random() < 0.2))
        points = cv2.boxPoints((centre.tolist(), extent, turn))
        cv2.fillPoly(matte, [np.round(points).astype(int)], 255)
    elif kind == "ellipse":
        axes = np.round(scale * rng.uniform(0.4, 1.2, 2)).astype(int) + 1
        turn = rng.uniform(0, 180)
        place = np.round(centre).astype(int)
        cv2.ellipse(matte, place, axes, turn, 0, 360, 255, cv2.FILLED)
    elif kind == "polygon":
        turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 10)))
        spokes = scale * rng.uniform(0.4, 1.3, turns.size)
        points = centre + spokes[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1)
        cv2.fillPoly(matte, [np.round(points).astype(int)], 255)
    else:
        letter = chr(rng.integers(ord("A"), ord("Z") + 1))
        start = np.round(centre + scale * np.array([-0.5, 0.5])).astype(int)
        stroke = max(1, round(scale / 6))
        cv2.putText(matte, letter, start, 0, scale / 22, 255, stroke, cv2.LINE_AA)
    matte = cv2.resize(matte, (width, height), interpolation=cv2.INTER_AREA)
    return matte.astype(np.float32) / 255


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A sharp photograph and, where known, the outlines of what it shows.

    Attributes:
        image: (height, width, 3) float32 in [0, 1], sRGB-encoded.
        segments: (height, width) int32 labels, or None.
    """

    image: np.ndarray
    segments: np.ndarray | None


def find_photographs(folder):
    """Paths of the photographs in `folder`, sorted by name; label maps left out."""
    return tuple(
        sorted(
            str(path)
            for path in pathlib.Path(folder).iterdir()
            if path.suffix.lower() in PHOTO_EXTENSIONS
            and not path.name.endswith(SEGMENTS_SUFFIX)
        )
    )


def load_photograph(path):
    """Reads a photograph and the `NAME_segments.png` beside it, if there is one.

    Raises:
        ValueError: if a file is too large, is no image, or the sizes differ.
    """
    path = pathlib.Path(path)
    image = decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    limit = np.float32(np.iinfo(image.dtype).max)
    image = image[..., ::-1].astype(np.float32) / limit
    segments_path = path.with_name(path.stem + SEGMENTS_SUFFIX)
    if not segments_path.exists():
        return Photograph(image, None)
    segments = decode(segments_path, cv2.IMREAD_UNCHANGED)
    if segments.shape != image.shape[:2]:
        raise ValueError(
            f"A label map must be one channel of its photograph's size "
            f"{image.shape[:2]}. Received: {segments_path} of {segments.shape}."
        )
    return Photograph(image, segments.astype(np.int32))


def decode(path, flags):
    """Pixels of a file, blue first, uint8 or uint16.

    Args:
        path: pathlib.Path.
        flags: int, of OpenCV's `IMREAD_...`.

    Raises:
        ValueError: if the file is too large, or no image.
    """
    if path.stat().st_size > MAX_PHOTO_BYTES:
        raise ValueError(f"Expected at most {MAX_PHOTO_BYTES} bytes. Received: {path}.")
    image = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"Expected an 8-bit or 16-bit image. Received: {path}.")
    return image


def crop_photograph(rng, photograph, size, margin):
    """A random square window of a photograph, downscaled where that leaves enough.

    Downscaling by area hides the noise and softness of the camera, so that what is
    called sharp is sharp. The inner `size` px come from inside the photograph (if it is
    large enough); only the margin may be mirrored.

    Args:
        rng: numpy.random.Generator.
        photograph: Photograph.
        size: int [px], side of the inner window.
        margin: int [px], added on each of the four sides.

    Returns:
        Photograph of side `size + 2 * margin`.
    """
    height, width = photograph.image.shape[:2]
    lowest = float(np.clip(size / min(height, width), 0.6, 1.0))
    scale = lowest + (1 - lowest) * rng.random() ** 2  # smaller is sharper
    shape = tuple(max(round(side * scale), min(side, size)) for side in (height, width))
    top = int(rng.integers(0, max(shape[0] - size, 0) + 1))
    left = int(rng.integers(0, max(shape[1] - size, 0) + 1))
    flip = rng.random() < 0.5

    def window(plane, interpolation):
        plane = cv2.resize(plane, shape[::-1], interpolation=interpolation)
        pads = [(margin, margin + max(size - side, 0)) for side in shape]
        pads += [(0, 0)] * (plane.ndim - 2)
        plane = np.pad(plane, pads, mode="symmetric")
        side = size + 2 * margin
        plane = plane[top : top + side, left : left + side]
        return np.ascontiguousarray(plane[:, ::-1] if flip else plane)

    segments = photograph.segments
    if segments is not None:
        segments = window(segments, cv2.INTER_NEAREST)
    return Photograph(window(photograph.image, cv2.INTER_AREA), segments)


def local_sharpness(image, block=16):
    """How fine the texture is that all but the smoothest parts of an image have.

    Args:
        image: (height, width, 3) float32 in [0, 1].
        block: int [px], side of the parts.

    Returns:
        float: the 30th percentile over blocks of the Laplacian's standard deviation.
    """
    laplacian = cv2.Laplacian(image.mean(axis=-1), cv2.CV_32F)
    height, width = (max(side // block, 1) for side in laplacian.shape)
    power = cv2.resize(laplacian**2, (width, height), interpolation=cv2.INTER_AREA)
    return float(np.quantile(np.sqrt(power), 0.3))
