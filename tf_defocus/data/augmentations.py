"""From one stored example to one training crop, by the chain of each paper.

| name | paper | chain |
|---|---|---|
| `default` | ours; KPAC and DPDNet, plain | crop, flip, colours, exposure, noise |
| `ifan` | Lee et al., CVPR 2021, and its code | noise, grey, shrinking, crop |
| `gkmnet` | Quan et al., NeurIPS 2021 | crop; in later code flips and quarter turns |
| `restormer` | Zamir et al., CVPR 2022 | padding, crop, flips and quarter turns |

Each is a function of a generator of random numbers and a dict of images of one size,
`blurred`, `left`, `right` and `sharp` or some of them, (height, width, 3), uint8,
uint16 or float32. They read no more of them than the crop needs: memory-mapped arrays
stay on disk. Each returns the same names, (size, size, 3) float32 in [0, 1].

Dual-pixel views are not three pictures alike. Their disparity is horizontal, and its
sign tells what is in front of the focal plane. A mirror image taken left to right turns
that sign, so left and right are swapped with it; upside down keeps it; a quarter turn
makes the disparity vertical, which no such sensor records. Quarter turns are therefore
for single photographs.
"""

import numpy as np

from tf_defocus.images import levels

_VIEWS = ("left", "right")
_SWAPPED = {"left": "right", "right": "left"}


def default(
    rng,
    images,
    size,
    flip_probability=0.0,
    color_permutation=False,
    gain_range=(1.0, 1.0),
    noise_range=(0.0, 0.0),
):
    """A crop; then flip, colours, exposure and noise, as far as the options ask.

    Args:
        rng: np.random.Generator.
        images: dict, see above.
        size: int, or (height, width) [px].
        flip_probability: float, of a mirror image, which swaps the views.
        color_permutation: bool, shuffles the channels of all images alike.
        gain_range: (float, float), factor of all images.
        noise_range: (float, float), standard deviation [of 1] of white noise, another
            for every image but `sharp`; what is drawn below 0 adds none.

    Returns:
        dict of (*size, 3) float32.

    Raises:
        ValueError: if the images are smaller than the crop.
    """
    window = []
    for side, length in zip(_check_size(images, size), crop_shape(size)):
        first = int(rng.integers(side - length + 1))
        window.append(slice(first, first + length))
    images = _as_float(images, *window)
    if rng.random() < flip_probability:
        images = turn(images, 0, True)
    if color_permutation:
        order = rng.permutation(3)
        images = {k: image[..., order] for k, image in images.items()}
    gain = np.float32(rng.uniform(*gain_range))
    for key in images.keys() - {"radial_distance"}:
        images[key] = images[key] * gain
    return add_noise(rng, images, noise_range)


def add_noise(rng, images, noise_range):
    """White noise after any chain, as KPAC's Table 8 and GKMNet's "+" train with.

    Args:
        rng: np.random.Generator.
        images: dict of float32 crops in [0, 1]; `radial_distance` is no image.
        noise_range: as of `default`.

    Returns:
        dict of the same names, clipped to [0, 1].
    """
    sigma = rng.uniform(*noise_range)
    noisy = dict(images)
    for key in [key for key in images if key != "radial_distance"]:
        if key != "sharp" and sigma > 0:
            noise = rng.standard_normal(images[key].shape, dtype=np.float32)
            noisy[key] = noisy[key] + np.float32(sigma) * noise
        noisy[key] = np.clip(noisy[key], 0, 1)
    return noisy


def ifan(rng, images, size, quirks=True):
    """IFAN's chain: noise (1 in 20), grey (3 in 10), shrinking (1 in 2), crop.

    One field of noise, of a standard deviation from 0.001 to sqrt(0.005), is added to
    all images but `sharp`. Shrinking, to 0.7 at least, averages over areas. There are
    no flips. Of the whole image only what the crop shows is computed.

    Args:
        rng, images, size: as of `default`; a square.
        quirks: bool, as the released code: blue counts 0.07228 in grey, not 0.0722;
            grey, though encoded already, is encoded again as sRGB and so brightened;
            and the crop's corner is truncated from U(0, n) - 1, which prefers 0 and
            never reaches n, the last place there is. False mends all three.

    Returns:
        dict of (size, size, 3) float32.

    Raises:
        ValueError: if an image shrunk to 0.7 does not exceed the crop.
    """
    height, width = _common_size(images)
    if int(0.7 * min(height, width)) <= size:
        raise ValueError(
            "IFAN's chain shrinks images to 0.7, which must exceed crop_size. "
            f"Received: crop_size={size}, images of {height}x{width}"
        )
    sigma = rng.uniform(0.001, np.sqrt(0.005)) if rng.random() < 0.05 else 0.0
    grey = rng.random() < 0.3
    scale = rng.uniform(0.7, 1.0) if rng.random() < 0.5 else 1.0
    windows = []
    for side in (height, width):
        shrunk = int(side * scale)
        first = _ifan_offset(rng, shrunk - size, quirks)
        windows.append(area_window(side, shrunk, first, size))
    (rows, row_weights), (columns, column_weights) = windows
    images = _as_float(images, rows, columns)
    if sigma:
        shape = next(iter(images.values())).shape
        noise = rng.standard_normal(shape, dtype=np.float32)
        noise *= np.float32(sigma)
        for key in images.keys() - {"sharp"}:
            images[key] = np.clip(images[key] + noise, 0, 1)
    if grey:
        images = {k: _ifan_grey(image, quirks) for k, image in images.items()}
    if scale < 1:
        images = {
            k: np.matmul(column_weights, np.tensordot(row_weights, image, 1))
            for k, image in images.items()
        }
    return images


