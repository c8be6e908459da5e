"""Draws GKMNet's Gaussian kernels, and those that a run learned [GKMNet Fig. 4].

    python tools/reproduce/gkm_kernels.py --output docs/gkm_fit/bank.png
    python tools/reproduce/gkm_kernels.py --run runs/gkmnet_gaussians_learned \\
        --output learned.png

First row: the predefined kernels, narrow to wide, each relative to its own largest
value. With `--run`, three rows follow: what the run's kernels became for red, green and
blue, red above zero and blue below; and the tool prints how far they moved.
"""

import pathlib

import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.images.files import Image, write_image
from tf_defocus.models import presets
from tf_defocus.ops import gaussian

RUN = flags.DEFINE_string("run", None, "Folder of a run with learned kernels.")
OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)
ZOOM, GAP = 3, 3


def predefined(bank):
    """(kernels, size, size) Gaussians that a bank starts from.

    Args:
        bank: `GaussianConvolution`.
    """
    return gaussian.outer_products(
        gaussian.gaussian_bank(bank.num_gaussians, bank.max_kernel_size, bank.bank)
    )


def learned(bank):
    """(3, kernels, size, size), per colour, in the order of the bank's output maps.

    Raises:
        ValueError: if the bank has no weights: it is fixed.
    """
    if bank.kernels is None:
        raise ValueError(
            "this network's kernels are fixed; train the recipe "
            "gkmnet_gaussians_learned, or leave --run out"
        )
    return np.asarray(bank.kernels).transpose(2, 3, 0, 1)


def moved(kernels, start):
    """Mean distance of the kernels from their start, as shares of the start's norm."""
    distance = np.sqrt(np.square(kernels - start).sum((-2, -1)))
    return float((distance / np.sqrt(np.square(start).sum((-2, -1)))).mean())


def picture(rows):
    """Rows of kernels as uint8: red above zero, blue below, black at zero."""
    drawn = [np.concatenate([_tile(kernel) for kernel in row], axis=1) for row in rows]
    return np.concatenate(drawn)


def _tile(kernel):
    values = kernel / max(np.abs(kernel).max(), 1e-12)
    planes = [np.maximum(values, 0), np.zeros_like(values), np.maximum(-values, 0)]
    tile = np.rint(255 * np.stack(planes, axis=-1)).astype("uint8")
    tile = tile.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    return np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def main(_):
    """Draws the bank, and the run's kernels if there is one."""
    if RUN.value is None:
        rows = [gaussian.outer_products(gaussian.gaussian_bank())]
    else:
        network = presets.load_preset(RUN.value)
        bank = getattr(getattr(network, "summation", None), "convolution", None)
        if bank is None:
            raise ValueError(f"{RUN.value} holds no GKMNet with Gaussian kernels")
        start, kernels = predefined(bank), learned(bank)
        order = gaussian.tiled_order
        if bank.variant == "released":
            order = gaussian.repeated_order
        start_of = start[order(len(start), 3)]
        rows = [start, *kernels]
        print(f"moved by {100 * moved(kernels, start_of):.1f} % of their norm")
    pathlib.Path(OUTPUT.value).parent.mkdir(parents=True, exist_ok=True)
    write_image(OUTPUT.value, Image(picture(rows)))


if __name__ == "__main__":
    commands.run(main)
