"""Levels of a file to values in [0, 1] and back; values that are neither."""

import numpy as np

# Sharpening and resampling overshoot white and black; data on another scale go further.
LOWEST, HIGHEST = -0.5, 2.0
SCALES = (255, 65535)


def full_scale(dtype):
    """White: 1 for floats, else the largest level, as a Python number."""
    dtype = np.dtype(dtype)
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)


def to_float(values):
    """Levels as float32 in [0, 1]."""
    return values.astype(np.float32) / np.float32(full_scale(values.dtype))


def to_levels(values, dtype):
    """Float values, clipped to [0, 1], as rounded levels; floats are only clipped."""
    values = np.clip(values, 0, 1)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    return np.rint(values * full_scale(dtype)).astype(dtype)


def convert(values, dtype):
    """Levels of another depth, full scale to full scale, rounded."""
    return to_levels(to_float(values), dtype)


def widened(values, bits):
    """Levels of fewer than 16 bits as those of 16, full scale to full scale.

    Args:
        values: array of levels; those of 8 bits stay as they are.
        bits: int, 8 to 15.
    """
    if bits == 8:
        return values
    most, full = (1 << bits) - 1, full_scale(np.uint16)
    return ((values.astype(np.uint32) * full + most // 2) // most).astype(np.uint16)


def check_range(values):
    """The least and the largest of float values.

    Args:
        values: float array.

    Returns:
        `(low, high)`, float.

    Raises:
        ValueError: if values are not finite, or on another scale than 0 to 1.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("it holds values that are not finite; repair them first")
    if high > HIGHEST:
        scale = next((s for s in SCALES if high <= 1.02 * s), "the value of white")
        if high < 16:  # light of a scene, not a scale of levels
            scale = "the value of white"
        raise ValueError(
            f"it holds values up to {high:g}; expected 0 to 1: divide by {scale}"
        )
    if low < LOWEST:
        raise ValueError(
            f"it holds values down to {low:g}; expected 0 to 1: shift them"
        )
    return low, high