def gkmnet(rng, images, size, flips_and_rotations=False):
    """GKMNet's crop; in its later code, flips and quarter turns before it.

    Args:
        rng, images, size: as of `default`; a square.
        flips_and_rotations: bool, every second example is flipped, left to right or
            upside down, and every second is turned by 90, 180 or 270 degrees.

    Returns:
        dict of (size, size, 3) float32.

    Raises:
        ValueError: if the images are smaller than the crop, or are dual-pixel views
            and to be turned: the network is one for single photographs.
    """
    if flips_and_rotations:
        _refuse_views(images)
        if rng.random() < 0.5:
            images = turn(images, 2 * int(rng.integers(2)), True)
        if rng.random() < 0.5:
            images = turn(images, int(rng.integers(1, 4)), False)
    return default(rng, images, size)


def restormer(rng, images, size, as_published=False):
    """Restormer's crop in one of the eight orientations of a square.

    Images smaller than the crop are continued by reflection, below and on the right.

    Args:
        rng, images, size: as of `default`; a square.
        as_published: bool, all eight for dual-pixel views as well, with left and right
            left in their places: the published code turns them as if they were single
            photographs. False gives views the four orientations that exist, and swaps
            them where mirrored.

    Returns:
        dict of (size, size, 3) float32.
    """
    height, width = _common_size(images)
    missing = [(0, max(0, size - side)) for side in (height, width)]
    if any(after for _, after in missing):
        images = {
            k: np.pad(image, (*missing, (0, 0)), mode="symmetric")
            for k, image in images.items()
        }
    images = default(rng, images, size)
    upright = not as_published and any(view in images for view in _VIEWS)
    quarter_turns = int(2 * rng.integers(2) if upright else rng.integers(4))
    mirrored = bool(rng.integers(2))
    if as_published:
        return {
            k: _turned(image, quarter_turns, mirrored) for k, image in images.items()
        }
    return turn(images, quarter_turns, mirrored)


FUNCTIONS = {"default": default, "gkmnet": gkmnet, "ifan": ifan, "restormer": restormer}


def crop_shape(size):
    """(height, width) [px] of a crop: `size` is both or holds both."""
    return (size, size) if isinstance(size, int) else tuple(size)


def turn(images, quarter_turns, mirrored):
    """Mirrors left to right, if so, then turns counter-clockwise; views stay views.

    Args:
        images: dict of (height, width, 3).
        quarter_turns: int, 0 to 3; 0 or 2 where there are views.
        mirrored: bool.

    Returns:
        dict of the same names; what was the left view is the right one where the
        image is mirrored or upside down, but not both.

    Raises:
        ValueError: at a quarter turn of dual-pixel views.
    """
    if quarter_turns % 2:
        _refuse_views(images)
    names = _SWAPPED if mirrored != (quarter_turns == 2) else {}
    return {
        k: _turned(images[names.get(k, k)], quarter_turns, mirrored) for k in images
    }


def area_window(length, shrunk, first, count):
    """What pixels `first` to `first + count - 1` of a shrunk axis average.

    As OpenCV's INTER_AREA, which leaves out what it covers by less than 0.001.

    Args:
        length, shrunk: int [px], of the axis before and after; shrunk <= length.
        first, count: int [px], of the shrunk axis.

    Returns:
        (slice of the axis, (count, pixels of the slice) float32 of weights).
    """
    ratio = length / shrunk
    start = (first + np.arange(count))[:, None] * ratio
    stop = np.minimum(start + ratio, length)
    window = slice(int(start[0, 0]), min(int(np.ceil(stop[-1, 0])), length))
    pixel = np.arange(window.start, window.stop)
    covered = np.minimum(pixel + 1, stop) - np.maximum(pixel, start)
    weights = np.where(covered > 1e-3, covered, 0) / (stop - start)
    return window, weights.astype(np.float32)


def _ifan_offset(rng, room, quirks):
    if quirks:
        return max(0, int(rng.uniform(0, room) - 1))  # int() makes -0.5 a 0
    return int(rng.integers(room + 1))


def _ifan_grey(image, quirks):
    weights = np.array([0.2126, 0.7152, 0.07228 if quirks else 0.0722], np.float32)
    grey = image @ weights
    if quirks:
        curve = 1.055 * np.maximum(grey, 0.0031308) ** np.float32(1 / 2.4) - 0.055
        grey = np.where(grey <= 0.0031308, 12.92 * grey, curve).astype(np.float32)
    return np.repeat(grey[..., None], 3, axis=-1)


def _turned(image, quarter_turns, mirrored):
    return np.rot90(image[:, ::-1] if mirrored else image, quarter_turns)


def _refuse_views(images):
    views = [view for view in _VIEWS if view in images]
    if views:
        raise ValueError(
            "Only single photographs can be turned by 90 degrees: the disparity of "
            f"dual-pixel views would become vertical. Received: {views}"
        )


def _common_size(images):
    """(height, width) of images that are all of one size."""
    sizes = {image.shape[:2] for image in images.values()}
    if len(sizes) != 1:
        raise ValueError(f"Images must be of one size. Received: {sorted(sizes)}")
    return sizes.pop()


def _check_size(images, size):
    height, width = _common_size(images)
    rows, columns = crop_shape(size)
    if height < rows or width < columns:
        raise ValueError(
            f"crop_size must be at most the stored size {height}x{width}. "
            f"Received: crop_size={size}"
        )
    return height, width


def _as_float(images, rows, columns):
    """A window of every image, integers divided by the top of their range."""
    return {k: levels.to_float(image[rows, columns]) for k, image in images.items()}
