"""Dual-pixel images as RDPD's generator forms them, to compare with that line of work.

Abuolaim et al., ICCV 2021: every pixel of an all-in-focus photograph gathers its
neighbours with the kernel of its own depth, in 8 bits and sRGB-encoded as they are. The
kernels are Butterworth discs, dark in the middle, times a linear ramp. What lies before
or behind an edge makes no difference, so light crosses it: `dual_pixel` is the faithful
renderer, and `tools/reproduce/rdpd_compat.py` measures both against exact apertures.

What follows the published generator to the letter: kernels, radii of whole pixels by
2000 bins of depth, a kernel of three pixels in focus. Its barrel distortion, off there
unless asked for, is left out.
"""

import dataclasses
import functools

import cv2
import numpy as np

from tf_defocus.optics import dual_pixel, sensor
from tf_defocus.synthesis import scene_ranges, scenes

MAX_RADIUS = 40  # px
MAX_DEPTH = 250.0  # m; farther points are drawn here
_NUM_BINS = 2000  # of depth
_SMOOTHING = 7  # a kernel's side over its Gaussian's taps
MARGIN = 14  # px around a scene; the largest radius is 10, smoothing adds 2


@dataclasses.dataclass(frozen=True)
class Camera:
    """A thin lens of the generator, which mixes millimetres and metres.

    Attributes:
        focal_length, f_number, focus_distance: f, N and s, taken as plain numbers, s
            also as metres of depth.
    """

    focal_length: float
    f_number: float
    focus_distance: float

    @property
    def scale(self):
        """Radius [px] of points at infinity: v (f / N) / s with v = f s / (s - f)."""
        f, s = self.focal_length, self.focus_distance
        return f * s / (s - f) * (f / self.f_number) / s


@dataclasses.dataclass(frozen=True)
class KernelShape:
    """A Butterworth disc.

    Attributes:
        order: int, n.
        cutoff_factor: float; the profile's half-height lies at 2 / cutoff_factor radii.
        floor: float, beta, transmission at the centre relative to the square's corner.
    """

    order: int
    cutoff_factor: float
    floor: float


CAMERAS = (
    Camera(4, 6, 5),
    Camera(5, 8, 6),
    Camera(7, 5, 8),
    Camera(10, 13, 12),
    Camera(22, 10, 30),
)
# One per sequence of SYNTHIA-SF: the six that the published grid of twelve reaches.
KERNEL_SHAPES = (
    KernelShape(3, 2.5, 0.1),
    KernelShape(3, 2.5, 0.2),
    KernelShape(3, 2.0, 0.1),
    KernelShape(3, 2.0, 0.2),
    KernelShape(6, 2.5, 0.1),
    KernelShape(6, 2.5, 0.2),
)


def signed_radius(depth, camera):
    """Radius of the kernel: scale (Z - s) / Z at the middle of a bin, rounded.

    Args:
        depth: float array [m] >= 0.
        camera: `Camera`.

    Returns:
        int32 of the shape of `depth` [px], positive behind focus, in [-40, 40].
    """
    width = MAX_DEPTH / _NUM_BINS
    index = np.minimum(np.floor(np.asarray(depth) / width), _NUM_BINS - 1)
    middle = (index + 0.5) * width
    radius = camera.scale * (middle - camera.focus_distance) / middle
    return np.clip(np.rint(radius), -MAX_RADIUS, MAX_RADIUS).astype(np.int32)


def depth_of(coc, camera):
    """Depth [m] whose circle has the diameter `coc` [px], at most 250 m.

    Args:
        coc: float array [px], signed diameter, at most 2 * camera.scale.
        camera: `Camera`.
    """
    focus = camera.focus_distance
    share = 1.0 - np.asarray(coc, np.float64) / (2.0 * camera.scale)
    return focus / np.maximum(share, focus / MAX_DEPTH)


