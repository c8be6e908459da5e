"""Measures KPAC's observations on inverse kernels, on photographs of scikit-image.

    python tools/reproduce/inverse_kernels.py --output docs/kpac_inverse_kernels

Prints the tables and writes them as `tables.md`, with `commuting.png` (a photograph
deblurred by both sides of the equation) and `kernels.png` (inverse kernels by scale,
red above zero, blue below). Takes seconds.

Both sides are compared on photographs of Y = 0.299 R + 0.587 G + 0.114 B, blurred by a
sinc-enlarged kernel and mirrored at the border, in float64 and without noise.
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

OUTPUT = flags.DEFINE_string("output", None, "Folder for the results.", required=True)
SIZE = flags.DEFINE_integer("size", 256, "Crop of the photographs [px].", 64)
NOISE_TO_SIGNAL = flags.DEFINE_float("noise_to_signal", 3e-2, "Of the Wiener filters.")

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
RADIUS = 3.0  # of the kernel at scale 1 [px]
BLUR_REACH = 30  # of that kernel, whose enlargement ripples [px]
REACH = 40  # of its inverse kernel [px]
FIGURE_13 = ((3, 3.4, 4), (3, 3.5, 4), (3, 3.6, 4), (2, 2.6, 3), (1, 1.7, 2))
FIGURE_2 = ((1, 1.5, 2), (1, 2, 3), (2, 3, 4))
SCALES = (2, 3, 4)
TILE = (164, 164)  # of the picture of kernels [px]
DARKEST = 0.05  # accuracy divides by the pixel; darker ones are left out


def photographs(size):
    """Name -> (size, size) float64 luminance crop about the centre, in [0, 1]."""
    crops = {}
    for name in PHOTOGRAPHS:
        gray = color.rgb2gray(getattr(data, name)()[..., :3])
        top, left = ((n - size) // 2 for n in gray.shape)
        crops[name] = gray[max(top, 0) :][:size, max(left, 0) :][:, :size]
    return crops


def kernels():
    """Name -> kernel at scale 1; shapes of [KPAC Fig. 14]'s kind."""
    return {
        "disc": psf.disc(RADIUS),
        "Gaussian": psf.gaussian(RADIUS),
        "Butterworth": sum(psf.butterworth(RADIUS)) / 2,
        "half disc": psf.half_disc(RADIUS)[0],
    }


def enlarge(kernel, scale, reach, method="sinc"):
    """The kernel at a scale, as wide as the reach at that scale."""
    side = 2 * int(np.ceil(scale * reach)) + 1
    return inverse_kernel.upsample_kernel(kernel, scale, method, side)


def both_sides(kernel, scale, noise_to_signal):
    """Blur and inverse kernels of a scale: of the enlarged kernel, then the enlarged.

    Returns:
        dict: `blur`, `inverse` (Wiener of the enlarged kernel), `enlarged` (the inverse
        kernel of scale 1, enlarged [KPAC Eq. 4]), `dilated` if the scale is an integer.
    """
    small = inverse_kernel.wiener_inverse_kernel(kernel, noise_to_signal, 2 * REACH + 1)
    blur = enlarge(kernel, scale, BLUR_REACH)
    side = 2 * int(np.ceil(scale * REACH)) + 1
    inverse = inverse_kernel.wiener_inverse_kernel(blur, noise_to_signal, side)
    sides = {
        "blur": blur,
        "inverse": inverse,
        "enlarged": enlarge(small, scale, REACH),
    }
    if scale == int(scale):
        sides["dilated"] = enlarge(small, scale, REACH, "dilation")
    return sides


def deblurrings(photograph, sides):
    """The blurred photograph and its restorations, by the names of `both_sides`."""
    blurred = inverse_kernel.apply_kernel(photograph, sides["blur"])
    return {
        name: inverse_kernel.apply_kernel(blurred, kernel)
        if name != "blur"
        else blurred
        for name, kernel in sides.items()
    }


def psnr(first, second):
    """[dB] for a range of one."""
    return -10 * np.log10(np.mean((first - second) ** 2))


def accuracy(estimate, reference):
    """1 - mean |1 - estimate / reference| over pixels that are not dark [%]."""
    lit = reference > DARKEST
    return 100 * (1 - np.mean(np.abs(1 - estimate[lit] / reference[lit])))


def table_of_commuting(crops, noise_to_signal):
    """[KPAC Figs. 1 and 4]: one row per photograph at scale 2."""
    sides = both_sides(psf.disc(RADIUS), 2, noise_to_signal)
    rows = []
    for name, photograph in crops.items():
        restored = deblurrings(photograph, sides)
        rows.append(
            (
                name,
                psnr(restored["blur"], photograph),
                psnr(restored["inverse"], photograph),
                psnr(restored["enlarged"], photograph),
                psnr(restored["inverse"], restored["enlarged"]),
                psnr(restored["enlarged"], restored["dilated"]),
            )
        )
    head = "photograph|blurred|inverse of enlarged|enlarged inverse|Fig. 1|Fig. 4"
    return _markdown(head.split("|"), rows, "{:.2f}")


def table_of_shapes(crops, noise_to_signal):
    """[KPAC Fig. 14]: smallest PSNR between the sides over photographs [dB]."""
    rows = []
    for name, kernel in kernels().items():
        worst = []
        for scale in SCALES:
            sides = both_sides(kernel, scale, noise_to_signal)
            restored = [deblurrings(crop, sides) for crop in crops.values()]
            worst.append(min(psnr(r["inverse"], r["enlarged"]) for r in restored))
        rows.append((name, *worst))
    return _markdown(["kernel", *(f"scale {s}" for s in SCALES)], rows, "{:.2f}")


