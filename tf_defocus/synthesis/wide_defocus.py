"""Photographs with blur as wide as a camera's at full size: ramps and layered scenes.

In a ramp the disc grows smoothly across the frame, from nothing to `WIDEST`, so that
one photograph tells what a restoration gains at every width. In a layered scene depth
jumps at the outlines of objects.
"""

import dataclasses
import pathlib

import cv2
import numpy as np
from scipy import fft

from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.synthesis import scene_ranges, scenes, textures

WIDEST = 128.0  # [px], diameter of the disc
POWER = 2.2  # makes narrow blur take as much of the frame as each wider octave
_WANDER = 0.1  # of the frame, by which lines of equal blur bend
_SHOT = (3e-6, 3e-4)  # as of `sensor.draw_noise_levels`
_MARGIN = 2  # [px] around the largest disc
_LAYERS = dataclasses.replace(
    scene_ranges.WIDE,
    all_in_focus=0.0,
    fully_blurred=0.15,
    in_front=0.35,
    procedural=0.0,
    num_objects=(1, 3),
    reduction=(1.5, 2.0),
    exposure=(0.8, 1.1),
    highlights=0.0,
)
_NARROWEST_SCENE = 24.0  # [px], the least of the largest diameters of a scene
_SHIFT_RATIO = 0.2  # of real cameras' views


def make_ramp(path, seed, width, height, widest=WIDEST):
    """A photograph of a file, reduced until it fits and blurred from sharp to `widest`.

    Args:
        path: of a sharp photograph; taller than wide, it is turned.
        seed: int, of the direction of the ramp and of the noise.
        width, height: int [px].
        widest: float [px], the largest diameter.

    Returns:
        dict: `blurred` (height, width, 3) uint8, with the noise of a sensor; `sharp`
        (height, width, 3) uint16, both sRGB-encoded; `coc` (height, width) float32
        [px], the diameter.
    """
    rng = np.random.default_rng(seed)
    linear = sensor.srgb_to_linear(_window(path, width, height)).astype(np.float32)
    coc = draw_ramp(rng, height, width, widest)
    blurred = add_noise(rng, blur(linear, coc))
    return {
        "blurred": sensor.quantize8(sensor.linear_to_srgb(blurred)),
        "sharp": sensor.quantize16(sensor.linear_to_srgb(linear)),
        "coc": coc,
    }


def make_layers(photographs, seed, size, widest=WIDEST):
    """A square scene of objects at several depths, whose blur reaches up to `widest`.

    Args:
        photographs: paths of sharp photographs, for the textures.
        seed: int.
        size: int [px].
        widest: float [px], bound of the scene's largest diameter.

    Returns:
        dict as `make_ramp`, `coc` without its sign; and `left`, `right` (size, size, 3)
        uint8, the dual-pixel views.
    """
    rng = np.random.default_rng(seed)
    largest = float(np.exp(rng.uniform(*np.log([_NARROWEST_SCENE, widest]))))
    margin = int(largest / 2) + 4
    surfaces = scenes.compose_scene(rng, size, margin, largest, _LAYERS, photographs)
    softness = psf.softness_for_shift_ratio(_SHIFT_RATIO)
    split = psf.ApertureSplit(family="logistic", softness=softness)
    image = dual_pixel.render(surfaces, split, radius_step=1.0)
    inner = np.s_[margin:-margin, margin:-margin]
    views = {
        name: sensor.quantize8(
            sensor.linear_to_srgb(add_noise(rng, getattr(image, name)[inner]))
        )
        for name in ("blurred", "left", "right")
    }
    sharp = sensor.linear_to_srgb(np.clip(image.sharp[inner], 0, 1))
    coc = np.abs(image.coc[inner]).astype(np.float32)
    return {**views, "sharp": sensor.quantize16(sharp), "coc": coc}


def draw_ramp(rng, height, width, widest=WIDEST):
    """Diameters from 0 to `widest`, growing in a random direction.

    Args:
        rng: numpy.random.Generator.
        height, width: int [px].
        widest: float [px].

    Returns:
        (height, width) float32 [px].
    """
    angle = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-0.5, 0.5, height)[:, None] * height / width
    x = np.linspace(-0.5, 0.5, width)
    place = np.cos(angle) * x + np.sin(angle) * y
    wander = textures.smooth_field(rng, height, width, 0.2 * height) - 0.5
    place = place + _WANDER * wander
    place = (place - place.min()) / (place.max() - place.min())
    return (widest * place**POWER).astype(np.float32)


def blur(linear, coc):
    """Every pixel the mean over the disc around it, of its own diameter.

    Images blurred by discs of fixed diameters are interpolated pixel by pixel.

    Args:
        linear: (height, width, 3) float32, linear light; mirrored outside.
        coc: (height, width) float32 [px] >= 0.

    Returns:
        (height, width, 3) float32.
    """
    radii = _radii(float(coc.max()) / 2)
    margin = int(np.ceil(radii[-1])) + _MARGIN
    padded = np.pad(linear, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    shape = [fft.next_fast_len(side, real=True) for side in padded.shape[:2]]
    spectrum = fft.rfft2(padded, shape, axes=(0, 1))
    inner = tuple(slice(margin, margin + side) for side in linear.shape[:2])
    place = np.interp(coc / 2, radii, np.arange(len(radii)))
    blurred = np.zeros_like(linear)
    for index, radius in enumerate(radii):
        weight = np.maximum(1 - np.abs(place - index), 0)[..., None]
        if weight.any():
            slice_ = linear
            if radius > 0:
                transfer = _transfer_function(psf.disc(radius), shape)[..., None]
                slice_ = fft.irfft2(spectrum * transfer, shape, axes=(0, 1))[inner]
            blurred += (weight * slice_).astype(np.float32)
    return blurred


def add_noise(rng, linear):
    """Shot and read noise of a good camera, clipped to [0, 1]."""
    shot, read = sensor.draw_noise_levels(rng, _SHOT)
    linear = np.clip(linear, 0, 1)
    noise = np.sqrt(shot * linear + read**2) * rng.standard_normal(linear.shape)
    return np.clip(linear + noise, 0, 1)


def _radii(largest):
    """Radii [px] of the fixed discs: 0.35 px apart, 7 % where that is more."""
    radii = [0.0, 0.5]
    while radii[-1] < largest:
        radii.append(max(radii[-1] + 0.35, radii[-1] * 1.07))
    return np.array(radii)


def _transfer_function(kernel, shape):
    kernel = (kernel / kernel.sum()).astype(np.float32)
    placed = np.zeros(shape, np.float32)
    placed[: kernel.shape[0], : kernel.shape[1]] = kernel
    centre = [-(side // 2) for side in kernel.shape]
    return fft.rfft2(np.roll(placed, centre, axis=(0, 1)))


def _window(path, width, height):
    """The middle of a photograph, as large as it can be, reduced to a size."""
    image = textures.decode(pathlib.Path(path), cv2.IMREAD_COLOR)[..., ::-1]
    if image.shape[0] > image.shape[1]:
        image = np.rot90(image)
    factor = min(image.shape[1] / width, image.shape[0] / height)
    if factor < 1:
        raise ValueError(
            f"Expected a photograph of {width}x{height} px or more. Received: {path} "
            f"of {image.shape[1]}x{image.shape[0]}"
        )
    sides = [int(height * factor), int(width * factor)]
    top, left = ((have - want) // 2 for have, want in zip(image.shape, sides))
    image = image[top : top + sides[0], left : left + sides[1]].astype(np.float32)
    image = np.ascontiguousarray(image) / 255
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
