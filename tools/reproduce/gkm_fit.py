"""Fits defocus kernels by a Gaussian, a disc and GKMNet's mixture of Gaussians.

    python tools/reproduce/gkm_fit.py --output results/gkm_fit

Prints the table of relative errors and what it says of the paper's claim, and writes
both as `table.md`, with the kernels as
`kernels.png`: in a row, the kernel and its fits, then their errors in red (too bright)
and blue (too dark), all relative to the brightest pixel of that kernel. The weights of
the mixture are not negative; those of the signed one may be. Takes seconds.
"""

import pathlib
import textwrap

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.images.files import Image, write_image
from tf_defocus.markdown_table import markdown_table
from tf_defocus.ops.gaussian import BANKS
from tf_defocus.optics import kernel_fit

OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
BANK = flags.DEFINE_enum("bank", "default", list(BANKS), "Bank of the mixture.")

MODELS = ("Gaussian", "disc", "mixture", "signed mixture")
ZOOM = 5  # picture pixels per kernel pixel
GAP = 4  # [px]
LABEL_HEIGHT = 20  # [px]


def fit(kernel, bank):
    """Fitted kernels by model, in the order of the table."""
    fits = [kernel_fit.fit_gaussian(kernel), kernel_fit.fit_disc(kernel)]
    for signed in (False, True):
        fits.append(kernel_fit.fit_mixture(kernel, bank, signed)[0])
    return dict(zip(MODELS, fits))


def measure(kernels, fits):
    """dict, kernel (and `mean`) -> relative error of every model [%]."""
    errors = {
        name: [100 * kernel_fit.relative_error(f, kernel) for f in fits[name].values()]
        for name, kernel in kernels.items()
    }
    return {**errors, "mean": np.mean(list(errors.values()), axis=0)}


def verdict(mean):
    """What the mean errors say of the paper's claim: Markdown.

    Args:
        mean: errors in the order of `MODELS` [%].
    """
    gaussian, disc, mixture, signed = mean
    return (
        "The paper says that the mixture fits most isotropic kernels better than a "
        "single Gaussian or disc [GKMNet Sec. 2]. Of weights that are not negative, "
        f"as Eq. 3 is read here, the mixture {_beats(mixture, gaussian)} the Gaussian "
        f"and {_beats(mixture, disc)} the disc; with weights of both signs, which the "
        f"network may learn, it {_beats(signed, disc)} the disc."
    )


def _beats(error, other):
    return "beats" if error < other else "does not beat"


def table(errors):
    """Markdown: one row per kernel, the relative error of every model in percent."""
    rows = [[name, *(f"{e:.1f}" for e in row)] for name, row in errors.items()]
    return markdown_table(["kernel", *(f"{model} [%]" for model in MODELS)], rows)


def picture(kernels, fits):
    """(height, width, 3) uint8: a labelled strip per kernel."""
    strips = []
    for name, kernel in kernels.items():
        fitted = list(fits[name].values())
        peak = kernel.max()
        tiles = [np.repeat(k[..., None] / peak, 3, axis=-1) for k in (kernel, *fitted)]
        tiles += [_signed((f - kernel) / peak) for f in fitted]
        tiles = [_enlarge(tile) for tile in tiles]
        strips.append(np.concatenate([_label(name, tiles), _join(tiles)]))
    return np.concatenate(strips)


def _signed(error):
    """Red where positive, blue where negative, black where zero."""
    zeros = np.zeros_like(error)
    return np.stack([np.maximum(error, 0), zeros, np.maximum(-error, 0)], axis=-1)


def _enlarge(tile):
    pixels = np.rint(np.clip(tile, 0, 1) * 255).astype("uint8")
    return pixels.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def _join(tiles):
    gap = np.full((tiles[0].shape[0], GAP, 3), 255, "uint8")
    columns = [tiles[0]]
    for tile in tiles[1:]:
        columns += [gap, tile]
    return np.concatenate(columns, axis=1)


def _label(name, tiles):
    bar = np.full((LABEL_HEIGHT, _join(tiles).shape[1], 3), 255, "uint8")
    text = f"{name}: kernel, {', '.join(MODELS)}; errors"
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(bar, text, (GAP, 14), font, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return bar


def main(_):
    """Fits, prints and saves."""
    kernels = kernel_fit.sample_kernels()
    fits = {name: fit(kernel, BANK.value) for name, kernel in kernels.items()}
    errors = measure(kernels, fits)
    text = f"{table(errors)}\n{textwrap.fill(verdict(errors['mean']), 88)}\n"
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    drawn = Image(picture(kernels, fits))
    write_image(output / "kernels.png", drawn)
    whole_files.write_text(output / "table.md", text)
    print(text, end="")


if __name__ == "__main__":
    commands.run(main)
