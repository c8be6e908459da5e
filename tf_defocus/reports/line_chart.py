"""Line charts as pictures, by matplotlib: `pip install "tf-defocus[figures]"`.

For the few curves of reports and model cards; it knows nothing of what they mean.
"""

import numpy as np

SIZE = (360, 560)  # (height, width) [px] of a whole chart
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 30, 44  # [px] around the axes
DPI = 100
COLOURS = (
    (110, 110, 110),
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)


def draw_lines(curves, title, x_label, y_label, log_x=False, y_range=None):
    """Draws curves over common axes.

    Args:
        curves: dict, label -> (x, y), two sequences of one length, at least 2; values
            that are not finite interrupt the line.
        title, x_label, y_label: str.
        log_x: bool, a logarithmic x axis; points at or below zero are left out.
        y_range: (low, high), or None for that of the data.

    Returns:
        (360, 560, 3) uint8.

    Raises:
        ValueError: if there is no curve, the lengths differ, or no point can be drawn.
        ImportError: if matplotlib is not installed.
    """
    points = [_points(*curve, log_x) for curve in curves.values()]
    if not any(np.isfinite(curve).all(axis=0).any() for curve in points):
        raise ValueError("A chart needs a curve with finite points. Received: none")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    height, width = SIZE
    figure = Figure((width / DPI, height / DPI), dpi=DPI)
    place = [LEFT, BOTTOM, width - LEFT - RIGHT, height - TOP - BOTTOM]
    axes = figure.add_axes(np.divide(place, [width, height, width, height]))
    colours = [np.divide(COLOURS[i % len(COLOURS)], 255) for i in range(len(points))]
    for label, (x, y), colour in zip(curves, points, colours):
        # Above the frame, so that a curve along it is seen.
        inside = {"clip_on": bool(y_range), "zorder": 3}
        axes.plot(x, y, color=colour, linewidth=1.5, label=label, **inside)
    if log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0)
    if y_range:
        axes.set_ylim(*y_range)
    axes.set_xlabel(x_label, fontsize=8)
    axes.set_ylabel(y_label, fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)
    axes.grid(color="0.88", linewidth=0.6)
    if any(curves):
        axes.legend(fontsize=7, loc="best")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def _points(x, y, log_x):
    """(2, points) float64, NaN where a logarithmic axis has no place for x."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise ValueError(
            "A curve needs x and y of one length, at least 2. "
            f"Received: shapes {x.shape} and {y.shape}"
        )
    return np.stack([np.where((x > 0) | (not log_x), x, np.nan), y])
