"""Point-spread functions of a defocused lens, whole and seen by the two half-pixels.

Each half of a dual pixel sees the lens through a different part of the aperture. Its
point-spread function is the disc of the lens weighted along x, and the other half sees
the mirror image: left and right kernels are mirrored, both symmetric in y, and their
mean is the kernel of the photograph. They are for convolution, not correlation.

Behind focus (coc > 0) the left kernel weighs towards -x, so x_left - x_right < 0.
"""

import dataclasses
import functools

import numpy as np
from scipy import ndimage, optimize, special

FAMILIES = (
    "half_disc",
    "linear",
    "logistic",
    "translating_disc",
    "butterworth",
    "gaussian",
)
# Below this radius [px] a point stays within its own pixel.
_DELTA_RADIUS = 0.25
# A Gaussian of sigma = R / 2 is cut at four sigma.
_GAUSSIAN_EXTENT = 2.0


@dataclasses.dataclass(frozen=True)
class ApertureSplit:
    """How the two halves of a dual pixel share the aperture.

    With u in [-1, 1] across the aperture in units of its radius, one view weighs the
    light by w(u), the other by w(-u), where w(u) + w(-u) = 1:

        half_disc         w = step(u), the ideal pixel
        linear            w = (1 + u) / 2
        logistic          w = sigmoid(u / softness), crosstalk between the half-pixels
        translating_disc  a disc times itself, shifted further and further
                          (Punnappurath et al., ICCP 2020, Eq. 6)
        butterworth       linear, on a disc that is darker in the middle
                          (Abuolaim et al., ICCV 2021)
        gaussian          logistic, on a Gaussian aperture of sigma = R / 2

    Attributes:
        family: one of the names above.
        softness: float > 0, for logistic and gaussian; views of a Canon EOS 5D Mark IV
            shift by about 0.2 of the disc's diameter, which is 0.6.
        order: int >= 1, of the Butterworth profile.
        cutoff: float > 0, radius of its half-height in units of the disc's radius.
        floor: float in [0, 1], its transmission at the centre.
        view_sign: +1, or -1 for a camera that names its views the other way round.

    Raises:
        ValueError: for a value outside these ranges.
    """

    family: str = "logistic"
    softness: float = 0.6
    order: int = 3
    cutoff: float = 0.8
    floor: float = 0.2
    view_sign: int = 1

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ValueError(f"Expected one of {FAMILIES}. Received: {self.family!r}")
        if self.view_sign not in (-1, 1):
            raise ValueError(f"Expected view_sign +1 or -1. Received: {self.view_sign}")
        if not (self.softness > 0 and self.cutoff > 0 and self.order >= 1):
            raise ValueError(
                "Expected softness > 0, cutoff > 0 and order >= 1. Received: "
                f"{self.softness}, {self.cutoff}, {self.order}"
            )
        if not 0 <= self.floor <= 1:
            raise ValueError(f"Expected floor in [0, 1]. Received: {self.floor}")


def disc(radius: float) -> np.ndarray:
    """Kernel of a circular aperture.

    Args:
        radius: float [px] >= 0; below 0.25 the kernel is the 1x1 identity.

    Returns:
        (side, side) float64, side odd, sum 1.
    """
    return _rasterize(lambda u, v: _inside(u, v) * 1.0, radius, extent=1.0)


def gaussian(radius: float) -> np.ndarray:
    """Gaussian of sigma = radius / 2, the disc's own second moment.

    Args:
        radius: float [px] >= 0; below 0.25 the kernel is the 1x1 identity.

    Returns:
        (side, side) float64, side odd, sum 1.
    """
    return _rasterize(_gaussian_density, radius, extent=_GAUSSIAN_EXTENT)


def half_disc(radius):
    """(left, right) kernels behind focus of the ideal dual pixel; each as `disc`."""
    return dual_pixel_pair(2.0 * radius, ApertureSplit("half_disc"))


def logistic_split(
    radius: float, softness: float = 0.6
) -> tuple[np.ndarray, np.ndarray]:
    """Kernels behind focus of a split with crosstalk.

    Args:
        radius: float [px] >= 0.
        softness: float > 0, of the split; see `ApertureSplit`.

    Returns:
        (left, right), each as of `disc`.
    """
    return dual_pixel_pair(2.0 * radius, ApertureSplit("logistic", softness=softness))


