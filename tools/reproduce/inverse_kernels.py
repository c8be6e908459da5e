"""KPAC's figures on inverse kernels, at the settings that the paper prints.

    python tools/reproduce/inverse_kernels.py --output docs/kpac_inverse_kernels

Printed: Wiener inverse kernels, Lanczos enlargement, every scale, the accuracy. Not
printed: the kernel, its noise-to-signal ratio, the photographs, and where inverse
kernels are cut off. So the first two are stated by flags and swept: `sweep.png` marks
the paper's values on what each choice gives. Also prints the tables and writes them as
`tables.md`, with `commuting.png` (a photograph deblurred three ways), `kernels.png`
(inverse kernels, red above zero, blue below) and `enlarged_gaussian.png` (Fig. 12).

Photographs are Y = 0.299 R + 0.587 G + 0.114 B of scikit-image's, mirrored at the
border, in float64 and without noise. Takes half a minute.
"""

import pathlib

import cv2
import numpy as np
from absl import flags
from skimage import color, data

from tf_defocus import commands, whole_files
from tf_defocus.deconvolution import inverse_kernel
from tf_defocus.images.files import Image, write_image
from tf_defocus.markdown_table import markdown_table
from tf_defocus.optics import psf
from tf_defocus.reports import line_chart

OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
SIZE = flags.DEFINE_integer("size", 256, "Crop of the photographs [px].", 64)
RADIUS = flags.DEFINE_float("radius", 1.5, "Of the Gaussian, 2 sigma, at scale 1 [px].")
NOISE_TO_SIGNAL = flags.DEFINE_float("noise_to_signal", 1e-2, "Of the Wiener filters.")

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
LOBES = 3  # of Lanczos' window, by which an enlarged kernel grows [px]
REACH = 20  # of the inverse kernel at scale 1 [px]
FIGURE_1 = 5  # the scale of Figs. 1 and 4
FIGURE_2 = (3, 3.5, 4)  # undone by 3.0 and 4.0
FIGURE_13 = ((3, 3.4, 4), (3, 3.5, 4), (3, 3.6, 4), (2, 2.6, 3), (1, 1.7, 2))
FIGURE_14 = (3, 4, 5)
PRINTED = {"Fig. 1": 51.09, "Fig. 4": 53.74, "halves": 87.4, "fitted": 92.5}
PRINTED_13 = ((98.68, 98.55), (97.84, 97.87), (98.96, 99.10))
PRINTED_13 += ((95.37, 96.12), (97.03, 97.64))
SWEPT = {
    "Gaussian 1": psf.gaussian(1.0),
    "Gaussian 1.5": psf.gaussian(1.5),
    "Gaussian 2": psf.gaussian(2.0),
    "disc 1": psf.disc(1.0),
    "disc 1.5": psf.disc(1.5),
    "disc 2": psf.disc(2.0),
}
RATIOS = (0.003, 0.006, 0.01, 0.02, 0.03, 0.06, 0.1)  # noise to signal
TILE = (164, 164)  # of the picture of kernels [px]


