"""From linear light to the file: distortion, gain, noise, tone curve, quantisation.

The order of a camera: blur, radial warp, gain, noise, clip, tone curve, quantisation.
Every function is pure; randomness comes from the generator that the caller seeds.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage


def srgb_to_linear(image: np.ndarray) -> np.ndarray:
    """Decode sRGB values in [0, 1] to linear light (IEC 61966-2-1).

    Args:
        image: array of any shape, float.

    Returns:
        The same shape and dtype.
    """
    image = np.asarray(image)
    bright = ((np.maximum(image, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(image <= 0.04045, image / 12.92, bright).astype(image.dtype)


def linear_to_srgb(image: np.ndarray) -> np.ndarray:
    """Encode linear light as sRGB (IEC 61966-2-1).

    Monotone on all reals; [0, 1] maps onto [0, 1], nothing is clipped.

    Args:
        image: array of any shape, float.

    Returns:
        The same shape and dtype.
    """
    image = np.asarray(image)
    bright = 1.055 * np.maximum(image, 0.0031308) ** (1.0 / 2.4) - 0.055
    return np.where(image <= 0.0031308, image * 12.92, bright).astype(image.dtype)


def quantize16(image: np.ndarray) -> np.ndarray:
    """Clip to [0, 1] and round to 16 bits.

    Args:
        image: array of any shape, float.

    Returns:
        The same shape, uint16, 65535 for one.
    """
    return _quantize(image, 65535).astype(np.uint16)


def quantize8(image: np.ndarray) -> np.ndarray:
    """Clip to [0, 1] and round to 8 bits.

    Args:
        image: array of any shape, float.

    Returns:
        The same shape, uint8, 255 for one.
    """
    return _quantize(image, 255).astype(np.uint8)


def _quantize(image, maximum):
    clipped = np.clip(np.asarray(image, np.float64), 0.0, 1.0)
    return np.floor(clipped * maximum + 0.5)


def draw_noise_levels(rng, shot_range=(1e-5, 1e-3)):
    """Draw the noise of a sensor (Brooks et al., CVPR 2019).

        log shot ~ U(log shot_range),  log read ~ N(2.18 log shot + 1.20, 0.26)

    Args:
        rng: `numpy.random.Generator`.
        shot_range: (low, high); the paper's (1e-4, 0.012) is a phone in dim light, the
            default a large sensor in good light.

    Returns:
        (shot, read): floats for `add_noise`; the variance at x is shot x + read.
    """
    log_shot = rng.uniform(*np.log(shot_range))
    log_read = rng.normal(2.18 * log_shot + 1.20, 0.26)
    return float(np.exp(log_shot)), float(np.exp(log_read))


def add_noise(
    rng: np.random.Generator,
    left: np.ndarray,
    right: np.ndarray,
    shot: float,
    read: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Add independent shot and read noise to both views, in linear light.

    Each half-pixel collects half the light; scaled to full brightness its noise has the
    variance 2 (shot x + read), so that the mean of the views has shot x + read.

    Args:
        rng: `numpy.random.Generator`.
        left, right: arrays of linear light >= 0, equal shapes.
        shot, read: floats >= 0, the noise of the photograph (left + right) / 2.

    Returns:
        (left, right), the dtypes of the inputs; not clipped.
    """
    return tuple(
        (view + rng.standard_normal(view.shape) * _deviation(view, shot, read)).astype(
            view.dtype
        )
        for view in (left, right)
    )


def _deviation(view, shot, read):
    return np.sqrt(2.0 * (shot * np.maximum(view, 0.0) + read))


def apply_gain_mismatch(left, right, gain=1.0, shading=0.0):
    """Shade the two views in opposite directions, as real dual pixels do.

    Args:
        left, right: (height, width, 3) linear light.
        gain: float > 0, the left view over the right; real sensors 0.97 to 1.03.
        shading: float in (-1, 1), rise of the left view (fall of the right) from the
            centre to the right edge; real sensors up to 0.1.

    Returns:
        (left, right), the dtypes of the inputs.
    """
    ramp = shading * np.linspace(-1.0, 1.0, left.shape[1])[:, None]
    left_gain = (np.sqrt(gain) * (1.0 + ramp)).astype(left.dtype)
    right_gain = ((1.0 - ramp) / np.sqrt(gain)).astype(right.dtype)
    return left * left_gain, right * right_gain


def sharpen(image, sigma, amount):
    """Unsharp mask, as cameras sharpen their files.

    Args:
        image: (height, width, 3) float32, sRGB-encoded.
        sigma: float > 0 [px], of the Gaussian that is subtracted.
        amount: float >= 0, 0 for none.

    Returns:
        Array like `image`, clipped to [0, 1].
    """
    smooth = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.clip(image + amount * (image - smooth), 0, 1).astype(image.dtype)


def compress(image, quality, subsampling):
    """What is left of an image in a JPEG file.

    Args:
        image: (height, width, 3) float32 in [0, 1], sRGB-encoded.
        quality: int, 1 to 100.
        subsampling: bool, colours at half the resolution, as most cameras store them.

    Returns:
        (height, width, 3) float32, of 8-bit values.
    """
    factor = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
        if subsampling
        else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    )
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    pixels = np.ascontiguousarray(quantize8(image)[..., ::-1])
    _, file = cv2.imencode(".jpg", pixels, settings)
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255


def warp_radially(image: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """Distort an image about its centre by bicubic interpolation.

    The output at radius r shows the input at (A r^3 + B r^2 + C r + D) r, with r in
    units of half the smaller side. Warp views, photograph, sharp image and maps alike,
    and crop `valid_margin`: beyond the frame the outermost pixels repeat.

    Args:
        image: (height, width) or (height, width, channels) float.
        coefficients: (A, B, C, D) floats; (0, 0, 0, 1) is the identity.

    Returns:
        Array like `image`.
    """
    position = _source_position(*image.shape[:2], coefficients)
    planes = image.reshape(*image.shape[:2], -1)
    warped = [
        ndimage.map_coordinates(planes[..., index], position, order=3, mode="nearest")
        for index in range(planes.shape[-1])
    ]
    return np.stack(warped, axis=-1).reshape(image.shape).astype(image.dtype)


def valid_margin(height, width, coefficients):
    """Pixels to crop on every side so that a radial warp saw only the frame; int."""
    rows, columns = _source_position(height, width, coefficients)
    slack = 1e-9  # rounding of the identity
    inside = (rows >= -slack) & (rows <= height - 1 + slack)
    inside &= (columns >= -slack) & (columns <= width - 1 + slack)
    margin = 0
    while not inside[margin : height - margin, margin : width - margin].all():
        margin += 1
    return margin


def _source_position(height, width, coefficients):
    """(2, height, width) float64 rows and columns that a radial warp reads."""
    cubic, square, linear, constant = coefficients
    centre = np.array([(height - 1) / 2.0, (width - 1) / 2.0])[:, None, None]
    offset = np.indices((height, width), dtype=np.float64) - centre
    radius = np.hypot(*offset) / (min(height, width) / 2.0)
    scale = ((cubic * radius + square) * radius + linear) * radius + constant
    return centre + offset * scale
