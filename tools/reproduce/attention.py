"""Draws KPAC's scale attention on a photograph, and what altering it does.

    python tools/reproduce/attention.py --preset kpac_3level --shown 0.4 \\
        --output docs/kpac_attention/strips.jpg --page docs/kpac_attention.md
    python tools/reproduce/attention.py --input photo.png --output attention.png

First row: the photograph, then one map per dilation rate of the first block, white for
full weight [KPAC Fig. 6]. Second row: the restoration, then the restoration with all
weight of every block on one rate [KPAC Fig. 8]. Which values the paper's own figure
used is not known to us: full weight on one rate is this project's choice.

Without `--input`, the photograph is scikit-image's astronaut in four strips, from left
to right sharp and blurred by discs of 1, 2 and 4 px. `--page` also measures the weights
on whole photographs blurred so.
"""

import os
import pathlib
import sys
import textwrap

import cv2
import numpy as np
import skimage.data
from absl import flags

import tf_defocus
from tf_defocus import commands, whole_files
from tf_defocus.evaluation import blur_detection, rendered
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.images.levels import full_scale
from tf_defocus.markdown_table import markdown_table

PRESET = flags.DEFINE_string("preset", "kpac_3level", "A KPAC preset or folder.")
INPUT = flags.DEFINE_string("input", None, "Photograph [four strips].")
OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)
SIZE = flags.DEFINE_integer("size", 512, "Central crop [px].", 16)
SHOWN = flags.DEFINE_float("shown", 1.0, "Scale at which pictures are shown.", 0.01)
PAGE = flags.DEFINE_string("page", None, "Markdown page with measured weights.")
GAP = 4  # [px]
RADII = (0, 1, 2, 4)  # [px], of the discs that blur
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")


def attention_rows(model, photograph):
    """The pictures of both rows.

    Args:
        model: single-view KPAC with scale attention.
        photograph: (height, width, 3) float32 in [0, 1], sides dividing by the model's
            `size_multiple`.

    Returns:
        Two lists of (height, width, 3) float32 in [0, 1], one more than rates each.
    """
    inputs = {"blurred": photograph[None]}
    outputs = model(inputs)
    first_block = np.asarray(outputs["scale_attention"])[0, 0]
    size = photograph.shape[1::-1]
    maps = [
        np.repeat(
            cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)[..., None], 3, -1
        )
        for plane in np.moveaxis(first_block.astype("float32"), -1, 0)
    ]
    restorations = [_picture(outputs)]
    for weights in np.eye(len(model.dilation_rates), dtype="float32"):
        chosen = [weights.reshape(1, 1, 1, -1)] * model.num_blocks
        restorations.append(_picture(model(inputs, scale_weights=chosen)))
    return [photograph, *maps], restorations


def mean_weights(model, photograph):
    """Mean scale attention of an image, a coarse pixel off its edges.

    Returns:
        (blocks, rates) float64.
    """
    attention = model.predict_on_batch({"blurred": photograph[None]})["scale_attention"]
    return attention[0, :, 1:-1, 1:-1].astype("float64").mean(axis=(1, 2))


def measure_weights(model, photographs):
    """(radii, blocks, rates) mean weights, by blur.

    Args:
        model: single-view KPAC with scale attention.
        photographs: list of (height, width, 3) float32 in [0, 1].
    """
    by_radius = (
        [mean_weights(model, rendered.blurred_by_disc(p, radius)) for p in photographs]
        for radius in RADII
    )
    return np.stack([np.mean(found, axis=0) for found in by_radius])


def weights_table(model, measured):
    """Markdown of `measure_weights`, with the mean rate of each block."""
    blocks = range(1, model.num_blocks + 1)
    rates = ", ".join(map(str, model.dilation_rates))
    heads = [
        text for b in blocks for text in (f"block {b}: rates {rates}", "mean rate")
    ]
    lines = []
    for radius, blocks in zip(RADII, measured):
        cells = []
        for weights in blocks:
            rate = blur_detection.mean_dilation_rate(weights, model.dilation_rates)
            cells += [", ".join(f"{w:.3f}" for w in weights), f"{rate:.2f}"]
        lines.append([str(radius), *cells])
    return markdown_table(["blur [px]", *heads], lines, num_texts=0)