def photographs(size):
    """Name -> (size, size) float64 luminance crop about the centre, in [0, 1]."""
    crops = {}
    for name in PHOTOGRAPHS:
        grey = color.rgb2gray(getattr(data, name)()[..., :3])
        top, left = ((n - size) // 2 for n in grey.shape)
        crops[name] = grey[max(top, 0) :][:size, max(left, 0) :][:, :size]
    return crops


def enlarge(kernel, scale, reach, method="lanczos"):
    """The kernel at a scale, as wide as the reach at that scale [KPAC Eq. 4]."""
    side = 2 * int(np.ceil(scale * reach)) + 1
    return inverse_kernel.upsample_kernel(kernel, scale, method, side)


def blurred_by(photograph, kernel, scale):
    """A photograph behind the enlarged kernel."""
    blur = enlarge(kernel, scale, len(kernel) // 2 + LOBES)
    return blur, inverse_kernel.apply_kernel(photograph, blur)


def deblurrings(photograph, kernel, scale, ratio):
    """A photograph blurred at an integer scale, and restored three ways.

    Returns:
        dict of arrays: `blurred`; by the `inverse` of the enlarged kernel and by the
        `enlarged` inverse kernel, the two sides of [KPAC Eq. 4]; by the `dilated` one.
    """
    small = inverse_kernel.wiener_inverse_kernel(kernel, ratio, 2 * REACH + 1)
    blur, blurred = blurred_by(photograph, kernel, scale)
    side = 2 * scale * REACH + 1
    kernels = {
        "inverse": inverse_kernel.wiener_inverse_kernel(blur, ratio, side),
        "enlarged": enlarge(small, scale, REACH),
        "dilated": enlarge(small, scale, REACH, "dilation"),
    }
    restored = {
        name: inverse_kernel.apply_kernel(blurred, one) for name, one in kernels.items()
    }
    return {"blurred": blurred, **restored}


def psnr(first, second):
    """[dB] for a range of one."""
    return -10 * np.log10(np.mean((first - second) ** 2))


def accuracy(estimate, reference):
    """1 - mean |1 - estimate / reference| over all pixels [%] [KPAC footnote 1]."""
    return 100 * (1 - np.mean(np.abs(1 - estimate / reference)))


def blends(photograph, kernel, triple, ratio):
    """How well two inverse kernels replace the one between [KPAC Eq. 5].

    Args:
        photograph: (height, width) float.
        kernel: the blur at scale 1.
        triple: (smaller, wanted, larger) scale; the outer two integers.
        ratio: float > 0, noise to signal.

    Returns:
        dict: accuracy [%] of equal weights (`halves`), of non-negative least squares
        (`fitted`), of the same with dilated kernels (`dilated`), and the `weights` of
        the second.
    """
    low, wanted, high = triple
    small = inverse_kernel.wiener_inverse_kernel(kernel, ratio, 2 * REACH + 1)
    _, blurred = blurred_by(photograph, kernel, wanted)

    def deblur(scale, method="lanczos"):
        enlarged = enlarge(small, scale, REACH, method)
        return inverse_kernel.apply_kernel(blurred, enlarged)

    exact = deblur(wanted)
    pair = [deblur(scale) for scale in (low, high)]
    dilated = [deblur(scale, "dilation") for scale in (low, high)]
    weights = inverse_kernel.blend_weights(exact, pair)
    ways = {
        "halves": (pair, (0.5, 0.5)),
        "fitted": (pair, weights),
        "dilated": (dilated, inverse_kernel.blend_weights(exact, dilated)),
    }
    blend = inverse_kernel.blend_kernels
    return {
        **{name: accuracy(blend(*way), exact) for name, way in ways.items()},
        "weights": weights,
    }


def four_numbers(photograph, kernel, ratio):
    """What the paper prints of Figs. 1, 2 and 4, by the names of `PRINTED`."""
    restored = deblurrings(photograph, kernel, FIGURE_1, ratio)
    blended = blends(photograph, kernel, FIGURE_2, ratio)
    return {
        "Fig. 1": psnr(restored["inverse"], restored["enlarged"]),
        "Fig. 4": psnr(restored["enlarged"], restored["dilated"]),
        "halves": blended["halves"],
        "fitted": blended["fitted"],
    }


def table_of_commuting(crops, kernel, ratio):
    """[KPAC Figs. 1 and 4]: one row per photograph [dB]."""
    rows = []
    for name, photograph in crops.items():
        restored = deblurrings(photograph, kernel, FIGURE_1, ratio)
        to_sharp = [
            psnr(restored[way], photograph)
            for way in ("blurred", "inverse", "enlarged")
        ]
        sides = psnr(restored["inverse"], restored["enlarged"])
        rows.append(
            (name, *to_sharp, sides, psnr(restored["enlarged"], restored["dilated"]))
        )
    head = "photograph|blurred|inverse of enlarged|enlarged inverse|Fig. 1|Fig. 4"
    return _markdown(head.split("|"), rows, "{:.2f}")


def table_of_blends(crops, triples, kernel, ratio):
    """[KPAC Figs. 2 and 13]: accuracy by triple of scales and photograph [%]."""
    rows = []
    for triple in triples:
        for name, photograph in crops.items():
            found = blends(photograph, kernel, triple, ratio)
            numbers = [found[way] for way in ("halves", "fitted", "dilated")]
            label = f"{', '.join(map(str, triple))}: {name}"
            rows.append((label, *numbers, *found["weights"]))
    head = "scales|0.5 / 0.5|Eq. 5|dilated|weight of smaller|of larger"
    return _markdown(head.split("|"), rows, "{:.2f}")


def table_of_shapes(crops, radius, ratio):
    """[KPAC Fig. 14]: smallest PSNR, enlarged against dilated, over photographs."""
    shapes = {
        "disc": psf.disc(radius),
        "Gaussian": psf.gaussian(radius),
        "Butterworth": sum(psf.butterworth(radius)) / 2,
        "half disc": psf.half_disc(radius)[0],
    }
    rows = []
    for name, kernel in shapes.items():
        worst = []
        for scale in FIGURE_14:
            ways = [deblurrings(c, kernel, scale, ratio) for c in crops.values()]
            worst.append(min(psnr(w["enlarged"], w["dilated"]) for w in ways))
        rows.append((name, *worst))
    return _markdown(["kernel", *(f"scale {s}" for s in FIGURE_14)], rows, "{:.2f}")


def _markdown(head, rows, form):
    texts = [[str(name), *map(form.format, values)] for name, *values in rows]
    return markdown_table(head, texts)


def sweep(photograph, kernels, ratios):
    """`four_numbers` by kernel and ratio: dict, name -> kernel -> list of float."""
    found = {name: {} for name in PRINTED}
    for label, kernel in kernels.items():
        every = [four_numbers(photograph, kernel, ratio) for ratio in ratios]
        for name in found:
            found[name][label] = [numbers[name] for numbers in every]
    return found


def picture_of_sweep(found, ratios):
    """Four charts, each with the paper's value as a level line; uint8."""
    titles = {
        "Fig. 1": "inverse of enlarged against enlarged inverse, s = 5",
        "Fig. 4": "enlarged against dilated inverse kernel, s = 5",
        "halves": "3.5 undone by 3.0 and 4.0, equal weights (Fig. 2)",
        "fitted": "3.5 undone by 3.0 and 4.0, fitted weights (Fig. 2)",
    }
    charts = []
    for name, curves in found.items():
        lines = {"paper": (ratios, [PRINTED[name]] * len(ratios))}
        lines |= {label: (ratios, values) for label, values in curves.items()}
        percent = name in ("halves", "fitted")
        unit, limits = ("accuracy [%]", (60, 100)) if percent else ("PSNR [dB]", None)
        charts.append(
            line_chart.draw_lines(
                lines, titles[name], "noise to signal", unit, True, limits
            )
        )
    rows = [np.concatenate(charts[i : i + 2], axis=1) for i in (0, 2)]
    return np.concatenate(rows)


def enlarged_gaussian(sigma=1.0, scale=3, reach=9):
    """[KPAC Fig. 12]: rows through the middle of a Gaussian and of two enlargements.

    Returns:
        (offsets [px], dict of rows): k, k enlarged by Lanczos over scale^2, and the
        Gaussian of `scale` times the standard deviation.
    """
    small = _sampled_gaussian(sigma, reach)
    side = 2 * reach + 1
    rows = {
        "k": small,
        "k enlarged x 3, / 9": inverse_kernel.upsample_kernel(
            small, scale, "lanczos", side
        ),
        "Gaussian of 3 sigma": _sampled_gaussian(scale * sigma, reach),
    }
    offsets = np.arange(-reach, reach + 1)
    return offsets, {name: kernel[reach] for name, kernel in rows.items()}


def _sampled_gaussian(sigma, reach):
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.outer(line, line) / (2 * np.pi * sigma**2)


def picture_of_commuting(photograph, kernel, ratio):
    """[KPAC Fig. 1] sharp, blurred, and restored three ways; uint8 in a row."""
    restored = deblurrings(photograph, kernel, FIGURE_1, ratio)
    middle = slice(len(photograph) // 4, len(photograph) * 3 // 4)
    tiles = [tile[middle, middle] for tile in (photograph, *restored.values())]
    row = np.concatenate(tiles, axis=1)
    return np.rint(np.clip(row, 0, 1) * 255).astype(np.uint8)


def picture_of_kernels(kernel, ratio):
    """[KPAC Fig. 4 b, c] enlarged and dilated inverse kernels, beside k's; uint8."""
    small = inverse_kernel.wiener_inverse_kernel(kernel, ratio, 2 * REACH + 1)
    shown = 8 * FIGURE_1  # [px] each way
    tiles = [small[REACH - 8 : REACH + 9, REACH - 8 : REACH + 9]]
    for method in ("lanczos", "dilation"):
        large = enlarge(small, FIGURE_1, REACH, method)
        middle = slice(len(large) // 2 - shown, len(large) // 2 + shown + 1)
        tiles.append(large[middle, middle])
    tiles = [
        cv2.resize(_signed(tile), TILE, interpolation=cv2.INTER_NEAREST)
        for tile in tiles
    ]
    return np.concatenate(tiles, axis=1)


def _signed(kernel):
    """Cube roots, so that the ripples show: red above zero, blue below."""
    values = np.cbrt(kernel / np.abs(kernel).max())
    zeros = np.zeros_like(values)
    picture = np.stack([np.maximum(values, 0), zeros, np.maximum(-values, 0)], axis=-1)
    return np.rint(picture * 255).astype(np.uint8)


def report(crops, radius, ratio):
    """Every table, as Markdown."""
    kernel = psf.gaussian(radius)
    parts = (
        ("Figs. 1 and 4 [dB]", table_of_commuting(crops, kernel, ratio)),
        ("Fig. 2 [%]", table_of_blends(crops, (FIGURE_2,), kernel, ratio)),
        ("Fig. 13 [%]", table_of_blends(crops, FIGURE_13, kernel, ratio)),
        ("Fig. 14 [dB]", table_of_shapes(crops, radius, ratio)),
    )
    return "\n".join(f"## {title}\n\n{table}" for title, table in parts)


def write_pictures(output, photograph, radius, ratio):
    """The pictures of the page, into an existing folder."""
    kernel = psf.gaussian(radius)
    offsets, rows = enlarged_gaussian()
    commuting = picture_of_commuting(photograph, kernel, ratio)
    pictures = {
        "commuting": np.repeat(commuting[..., None], 3, axis=-1),
        "kernels": picture_of_kernels(kernel, ratio),
        "enlarged_gaussian": line_chart.draw_lines(
            {name: (offsets, row) for name, row in rows.items()},
            "Fig. 12: a Gaussian enlarged by Lanczos",
            "[px]",
            "kernel",
        ),
        "sweep": picture_of_sweep(sweep(photograph, SWEPT, RATIOS), RATIOS),
    }
    for name, pixels in pictures.items():
        write_image(output / f"{name}.png", Image(pixels))


def main(_):
    """Measures, prints and saves."""
    crops = photographs(SIZE.value)
    text = report(crops, RADIUS.value, NOISE_TO_SIGNAL.value)
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    write_pictures(output, crops[PHOTOGRAPHS[0]], RADIUS.value, NOISE_TO_SIGNAL.value)
    whole_files.write_text(output / "tables.md", text)
    print(text, end="")


if __name__ == "__main__":
    commands.run(main)
