"""Draws GKMNet's Gaussian kernels, and how much a photograph gets of each.

    python tools/reproduce/gkm_kernels.py --output docs/gkm_fit/bank.png
    python tools/reproduce/gkm_kernels.py --run runs/gkmnet_gaussians_learned \\
        --output learned.png
    python tools/reproduce/gkm_kernels.py --run gkmnet --maps docs/gkm_fit/maps.jpg \\
        --shown 0.4 --output docs/gkm_fit/bank.png

First row [GKMNet Fig. 4]: the predefined kernels, narrow to wide, each relative to its
own largest value. With a run whose kernels are learned, three rows follow: what they
became for red, green and blue, red above zero and blue below; and the tool prints how
far they moved.

`--maps` draws the coefficients beta of [GKMNet Eq. 8], as the paper's supplement does:
the photograph, then a map per kernel of the last step at full size, each relative to
its own largest value, red above zero and blue below; the tool prints these values.
Without `--input`, the photograph is scikit-image's astronaut in four strips, from left
to right sharp and blurred by discs of 1, 2 and 4 px.
"""

import pathlib

import cv2
import numpy as np
import skimage.data
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import rendered
from tf_defocus.images import levels
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.models import presets
from tf_defocus.ops import gaussian

RUN = flags.DEFINE_string("run", None, "A GKMNet preset, or folder of a run.")
INPUT = flags.DEFINE_string("input", None, "Photograph of the maps [four strips].")
MAPS = flags.DEFINE_string("maps", None, "Picture of the coefficients to write.")
OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)
SHOWN = flags.DEFINE_float("shown", 1.0, "Scale at which maps are shown.", 0.01)
ZOOM, GAP = 3, 3
RADII = (0, 1, 2, 4)  # [px], of the discs that blur


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


def coefficients(network, photograph):
    """beta of [GKMNet Eq. 8] at full size, in the last step.

        beta_m = gamma_m * mean over colours c of omega_m (from c to c)

    Args:
        network: single-view GKMNet with Gaussian kernels.
        photograph: (height, width, 3) float32 in [0, 1], sides that divide by its
            `size_multiple`.

    Returns:
        (height, width, kernels) float32, of the kernels on the blurred photograph.
    """
    summation, gammas = network.summation, []
    call = summation.call

    def record(blurred, previous, weights):
        gammas.append(np.asarray(weights)[0])
        return call(blurred, previous, weights)

    summation.call = record
    try:
        network({"blurred": photograph[None]})
    finally:
        summation.call = call
    count = summation.convolution.num_kernels
    omega = np.asarray(summation.kernel)[0, 0].reshape(2, 3, count, 3)[0]
    return gammas[-1][..., :count] * omega[[0, 1, 2], :, [0, 1, 2]].mean(0)


def picture_of_maps(photograph, maps):
    """The photograph, and each map relative to its largest, in rows of six; uint8."""
    values = maps / np.maximum(np.abs(maps).max((0, 1)), 1e-12)
    planes = [np.maximum(values, 0), 0 * values, np.maximum(-values, 0)]
    tiles = [photograph, *np.moveaxis(np.stack(planes, axis=-1), 2, 0)]
    tiles += [np.ones_like(photograph)] * (-len(tiles) % 6)
    border = ((0, GAP), (0, GAP), (0, 0))
    tiles = [np.pad(tile, border, constant_values=1) for tile in tiles]
    rows = [np.concatenate(tiles[i : i + 6], axis=1) for i in range(0, len(tiles), 6)]
    return levels.to_levels(np.concatenate(rows), np.uint8)


def _photograph(network):
    if INPUT.value:
        image = levels.to_float(read_image(INPUT.value).pixels[..., :3])
    else:
        photograph = skimage.data.astronaut() / np.float32(255)
        image = rendered.strips_of_blur(photograph, RADII)
    down, across = network.size_multiple
    height, width = image.shape[:2]
    return image[: height - height % down, : width - width % across]


def main(_):
    """Draws the bank, and the run's kernels and maps if there is one."""
    rows = [gaussian.outer_products(gaussian.gaussian_bank())]
    if MAPS.value and RUN.value is None:
        raise ValueError("--maps needs --run, a GKMNet preset or folder")
    if RUN.value is not None:
        network = presets.load_preset(RUN.value)
        bank = getattr(getattr(network, "summation", None), "convolution", None)
        if bank is None:
            raise ValueError(f"{RUN.value} holds no GKMNet with Gaussian kernels")
        rows = [predefined(bank)]
        if bank.kernels is not None or not MAPS.value:
            rows += [*learned(bank)]
            print(f"moved by {100 * moved(rows[1:], _start(bank)):.1f} % of their norm")
        if MAPS.value:
            photograph = _photograph(network)
            maps = coefficients(network, photograph)
            print("largest:", *(f"{value:.3g}" for value in np.abs(maps).max((0, 1))))
            drawn = picture_of_maps(photograph, maps)
            size = [round(SHOWN.value * side) for side in drawn.shape[1::-1]]
            drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
            _write(MAPS.value, drawn)
    _write(OUTPUT.value, picture(rows))


def _start(bank):
    """(3, kernels, size, size) Gaussians in the order of the learned kernels."""
    released = bank.variant == "released"
    order = gaussian.repeated_order if released else gaussian.tiled_order
    start = predefined(bank)
    return start[order(len(start), 3)]


def _write(path, pixels):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(pixels))


if __name__ == "__main__":
    commands.run(main)
