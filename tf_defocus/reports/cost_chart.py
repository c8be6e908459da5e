"""PSNR against cost as a picture [K3DN Fig. 1], by matplotlib: extra `figures`."""

import dataclasses

import numpy as np

SIZE = (560, 760)  # (height, width) [px] of a panel
DPI = 100
AREA = 12.0  # [pt^2] per million parameters
COLOURS = {"own": "#d55e00", "other": "#0072b2"}


@dataclasses.dataclass(frozen=True)
class Point:
    """One method.

    Attributes:
        label: str.
        psnr: float [dB].
        flops_g: float [10^9].
        parameters_m: float [10^6], the area of its circle.
        own: bool, drawn in the colour of the paper's own method.
        counted_g: float [10^9], the cost as counted here, a cross, or None.
    """

    label: str
    psnr: float
    flops_g: float
    parameters_m: float
    own: bool = False
    counted_g: float | None = None


def draw_panel(points, title):
    """PSNR over FLOPs, on a logarithmic axis; circles by parameters.

    Args:
        points: list of `Point`, at least one.
        title: str.

    Returns:
        (560, 760, 3) uint8.

    Raises:
        ValueError: if there is no point.
        ImportError: if matplotlib is not installed.
    """
    if not points:
        raise ValueError("A panel needs a point. Received: none")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    height, width = SIZE
    figure = Figure((width / DPI, height / DPI), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    for point in points:
        _draw(axes, point)
    axes.set_xlabel("FLOPs [10^9]", fontsize=9)
    axes.set_ylabel("PSNR [dB]", fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.grid(color="0.9", linewidth=0.6, which="both")
    axes.margins(0.14)
    axes.set_axisbelow(True)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def _draw(axes, point):
    colour = COLOURS["own" if point.own else "other"]
    area = AREA * point.parameters_m
    axes.scatter([point.flops_g], [point.psnr], s=area, color=colour, alpha=0.45)
    if point.counted_g:
        axes.plot(
            [point.flops_g, point.counted_g], [point.psnr] * 2, color="0.4", lw=0.8
        )
        axes.scatter([point.counted_g], [point.psnr], marker="x", s=28, color="0.1")
    text = f"{point.label} ({point.parameters_m:.1f} M)"
    place = {"textcoords": "offset points", "xytext": (0, 9), "ha": "center"}
    axes.annotate(text, (point.flops_g, point.psnr), fontsize=7, **place)