def translating_disc(radius):
    """(left, right) kernels behind focus of the translating disc; each as `disc`."""
    return dual_pixel_pair(2.0 * radius, ApertureSplit("translating_disc"))


def butterworth(radius, order=3, cutoff=0.8, floor=0.2):
    """(left, right) kernels behind focus of the Butterworth disc; each as `disc`."""
    split = ApertureSplit("butterworth", order=order, cutoff=cutoff, floor=floor)
    return dual_pixel_pair(2.0 * radius, split)


def dual_pixel_pair(coc: float, split: ApertureSplit) -> tuple[np.ndarray, np.ndarray]:
    """Point-spread functions of the two views of a dual-pixel sensor.

    Args:
        coc: float [px], signed diameter of the circle of confusion, positive behind
            focus; below 0.5 in size both kernels are the 1x1 identity.
        split: `ApertureSplit`.

    Returns:
        (left, right): two (side, side) float64 kernels, read-only, odd side, not
        negative, each of sum 1; mirror images in x, symmetric in y.
    """
    toward_right = _heavy_on_the_right(abs(float(coc)) / 2.0, split)
    toward_left = toward_right[:, ::-1]
    if coc * split.view_sign > 0:
        return toward_left, toward_right
    return toward_right, toward_left


@functools.lru_cache(maxsize=256)
def shift_ratio(split: ApertureSplit) -> float:
    """Distance of the views' centroids over the diameter of the disc, for any disc.

    0.424 for half discs, 0.25 for linear, 0.295 for translating discs.

    Args:
        split: `ApertureSplit`.

    Returns:
        float in (0, 1).
    """
    # Polar quadrature: Gauss-Legendre along the radius, midpoints around.
    nodes, weights = np.polynomial.legendre.leggauss(48)
    extent = _GAUSSIAN_EXTENT if split.family == "gaussian" else 1.0
    radius = (nodes[:, None] + 1.0) / 2.0 * extent
    angle = (np.arange(256) + 0.5) * (2.0 * np.pi / 256)
    across, along = radius * np.cos(angle), radius * np.sin(angle)
    mass = _split_density(across, along, split) * radius * weights[:, None]
    return float(np.sum(mass * across) / np.sum(mass))


def softness_for_shift_ratio(ratio: float) -> float:
    """Softness of the logistic split whose `shift_ratio` is `ratio`.

    Args:
        ratio: float in [0.01, 0.42]; 0.19 to 0.21 was measured on Canon views.

    Returns:
        float, for `ApertureSplit("logistic", softness=...)`.

    Raises:
        ValueError: if `ratio` lies outside that range, which no softness reaches.
    """
    if not 0.01 <= ratio <= 0.42:
        raise ValueError(f"Expected a ratio in [0.01, 0.42]. Received: {ratio}")

    def excess(softness):
        return shift_ratio(ApertureSplit("logistic", softness=softness)) - ratio

    return float(optimize.brentq(excess, 0.01, 30.0, xtol=1e-6))


def centroid_disparity(
    coc: float | np.ndarray, split: ApertureSplit
) -> float | np.ndarray:
    """x_left - x_right of the kernels' centroids, the disparity of a defocused point.

    Matching the blurred views finds 6 to 20 % more, because a skewed kernel's peak lies
    farther out than its centroid; the centroid is what is proportional to `coc`.

    Args:
        coc: float or array [px], signed diameter of the circle of confusion.
        split: `ApertureSplit`.

    Returns:
        Array like `coc` [px], negative behind focus where `view_sign` is +1.
    """
    return coc * (-split.view_sign * shift_ratio(split))


