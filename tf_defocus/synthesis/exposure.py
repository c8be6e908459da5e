"""What a camera makes of the light: gain, noise, tone curve, sharpening, JPEG."""

import numpy as np

from tf_defocus.optics import sensor

IN_FOCUS_COC = 1.0  # px; a circle no wider than a pixel is sharp
_VIEWS = ("left", "right", "blurred")
_SHARPENING_SIGMA = (0.5, 1.2)  # px


def expose(rng, planes, ranges):
    """The files of a camera, and the sharp image that it would have taken.

    Args:
        rng: numpy.random.Generator.
        planes: dict of `left`, `right`, `sharp` (height, width, 3), linear light, and
            `coc`, `disparity` (height, width) [px].
        ranges: SceneRanges.

    Returns:
        dict as of `scenes.make_example`, with the noise's `camera` values; `sharp` has
        neither noise nor JPEG's loss, but the camera's sharpening.
    """
    gain = rng.uniform(*ranges.view_gain)
    shading = rng.uniform(-1, 1) * ranges.view_shading
    left, right = sensor.apply_gain_mismatch(
        planes["left"], planes["right"], gain, shading
    )
    shot, read = sensor.draw_noise_levels(rng, ranges.shot)
    if rng.random() < ranges.noise:
        left, right = sensor.add_noise(rng, left, right, shot, read)
    else:
        shot, read = 0.0, 0.0
    # each half of a pixel saturates alone; the photograph is their sum
    left, right = np.clip(left, 0, 1), np.clip(right, 0, 1)
    views = dict(left=left, right=right, blurred=(left + right) / 2)
    views["sharp"] = np.clip(planes["sharp"], 0, 1)
    views = {name: sensor.linear_to_srgb(view) for name, view in views.items()}
    views = _compress(rng, _sharpen(rng, views, ranges), ranges)
    example = {name: sensor.quantize16(view) for name, view in views.items()}
    example["coc"] = planes["coc"].astype(np.float32)[..., None]
    example["disparity"] = planes["disparity"].astype(np.float32)[..., None]
    blurred = np.abs(example["coc"]) > IN_FOCUS_COC
    example["mask"] = np.where(blurred, 255, 0).astype(np.uint8)
    example["camera"] = dict(shot_noise=shot, read_noise=read)
    return example


def _sharpen(rng, views, ranges):
    if not ranges.sharpening or rng.random() >= ranges.sharpening:
        return views
    sigma = rng.uniform(*_SHARPENING_SIGMA)
    amount = rng.uniform(*ranges.sharpening_amount)
    return {name: sensor.sharpen(view, sigma, amount) for name, view in views.items()}


def _compress(rng, views, ranges):
    if not ranges.jpeg or rng.random() >= ranges.jpeg:
        return views
    low, high = ranges.jpeg_quality
    quality, subsampling = int(rng.integers(low, high + 1)), rng.random() < 0.5
    files = {
        name: sensor.compress(views[name], quality, subsampling) for name in _VIEWS
    }
    return {**views, **files}
