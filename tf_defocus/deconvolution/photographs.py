"""What the classical restorers take and give: photographs at their own depth."""

import numpy as np


def check_image(blurred):
    """Raises ValueError unless this is a finite (height, width, 3) photograph."""
    shape, dtype = np.shape(blurred), getattr(blurred, "dtype", type(blurred))
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"blurred must be (height, width, 3). Received: {shape}")
    if dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(
            f"blurred must be uint8, uint16 or float32. Received: dtype={dtype}"
        )
    if not np.isfinite(blurred).all():
        raise ValueError("blurred must be finite. Received: NaN or infinite pixels")


def in_its_depth(blurred, restore):
    """Runs a function of float32 images on a photograph of any depth.

    Args:
        blurred: (height, width, 3) uint8, uint16 or float32 in [0, 1].
        restore: function of the float32 image in [0, 1] -> image.

    Returns:
        Same shape and dtype as `blurred`, clipped to its range and rounded.
    """
    full = 1.0 if blurred.dtype.kind == "f" else np.iinfo(blurred.dtype).max
    image = blurred.astype(np.float32) / np.float32(full)
    restored = np.clip(restore(image), 0.0, 1.0) * full
    if blurred.dtype.kind == "u":
        restored = np.rint(restored)
    return restored.astype(blurred.dtype)