def aperture_weights(split, num_samples):
    """Points of the aperture and the light that each view takes through them.

    Light through the point (x, y) falls radius * (x, y) beside a point's sharp image,
    where the signed radius is half the circle of confusion.

    Args:
        split: `ApertureSplit`.
        num_samples: int, a positive multiple of 4.

    Returns:
        points (num_samples, 2) float64, x and y in units of the radius, mirrored in x
        and y; left_weights and right_weights (num_samples,) float64, each of sum 1.

    Raises:
        ValueError: if `num_samples` is not a positive multiple of 4.
    """
    if num_samples < 4 or num_samples % 4:
        raise ValueError(f"Expected a multiple of 4. Received: {num_samples}")
    # A Fibonacci lattice in (radius squared, angle) fills a quarter disc evenly.
    index = np.arange(num_samples // 4)
    extent = _GAUSSIAN_EXTENT if split.family == "gaussian" else 1.0
    radius = extent * np.sqrt((index + 0.5) / len(index))
    angle = ((index * (np.sqrt(5.0) - 1.0) / 2.0 + 0.5) % 1.0) * (np.pi / 2.0)
    quarter = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    signs = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
    points = (signs[:, None] * quarter).reshape(-1, 2)
    across = points[:, 0] * split.view_sign
    left = _split_density(-across, points[:, 1], split)
    right = _split_density(across, points[:, 1], split)
    return points, left / left.sum(), right / right.sum()


@functools.lru_cache(maxsize=1024)
def _heavy_on_the_right(radius, split):
    """The kernel of the view that weighs towards +x."""
    extent = _GAUSSIAN_EXTENT if split.family == "gaussian" else 1.0
    kernel = _rasterize(lambda u, v: _split_density(u, v, split), radius, extent)
    if split.family == "butterworth" and kernel.size > 1:
        # The published kernel is smoothed by a seventh of its side, in OpenCV's rule
        # for sigma. Smoothing after the split leaves the centroids where they are.
        sigma = 0.3 * (radius / 7.0 - 1.0) + 0.8
        kernel = np.pad(kernel, int(np.ceil(3.0 * sigma)))
        kernel = ndimage.gaussian_filter(kernel, sigma, mode="constant", truncate=3.0)
        kernel /= kernel.sum()
    kernel.setflags(write=False)
    return kernel


def _rasterize(density, radius, extent):
    """Sample `density` finely and share each sample among its four nearest pixels.

    The linear share keeps the centroid exact at every size, so that disparity stays
    proportional to the circle of confusion even where the disc is one pixel wide.
    """
    if radius < 0:
        raise ValueError(f"Expected radius >= 0. Received: {radius}")
    if radius < _DELTA_RADIUS:
        return np.ones((1, 1))
    reach = int(np.ceil(extent * radius))
    per_pixel = max(6, int(np.ceil(64.0 / radius)))
    position = (np.arange(-reach * per_pixel, reach * per_pixel) + 0.5) / per_pixel
    samples = density(position[None, :] / radius, position[:, None] / radius)
    pixel = np.arange(-reach, reach + 1)
    share = np.maximum(1.0 - np.abs(pixel[:, None] - position[None, :]), 0.0)
    kernel = share @ samples @ share.T
    kernel = kernel + kernel[::-1]
    return kernel / kernel.sum()


def _inside(u, v):
    return u**2 + v**2 <= 1.0


def _gaussian_density(u, v):
    return np.exp(-2.0 * (u**2 + v**2))


def _split_density(u, v, split):
    """Light through the aperture point (u, v) into the view that weighs towards +u."""
    if split.family == "gaussian":
        return _gaussian_density(u, v) * special.expit(u / split.softness)
    inside = _inside(u, v)
    if split.family == "logistic":
        return inside * special.expit(u / split.softness)
    if split.family == "half_disc":
        return inside * np.heaviside(u, 0.5)
    if split.family == "translating_disc":
        # The integral over shifts s >= 0 of D(u, v) D(u - s, v).
        return inside * (u + np.sqrt(np.maximum(1.0 - v**2, 0.0)))
    linear = inside * (1.0 + u) / 2.0
    if split.family == "butterworth":
        linear = linear * _butterworth_profile(u**2 + v**2, split)
    return linear


def _butterworth_profile(squared_radius, split):
    def high_pass(squared):
        energy = (squared / split.cutoff**2) ** split.order
        return energy / (1.0 + energy)

    return split.floor + (1.0 - split.floor) * high_pass(squared_radius) / high_pass(1)
