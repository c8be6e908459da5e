"""Line charts as pictures, drawn with OpenCV: axes, ticks, curves, a legend.

For the few curves of reports and model cards; it knows nothing of what they mean.
"""

import cv2
import numpy as np

SIZE = (360, 560)  # (height, width) [px] of a whole chart
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 30, 44  # [px] around the axes
TEXT_HEIGHT = 9  # [px]
COLOURS = (
    (110, 110, 110),
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)
_INK, _GRID = (40, 40, 40), (225, 225, 225)


def draw_lines(curves, title, x_label, y_label, log_x=False, y_range=None):
    """Draws curves over common axes.

    Args:
        curves: dict, label -> (x, y), two sequences of one length, at least 2; values
            that are not finite interrupt the line.
        title, x_label, y_label: str, ASCII.
        log_x: bool, a logarithmic x axis; points at or below zero are left out.
        y_range: (low, high), or None for that of the data.

    Returns:
        (360, 560, 3) uint8.

    Raises:
        ValueError: if there is no curve, the lengths differ, or no point can be drawn.
    """
    points = {label: _points(*curve, log_x) for label, curve in curves.items()}
    drawn = [part for part in points.values() if len(part)]
    if not drawn:
        raise ValueError("A chart needs a curve with finite points. Received: none")
    every = np.concatenate(drawn)
    x_range = every[:, 0].min(), every[:, 0].max()
    y_range = y_range or (every[:, 1].min(), every[:, 1].max())
    picture = np.full((*SIZE, 3), 255, np.uint8)
    _draw_axes(picture, _widened(x_range), _widened(y_range), log_x)
    _write(picture, title, (LEFT, TOP - 12))
    _write(picture, x_label, (LEFT, SIZE[0] - 8))
    _write(picture, y_label, (4, TOP - 12))
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(points))]
    for part, colour in zip(points.values(), colours):
        placed = _place(part, _widened(x_range), _widened(y_range))
        cv2.polylines(picture, [placed], False, colour, 2, cv2.LINE_AA)
    row = _legend_row(picture, len(points))
    for i, (label, colour) in enumerate(zip(points, colours)):
        _write(picture, label, (SIZE[1] - 190, row + 16 * i), colour)
    return picture


def _legend_row(picture, count):
    """Baseline of the first label: above or below, where fewer curves pass."""

    def covered(row):
        lines = picture[row - 12 : row + 16 * count - 12, SIZE[1] - 190 : -RIGHT - 2]
        return int((lines.min(axis=-1) < min(_GRID)).sum())

    return min(TOP + 16, SIZE[0] - BOTTOM - 16 * count, key=covered)


def _points(x, y, log_x):
    """(points, 2) float64, x in decades where logarithmic, finite ones only."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise ValueError(
            "A curve needs x and y of one length, at least 2. "
            f"Received: shapes {x.shape} and {y.shape}"
        )
    if log_x:
        x = np.log10(np.where(x > 0, x, np.nan))
    finite = np.isfinite(x) & np.isfinite(y)
    return np.stack([x[finite], y[finite]], axis=-1)


def _widened(ends):
    """A range that is not empty."""
    low, high = map(float, ends)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _place(points, x_range, y_range):
    """Pixels (points, 1, 2) int32; values outside the range end at its border."""
    low = np.array([x_range[0], y_range[0]])
    high = np.array([x_range[1], y_range[1]])
    share = np.clip((points - low) / (high - low), 0, 1)
    width, height = SIZE[1] - LEFT - RIGHT, SIZE[0] - TOP - BOTTOM
    x, y = LEFT + share[:, 0] * width, TOP + (1 - share[:, 1]) * height
    return np.rint(np.stack([x, y], axis=-1)).astype(np.int32)[:, None]


def _draw_axes(picture, x_range, y_range, log_x):
    for value in ticks(*y_range):
        (column, row) = _place(np.array([[x_range[0], value]]), x_range, y_range)[0, 0]
        cv2.line(picture, (column, row), (SIZE[1] - RIGHT, row), _GRID, 1)
        _write(picture, f"{value:.4g}", (8, row + 4))
    marks = range(int(np.ceil(x_range[0])), int(np.floor(x_range[1])) + 1)
    for value in marks if log_x else ticks(*x_range):
        (column, row) = _place(np.array([[value, y_range[0]]]), x_range, y_range)[0, 0]
        cv2.line(picture, (column, TOP), (column, row), _GRID, 1)
        text = f"{10.0**value if log_x else value:.4g}"
        _write(picture, text, (column - 8, row + 16))
    corners = (LEFT, TOP), (SIZE[1] - RIGHT, SIZE[0] - BOTTOM)
    cv2.rectangle(picture, *corners, _INK, 1)


def ticks(low, high, wanted=5):
    """Round numbers within a range: 1, 2 or 5 times a power of ten apart.

    Args:
        low, high: float, `low` below `high`.
        wanted: int, about how many.

    Returns:
        list of float, ascending.
    """
    raw = (high - low) / wanted
    power = 10.0 ** np.floor(np.log10(raw))
    step = min((1, 2, 5, 10), key=lambda factor: abs(factor * power - raw)) * power
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(k * step) + 0.0 for k in np.arange(first, last + 1)]


def _write(picture, text, origin, colour=_INK):
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = cv2.getFontScaleFromHeight(font, TEXT_HEIGHT)
    cv2.putText(picture, text, origin, font, scale, colour, 1, cv2.LINE_AA)