def tendency(first_block):
    """Whether the paper's tendency is found: Markdown, three sentences.

    Args:
        first_block: (radii, rates) mean weights of the first block.
    """
    sharp, blurred = first_block[0], first_block[-1]
    smallest = "does" if blurred[0] > 0.5 * sharp[0] else "does not"
    largest = "is" if blurred[-1] > sharp[-1] else "is not"
    return (
        "The paper observes in the first block that the map of rate 1 is active at "
        "blur of almost any size and that of rate 5 at large blur alone "
        "[KPAC Sec. 5.1]. "
        f"Here the weight of rate 1 {smallest} stay ({sharp[0]:.3f} without blur, "
        f"{blurred[0]:.3f} at {RADII[-1]} px), and rate 5 {largest} the larger the "
        f"more blur there is ({sharp[-1]:.3f}, {blurred[-1]:.3f}). What does follow "
        "the blur is the mean rate, the weights' balance: small rates fade sooner."
    )


def page(model, picture):
    """The page of the documentation around picture and table."""
    photographs = [
        central_crop(getattr(skimage.data, name)(), SIZE.value, model.feature_stride)
        for name in PHOTOGRAPHS
    ]
    measured = measure_weights(model, photographs)
    command = commands.shown_command(sys.argv)
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    return (
        f"# KPAC's scale attention, of {PRESET.value}\n\nMade by\n\n{indented}\n"
        f"![photograph and maps; restorations]({picture})\n\n"
        "First row: a photograph in four strips, sharp and behind discs of 1, 2 and 4 "
        "px, then the map of each dilation rate in the first block, white for full "
        "weight [KPAC Fig. 6]. Second row: the restoration, then those with all weight "
        "of every block on one rate [KPAC Fig. 8].\n\n"
        f"Mean weights on {len(photographs)} photographs of scikit-image, each blurred "
        f"as a whole:\n\n{weights_table(model, measured)}\n"
        f"{textwrap.fill(tendency(measured[:, 0]), 88)}\n"
    )


def _picture(outputs):
    deblurred = np.asarray(outputs["deblurred"])[0]
    return np.clip(deblurred.astype("float32"), 0, 1)


def draw(rows):
    """Rows of pictures of one size as one uint8 picture with white gaps."""
    border = ((0, GAP), (0, GAP), (0, 0))
    lines = [
        np.concatenate([np.pad(p, border, constant_values=1) for p in row], axis=1)
        for row in rows
    ]
    drawn = np.concatenate(lines)[:-GAP, :-GAP]
    return np.rint(255 * drawn).astype("uint8")


def central_crop(pixels, size, multiple):
    """The middle of a photograph as float32 in [0, 1], sides dividing by `multiple`."""
    full = full_scale(pixels.dtype)
    sides = [min(size, side) // multiple * multiple for side in pixels.shape[:2]]
    if not all(sides):
        raise ValueError(f"The photograph must measure {multiple} px on both sides")
    top, left = ((n - side) // 2 for n, side in zip(pixels.shape, sides))
    crop = pixels[top : top + sides[0], left : left + sides[1]]
    return (crop / np.float32(full)).astype("float32")


def main(_):
    """Draws the two rows into the output file."""
    model = tf_defocus.load_preset(PRESET.value)
    if tuple(model.view_names) != ("blurred",) or not getattr(
        model, "scale_attention", False
    ):
        raise ValueError(f"{PRESET.value} is no single-view KPAC with scale attention")
    if INPUT.value:
        pixels = read_image(INPUT.value).pixels
    else:
        pixels = rendered.strips_of_blur(
            skimage.data.astronaut() / np.float32(255), RADII
        )
    photograph = central_crop(pixels, SIZE.value, model.feature_stride)
    rows = [
        [
            cv2.resize(p, None, None, SHOWN.value, SHOWN.value, cv2.INTER_AREA)
            for p in row
        ]
        for row in attention_rows(model, photograph)
    ]
    drawn = draw(rows)
    path = pathlib.Path(OUTPUT.value)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(drawn))
    if PAGE.value:
        target = pathlib.Path(PAGE.value)
        picture = os.path.relpath(path, target.parent)
        whole_files.write_text(target, page(model, picture))


if __name__ == "__main__":
    commands.run(main)
