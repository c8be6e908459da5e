"""The thin lens: how large the image of a point is that lies out of focus.

The sign carries the side: positive behind the focused plane, negative in front. All
other modules take diameters on the sensor in pixels; only this one knows about metres.
"""

import numpy as np


def circle_of_confusion(
    depth: float | np.ndarray,
    focal_length: float,
    f_number: float,
    focus_distance: float,
) -> np.float64 | np.ndarray:
    """Signed diameter of the circle of confusion on the sensor.

        c(Z) = f^2 / (N (s - f)) * (1 - s / Z)

    It is affine in 1 / Z, zero at Z = s and tends to f^2 / (N (s - f)) at infinity.

    Args:
        depth: float or array [m], distance Z from the lens, > 0; may be infinite.
        focal_length: float [m], f > 0.
        f_number: float, N > 0, the focal length over the diameter of the aperture.
        focus_distance: float [m], s > f, the distance in focus.

    Returns:
        float64 of the shape of `depth` [m], positive behind focus.

    Raises:
        ValueError: if a length is not positive or `focus_distance` <= `focal_length`.
    """
    depth = np.asarray(depth, np.float64)
    if focal_length <= 0 or f_number <= 0:
        raise ValueError(
            "Expected focal_length > 0 and f_number > 0. "
            f"Received: focal_length={focal_length}, f_number={f_number}"
        )
    if focus_distance <= focal_length:
        raise ValueError(
            f"Expected focus_distance > focal_length={focal_length} m. "
            f"Received: focus_distance={focus_distance}"
        )
    if not np.all(depth > 0):
        raise ValueError(f"Expected depth > 0. Received a minimum of {np.min(depth)}")
    at_infinity = focal_length**2 / (f_number * (focus_distance - focal_length))
    return at_infinity * (1.0 - focus_distance / depth)


def circle_of_confusion_pixels(
    depth: float | np.ndarray,
    focal_length: float,
    f_number: float,
    focus_distance: float,
    pixel_pitch: float,
) -> np.float64 | np.ndarray:
    """Signed diameter of the circle of confusion in pixels.

    Args:
        depth, focal_length, f_number, focus_distance: as `circle_of_confusion` [m].
        pixel_pitch: float [m] > 0, the distance of neighbouring pixels of the image at
            the size it is used: a photograph reduced 4 times has 4 times the pitch.

    Returns:
        float64 of the shape of `depth` [px], positive behind focus.

    Raises:
        ValueError: as `circle_of_confusion`, or if `pixel_pitch` is not positive.
    """
    if pixel_pitch <= 0:
        raise ValueError(f"Expected pixel_pitch > 0. Received: {pixel_pitch}")
    diameter = circle_of_confusion(depth, focal_length, f_number, focus_distance)
    return diameter / pixel_pitch
