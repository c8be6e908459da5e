"""Photographs and dual-pixel views of layered scenes, occlusion included.

A scene is a list of surfaces from back to front, in linear light. Inside one surface
the circle of confusion may vary: it is cut into soft slices of nearly one radius, whose
blurred images add up. Between surfaces the nearer covers the farther by `over`.
`render` does so with one Fourier transform per slice; `render_aperture` averages
pinhole images over the aperture: exact, slow, and what `render` is tested against.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import fft, ndimage

from tf_defocus.optics.psf import (
    ApertureSplit,
    aperture_weights,
    centroid_disparity,
    dual_pixel_pair,
)


@dataclasses.dataclass(frozen=True)
class Surface:
    """One surface of a scene; height, width are those of the scene.

    Attributes:
        radiance: (height, width, 3) float32 >= 0, linear light.
        alpha: (height, width) float32 in [0, 1], its coverage.
        coc: (height, width) float32 [px], signed diameter of the circle of confusion,
            positive behind focus; continued smoothly where `alpha` is zero.
    """

    radiance: np.ndarray
    alpha: np.ndarray
    coc: np.ndarray


@dataclasses.dataclass(frozen=True)
class DualPixelImage:
    """What a dual-pixel camera sees of a scene, noise-free and in linear light.

    Attributes:
        left, right: (height, width, 3) float32, the views, each as bright as `sharp`.
        blurred: (height, width, 3) float32, the photograph, (left + right) / 2.
        sharp: (height, width, 3) float32, all in focus.
        coc: (height, width) float32 [px], of the visible surface.
        disparity: (height, width) float32 [px], x_left - x_right of that surface, by
            the centroids of its kernels.
    """

    left: np.ndarray
    right: np.ndarray
    blurred: np.ndarray
    sharp: np.ndarray
    coc: np.ndarray
    disparity: np.ndarray


def render(
    surfaces: Sequence[Surface], split: ApertureSplit, radius_step: float = 0.5
) -> DualPixelImage:
    """Render both views of a layered scene.

    A surface with radiance T, coverage a and radius map r becomes, in each view, with
    tent weights q_b over radii `radius_step` apart,

        C = sum_b K_b * (T a q_b) / D
        A = sum_b K_b * (a q_b) / D,  D = sum_b K_b * q_b

    and covers what lies behind it: I <- C + (1 - A) I. D makes the frame's border
    neither dark nor bright, but light from outside is unknown there: render with a
    margin of the largest radius and crop.

    Args:
        surfaces: sequence of `Surface` from back to front; the first should cover the
            frame (what nothing covers is black).
        split: `ApertureSplit`.
        radius_step: float [px] > 0; 0.5 reaches 60 dB on a slanted plane.

    Returns:
        `DualPixelImage`, in the precision of the radiance.

    Raises:
        ValueError: if there is no surface, shapes differ or `radius_step` <= 0.
    """
    _check_surfaces(surfaces)
    if radius_step <= 0:
        raise ValueError(f"Expected radius_step > 0. Received: {radius_step}")
    views = np.zeros((2, *surfaces[0].radiance.shape), surfaces[0].radiance.dtype)
    for surface in surfaces:
        box = _reach(surface, split, radius_step)
        if box is None:
            continue
        color, coverage = _defocus(surface, box, split, radius_step)
        behind = views[(slice(None), *box)]
        behind[...] = color + (1.0 - coverage) * behind
    return _image(views[0], views[1], surfaces, split)


def render_aperture(
    surfaces: Sequence[Surface], split: ApertureSplit, num_samples: int = 128
) -> DualPixelImage:
    """Render exactly: the mean over aperture points of occlusion-aware pinhole images.

    Each aperture point sees every surface shifted by its own radius times the point's
    position, and combines them by `over`. Butterworth kernels are not smoothed here.
    The cost is `num_samples` renderings; the border repeats the outermost pixels.

    Args:
        surfaces, split: as `render`.
        num_samples: int, a multiple of 4 (the points mirror in x and y).

    Returns:
        `DualPixelImage`, in the precision of the radiance.

    Raises:
        ValueError: if there is no surface, shapes differ or `num_samples` is no
            multiple of 4.
    """
    left, right = average_pinholes(surfaces, *aperture_weights(split, num_samples))
    return _image(left, right, surfaces, split)


def average_pinholes(surfaces, points, left_weights, right_weights):
    """Both views through given points of an aperture, the exact image of a scene.

    Args:
        surfaces: as `render`.
        points: (n, 2), x and y in units of the signed radius, half of `coc`.
        left_weights, right_weights: (n,), each of sum 1.

    Returns:
        (left, right), each (height, width, 3) in the precision of the radiance.
    """
    _check_surfaces(surfaces)
    left = np.zeros(surfaces[0].radiance.shape, np.float64)
    right = np.zeros_like(left)
    for point, left_weight, right_weight in zip(points, left_weights, right_weights):
        pinhole = _pinhole_image(surfaces, point)
        left += left_weight * pinhole
        right += right_weight * pinhole
    dtype = surfaces[0].radiance.dtype
    return left.astype(dtype), right.astype(dtype)


def _check_surfaces(surfaces):
    if not surfaces:
        raise ValueError("Expected at least one surface. Received none")
    height, width = surfaces[0].coc.shape
    for surface in surfaces:
        shapes = (surface.radiance.shape, surface.alpha.shape, surface.coc.shape)
        if shapes != ((height, width, 3), (height, width), (height, width)):
            raise ValueError(
                f"Expected radiance, alpha and coc of {height} x {width} pixels, "
                f"radiance with 3 colours. Received shapes: {shapes}"
            )


def all_in_focus(surfaces):
    """The scene through a pinhole, and the circle of confusion of what it sees.

    Args:
        surfaces: as `render`.

    Returns:
        sharp (height, width, 3), linear light, and coc (height, width) [px], in the
        precision of the surfaces.
    """
    sharp = np.zeros_like(surfaces[0].radiance)
    visible_coc = surfaces[0].coc.copy()
    for surface in surfaces:
        alpha = surface.alpha[..., None]
        sharp = surface.radiance * alpha + (1.0 - alpha) * sharp
        np.copyto(visible_coc, surface.coc, where=surface.alpha >= 0.5)
    return sharp, visible_coc


def _image(left, right, surfaces, split):
    """Complete two views with everything that does not depend on the renderer."""
    sharp, visible_coc = all_in_focus(surfaces)
    disparity = centroid_disparity(visible_coc, split)
    return DualPixelImage(
        left, right, (left + right) / 2, sharp, visible_coc, disparity
    )


def _reach(surface, split, radius_step):
    """The part of the frame that the surface's blurred image and its D depend on."""
    rows = np.flatnonzero(surface.alpha.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(surface.alpha.any(axis=0))
    largest = np.ceil(np.abs(surface.coc).max() / (2.0 * radius_step)) * radius_step
    kernel_reach = len(dual_pixel_pair(2.0 * largest, split)[0]) // 2
    # Once for the spread of the light, once for what D gathers there.
    margin = 2 * kernel_reach
    return tuple(
        slice(max(0, found[0] - margin), found[-1] + margin + 1)
        for found in (rows, columns)
    )


def _defocus(surface, box, split, radius_step):
    """Blurred (2, h, w, 3) premultiplied colour and (2, h, w, 1) coverage in `box`."""
    alpha = surface.alpha[box]
    color = np.moveaxis(surface.radiance[box] * alpha[..., None], -1, 0)
    opaque = alpha.min() == 1.0
    ones = np.ones_like(color[:1])
    channels = np.concatenate([color, ones] if opaque else [color, alpha[None], ones])
    views = _blur_slices(channels, surface.coc[box], split, radius_step)
    # Where no light of this surface falls (a hole of a torn surface) D is zero: a trace
    # of the unblurred surface fills it and is lost in rounding everywhere else.
    views += 8.0 * np.finfo(views.dtype).eps * channels
    views = np.moveaxis(views, 1, -1)
    normalized = views[..., :-1] / views[..., -1:]
    if opaque:
        return normalized, np.ones_like(normalized[..., :1])
    return normalized[..., :3], np.clip(normalized[..., 3:], 0.0, 1.0)


def _blur_slices(channels, coc, split, radius_step):
    """sum_b K_b * (channels q_b) for both views, (2, channels, height, width).

    The views' kernels are mirror images and symmetric in y, so the transfer function of
    the right one is the conjugate of the left one's: its real part blurs their mean and
    its imaginary part makes their half difference, one product of a real and a complex
    array each.
    """
    slices = _tent_slices(coc, radius_step)
    kernels = [dual_pixel_pair(2.0 * radius, split)[0] for radius, _ in slices]
    reach = max(len(kernel) // 2 for kernel in kernels)
    shape = [fft.next_fast_len(size + reach, real=True) for size in coc.shape]
    in_focus = np.zeros_like(channels)
    spectra = [0.0, 0.0]
    for (_, weight), kernel in zip(slices, kernels):
        if kernel.size == 1:
            in_focus += channels * weight
            continue
        spectrum = fft.rfft2(channels * weight, shape, workers=1)
        transfer = _transfer_function(kernel.astype(channels.dtype), shape)
        spectra[0] += spectrum * transfer.real
        spectra[1] += spectrum * transfer.imag
    if np.ndim(spectra[0]) == 0:
        return np.stack([in_focus, in_focus])
    height, width = coc.shape
    spectra[1] = spectra[1] * np.array(1j, spectra[1].dtype)
    mean, half_difference = (
        fft.irfft2(spectrum, shape, workers=1)[:, :height, :width]
        for spectrum in spectra
    )
    mean = mean + in_focus
    return np.stack([mean + half_difference, mean - half_difference])


def _tent_slices(coc, radius_step):
    """List of (signed radius [px], weights (height, width)) that sum to one."""
    if coc.min() == coc.max():
        return [(float(coc.flat[0]) / 2.0, np.ones_like(coc))]
    level = coc / coc.dtype.type(2.0 * radius_step)
    slices = []
    for index in range(int(np.floor(level.min())), int(np.ceil(level.max())) + 1):
        weight = np.maximum(1.0 - np.abs(level - index), 0.0).astype(coc.dtype)
        if weight.any():
            slices.append((index * radius_step, weight))
    return slices


def _transfer_function(kernel, shape):
    """Transform of a centred kernel on a periodic grid of `shape`."""
    reach = len(kernel) // 2
    grid = np.zeros(shape, kernel.dtype)
    grid[: len(kernel), : len(kernel)] = kernel
    grid = np.roll(grid, (-reach, -reach), axis=(0, 1))
    return fft.rfft2(grid, workers=1)


def _pinhole_image(surfaces, point):
    """The scene through one aperture point (x, y), (height, width, 3) float64."""
    image = np.zeros(surfaces[0].radiance.shape, np.float64)
    for surface in surfaces:
        source = _source_position(surface.coc / 2.0, point)
        alpha = _sample(surface.alpha, source)[..., None]
        premultiplied = surface.radiance * surface.alpha[..., None]
        color = [_sample(premultiplied[..., index], source) for index in range(3)]
        image = np.stack(color, axis=-1) + (1.0 - alpha) * image
    return image


def _source_position(radius, point):
    """(2, height, width): the surface point p seen at q, p + radius(p) point = q."""
    target = np.indices(radius.shape, dtype=np.float64)
    offset = np.array(point[::-1])[:, None, None]
    source = target - radius * offset
    if radius.min() == radius.max():
        return source
    # Converges like the slope of the radius map, far below one pixel per pixel.
    for _ in range(6):
        source = target - _sample(radius, source) * offset
    return source


def _sample(values, position):
    return ndimage.map_coordinates(
        values.astype(np.float64), position, order=1, mode="nearest"
    )
