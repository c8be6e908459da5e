"""Pictures that Pillow has decoded, as samples; and the way from CMYK to RGB."""

import io

import numpy as np
from PIL import ImageCms

from tf_defocus.images.refusals import Refused

# Pillow's mode -> the mode whose samples are taken.
TARGETS = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB"}
TARGETS |= {"RGBA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}


def to_samples(picture, icc):
    """8-bit samples of a decoded picture.

    Args:
        picture: Pillow's, loaded.
        icc: bytes or None, its colour profile.

    Returns:
        `(colour, alpha, notes, icc)`: (height, width, 1 or 3) uint8, (height, width) or
        None, a tuple of str, and the profile of the samples.

    Raises:
        Refused: for colours that are not read.
    """
    notes = ()
    if picture.mode == "CMYK":
        picture, notes = _cmyk_to_rgb(picture, icc)
        icc = None
    if picture.mode not in TARGETS:
        raise Refused(f"its {picture.mode} colours are not supported; save it as RGB")
    samples = np.asarray(picture.convert(TARGETS[picture.mode]))
    samples = samples if samples.ndim == 3 else samples[..., None]
    if samples.shape[2] in (2, 4):
        return samples[..., :-1], samples[..., -1], notes, icc
    return samples, None, notes, icc


def _cmyk_to_rgb(picture, icc):
    said = "CMYK was converted to RGB (sRGB)"
    if not icc:
        return picture.convert("RGB"), (said,)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        target = ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        reason = "its colour profile does not fit"
        return picture.convert("RGB"), (f"{said} without its profile: {reason}",)
    return made, (said,)