@functools.lru_cache(maxsize=512)
def kernel_pair(radius, shape):
    """Point-spread functions of both views, for convolution.

    Args:
        radius: int [px], positive behind focus; 0 counts as 1.
        shape: `KernelShape`.

    Returns:
        (left, right): (side, side) float64, read-only, each of sum 1, mirror images;
        the left one weighs towards -x behind focus.
    """
    size = max(abs(int(radius)), 1)
    squared = np.arange(-size, size + 1) ** 2
    squared = squared[:, None] + squared[None, :]
    energy = (squared / (2 * size / shape.cutoff_factor) ** 2) ** shape.order
    high_pass = energy / (1 + energy)
    profile = shape.floor + (1 - shape.floor) * high_pass / high_pass.max()
    disc = np.where(squared <= size**2, profile, 0.0)
    taps = round((2 * size + 1) / _SMOOTHING) + 1
    taps += taps % 2 == 0
    sigma = 0.3 * ((taps - 1) * 0.5 - 1) + 0.8
    smooth = cv2.GaussianBlur(np.pad(disc, taps // 2), (taps, taps), sigma)
    heavy_right = smooth * np.linspace(0.0, 1.0, len(smooth))[None, :]
    heavy_right /= heavy_right.sum()
    heavy_left = np.ascontiguousarray(heavy_right[:, ::-1])
    for kernel in (heavy_left, heavy_right):
        kernel.setflags(write=False)
    return (heavy_left, heavy_right) if radius >= 0 else (heavy_right, heavy_left)


def disparity(radius, shape):
    """x_left - x_right of the kernels' centroids.

    Args:
        radius: int array [px], signed.
        shape: `KernelShape`.

    Returns:
        float32 array like `radius` [px]; not zero in focus, where kernels have three
        pixels, and not proportional to `radius` below about 5 px.
    """
    values, index = np.unique(radius, return_inverse=True)
    gaps = []
    for value in values:
        left, right = kernel_pair(int(value), shape)
        offsets = np.arange(len(left)) - len(left) // 2
        gaps.append(np.sum((left - right) * offsets[None, :]))
    return np.array(gaps, np.float32)[index].reshape(np.shape(radius))


def kernel_aperture(radius, shape):
    """The aperture whose kernel at that radius is the published one.

    Args:
        radius: int [px] > 0.
        shape: `KernelShape`.

    Returns:
        points (n, 2) float64, x and y in units of the radius; left_weights and
        right_weights (n,), each of sum 1: for `dual_pixel.average_pinholes`.
    """
    left, right = kernel_pair(radius, shape)
    rows, columns = np.nonzero(left + right)
    points = np.stack([columns, rows], axis=-1) - len(left) // 2
    return points / radius, left[rows, columns], right[rows, columns]


def render(sharp, radius, shape):
    """Both views and the photograph, gathered from an all-in-focus image.

    Args:
        sharp: (height, width, 3) uint8 as published, or float, which is not rounded.
        radius: (height, width) int [px], signed.
        shape: `KernelShape`.

    Returns:
        (left, right, blurred), each like `sharp`; the border mirrors.
    """
    views = [np.zeros_like(sharp) for _ in range(3)]
    for value in np.unique(radius):
        left, right = kernel_pair(int(value), shape)
        here = (radius == value)[..., None]
        for view, kernel in zip(views, (left, right, (left + right) / 2)):
            # OpenCV correlates: turned by 180 degrees, a kernel convolves
            blurred = cv2.filter2D(sharp, -1, np.ascontiguousarray(kernel[::-1, ::-1]))
            np.copyto(view, blurred, where=here)
    return tuple(views)


def draw_scene(rng, size, ranges, photographs=()):
    """A camera, a kernel shape and the surfaces of a scene with that camera's circles.

    Returns:
        (camera, shape, surfaces); the surfaces have a margin of 14 px.
    """
    camera = CAMERAS[rng.integers(len(CAMERAS))]
    shape = KERNEL_SHAPES[rng.integers(len(KERNEL_SHAPES))]
    surfaces = scenes.compose_scene(
        rng, size, MARGIN, 2 * camera.scale, ranges, photographs
    )
    return camera, shape, surfaces


def render_scene(surfaces, camera, shape):
    """What the generator makes of a scene: its flat photograph and its depth map.

    Returns:
        dict: `left`, `right`, `blurred`, `sharp` (size, size, 3) uint8, sRGB-encoded;
        `radius` (size, size) int32 [px]; all without the margin.
    """
    sharp, coc = dual_pixel.all_in_focus(surfaces)
    sharp = sensor.quantize8(sensor.linear_to_srgb(np.clip(sharp, 0, 1)))
    radius = signed_radius(depth_of(coc, camera), camera)
    left, right, blurred = render(sharp, radius, shape)
    planes = dict(left=left, right=right, blurred=blurred, sharp=sharp, radius=radius)
    inner = slice(MARGIN, -MARGIN)
    return {name: plane[inner, inner] for name, plane in planes.items()}


def make_example(seed, split, index, size=256, photographs=(), ranges=None):
    """One example of `scenes.make_example`'s form, formed as RDPD's are.

    There is no noise. `coc` is twice the rounded radius and so zero in focus; the
    kernels' disparity is not. `shift_ratio` is the largest kernel's.

    Args:
        seed, split, index, size, photographs, ranges: as there; `ranges.max_coc` gives
            way to the cameras' own. None: the default ranges.
    """
    rng = scenes.example_generator(seed, split, index)
    ranges = ranges or scene_ranges.DEFAULT
    camera, shape, surfaces = draw_scene(rng, size, ranges, photographs)
    planes = render_scene(surfaces, camera, shape)
    radius = planes.pop("radius")
    # x * 257 is exact: >> 8 gives the 8-bit value back
    example = {name: plane * np.uint16(257) for name, plane in planes.items()}
    example["coc"] = (2 * radius).astype(np.float32)[..., None]
    example["disparity"] = disparity(radius, shape)[..., None]
    blurred = np.abs(example["coc"]) > scenes.IN_FOCUS_COC
    example["mask"] = np.where(blurred, 255, 0).astype(np.uint8)
    example["camera"] = dict(
        max_coc=2 * camera.scale,
        shift_ratio=float(
            -disparity(np.array([MAX_RADIUS]), shape)[0] / (2 * MAX_RADIUS)
        ),
        shot_noise=0.0,
        read_noise=0.0,
    )
    return example