def blend_accuracies(crops, triple, noise_to_signal):
    """How well two inverse kernels replace the one between [KPAC Eqs. 5 and 10].

    The weights are the non-negative least squares of the deblurred photographs, all
    together, which is that of the kernels weighted by what photographs contain.

    Args:
        crops: dict of photographs.
        triple: (smaller, wanted, larger) scale; the outer two integers.
        noise_to_signal: float > 0.

    Returns:
        Accuracy [%] of equal weights, of the best (Eq. 5), and of the best for dilated
        kernels (Eq. 10); and the best weights, smaller and larger.
    """
    low, wanted, high = (
        both_sides(psf.disc(RADIUS), scale, noise_to_signal) for scale in triple
    )
    blurred = [inverse_kernel.apply_kernel(c, wanted["blur"]) for c in crops.values()]

    def deblur(kernel):
        return np.stack([inverse_kernel.apply_kernel(b, kernel) for b in blurred])

    exact = deblur(wanted["inverse"])
    pair = [deblur(side["enlarged"]) for side in (low, high)]
    dilated = [deblur(side["dilated"]) for side in (low, high)]
    best = inverse_kernel.blend_weights(exact, pair)
    results = [
        accuracy(inverse_kernel.blend_kernels(parts, weights), exact)
        for parts, weights in (
            (pair, (0.5, 0.5)),
            (pair, best),
            (dilated, inverse_kernel.blend_weights(exact, dilated)),
        )
    ]
    return (*results, *best)


def table_of_blends(crops, triples, noise_to_signal):
    """[KPAC Figs. 2 and 13]: accuracy by triple of scales [%]."""
    rows = []
    for triple in triples:
        label = ", ".join(str(scale) for scale in triple)
        rows.append((label, *blend_accuracies(crops, triple, noise_to_signal)))
    head = "scales|0.5 / 0.5|Eq. 5|dilated|weight of smaller|of larger"
    return _markdown(head.split("|"), rows, "{:.2f}")


def _markdown(head, rows, form):
    texts = [[str(name), *map(form.format, values)] for name, *values in rows]
    return markdown_table(head, texts)


def picture_of_commuting(photograph, noise_to_signal):
    """[KPAC Fig. 1] sharp, blurred, and restored by either side; uint8 in a row."""
    restored = deblurrings(photograph, both_sides(psf.disc(RADIUS), 2, noise_to_signal))
    names = ("blur", "inverse", "enlarged", "dilated")
    middle = slice(len(photograph) // 4, len(photograph) * 3 // 4)
    tiles = [photograph, *(restored[name] for name in names)]
    tiles = [tile[middle, middle] for tile in tiles]
    row = np.concatenate(tiles, axis=1)
    return np.rint(np.clip(row, 0, 1) * 255).astype(np.uint8)


def picture_of_kernels(noise_to_signal):
    """[KPAC Fig. 12] inverse, enlarged and dilated kernels, a row per scale; uint8."""
    rows = []
    for scale in SCALES[:2]:
        sides = both_sides(psf.disc(RADIUS), scale, noise_to_signal)
        tiles = [_signed(sides[n]) for n in ("inverse", "enlarged", "dilated")]
        # Only the middle, where the ripples are: ten pixels of scale 1 each way.
        middle = slice(scale * (REACH - 10), scale * (REACH + 10) + 1)
        tiles = [
            cv2.resize(t[middle, middle], TILE, interpolation=cv2.INTER_NEAREST)
            for t in tiles
        ]
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def _signed(kernel):
    """Cube roots, so that the ripples show: red above zero, blue below."""
    values = np.cbrt(kernel / np.abs(kernel).max())
    zeros = np.zeros_like(values)
    picture = np.stack([np.maximum(values, 0), zeros, np.maximum(-values, 0)], axis=-1)
    return np.rint(picture * 255).astype(np.uint8)


def report(size, noise_to_signal):
    """Every table, as Markdown."""
    crops = photographs(size)
    parts = (
        ("Figs. 1 and 4 [dB]", table_of_commuting(crops, noise_to_signal)),
        ("Fig. 14 [dB]", table_of_shapes(crops, noise_to_signal)),
        ("Fig. 2 [%]", table_of_blends(crops, FIGURE_2, noise_to_signal)),
        ("Fig. 13 [%]", table_of_blends(crops, FIGURE_13, noise_to_signal)),
    )
    return "\n".join(f"## {title}\n\n{table}" for title, table in parts)


def main(_):
    """Measures, prints and saves."""
    text = report(SIZE.value, NOISE_TO_SIGNAL.value)
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    photograph = photographs(SIZE.value)[PHOTOGRAPHS[0]]
    commuting = picture_of_commuting(photograph, NOISE_TO_SIGNAL.value)
    commuting = Image(np.repeat(commuting[..., None], 3, axis=-1))
    write_image(output / "commuting.png", commuting)
    shapes = Image(picture_of_kernels(NOISE_TO_SIGNAL.value))
    write_image(output / "kernels.png", shapes)
    whole_files.write_text(output / "tables.md", text)
    print(text, end="")


if __name__ == "__main__":
    commands.run(main)
