"""Draws the tables of the pages of results as curves.

    python tools/plot_tables.py --output docs/charts

The numbers are those that stand on the pages, so a picture and its page agree: gain
over noise of `docs/noise_sensitivity.md`, and how well each model fits each kernel of
`docs/gkm_fit/table.md`. Give the command again when `make reports` has made them anew.
"""

import pathlib
import re

import numpy as np
from absl import flags

from tf_defocus import commands

OUTPUT = flags.DEFINE_string("output", None, "Folder of pictures.", required=True)
DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
LABELS = ("radius [px]", "error of the fit [%]")
FAMILIES = ("disc", "Butterworth", "dual-pixel sum")


def read_table(path):
    """The first table of a Markdown page.

    Returns:
        (head, rows): lists of str.

    Raises:
        ValueError: if the page has none.
    """
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    if len(lines) < 3:
        raise ValueError(f"Expected a table in {path}. Received: {len(lines)} lines")
    head, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return head, [row for row in rows if len(row) == len(head)]


def noise_curves(head, rows):
    """dict, method -> (noise [of 255], gain over the noisy input [dB]).

    Args:
        head, rows: of the page's table, whose cells are `PSNR, SSIM (gain)`.
    """
    sigmas = [float(row[0]) for row in rows]
    return {
        method: (sigmas, [float(row[i].split("(")[1].rstrip(")")) for row in rows])
        for i, method in enumerate(head)
        if i > 1
    }


def fit_curves(head, rows):
    """dict, family of kernels -> dict, model -> (radius [px], error [%]).

    Args:
        head, rows: of the page's table; kernels cut at an image's edge are left out.
    """
    curves = {}
    for family in FAMILIES:
        found = {
            float(match.group(1)): [float(cell) for cell in cells]
            for name, *cells in rows
            if (match := re.fullmatch(rf"{family}, radius ([\d.]+) px", name))
        }
        columns = np.transpose(list(found.values()))
        curves[family] = {
            model.removesuffix(" [%]"): (list(found), list(column))
            for model, column in zip(head[1:], columns)
        }
    return curves


def main(_):
    """Draws and writes the pictures."""
    from tf_defocus.images.files import Image, write_image
    from tf_defocus.reports.line_chart import draw_lines

    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    noise = noise_curves(*read_table(DOCS / "noise_sensitivity.md"))
    title = "Gain over the noisy input"
    picture = draw_lines(noise, title, "noise [of 255]", "gain [dB]")
    write_image(output / "noise.png", Image(picture))
    fits = fit_curves(*read_table(DOCS / "gkm_fit" / "table.md"))
    panels = [
        draw_lines(curves, f"Kernel: {family}", *LABELS, y_range=(0, 60))
        for family, curves in fits.items()
    ]
    write_image(output / "kernel_fit.png", Image(np.concatenate(panels, axis=1)))


if __name__ == "__main__":
    commands.run(main)
