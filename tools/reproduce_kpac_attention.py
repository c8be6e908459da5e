"""Draws KPAC's scale attention on a photograph, and what altering it does.

    python tools/reproduce_kpac_attention.py --preset kpac_3level --input photo.png \\
        --output docs/kpac_attention.png

First row: the photograph, then one map per dilation rate of the first block, white for
full weight [KPAC Fig. 6]. Second row: the restoration, then the restoration with all
weight of every block on one rate [KPAC Fig. 8]. Which values the paper's own figure
used is not known to us: full weight on one rate is this project's choice.
"""

import pathlib
import sys

import cv2
import keras
import numpy as np
from absl import app, flags

import tf_defocus
from tf_defocus import image_io

PRESET = flags.DEFINE_string("preset", "kpac_3level", "A KPAC preset or folder.")
INPUT = flags.DEFINE_string("input", None, "Photograph.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "PNG to write.", required=True)
SIZE = flags.DEFINE_integer("size", 512, "Central crop [px].", 16)
GAP = 4  # [px]


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
    first_block = keras.ops.convert_to_numpy(outputs["scale_attention"])[0, 0]
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


def _picture(outputs):
    deblurred = keras.ops.convert_to_numpy(outputs["deblurred"])[0]
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
    full = 1.0 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    sides = [min(size, side) // multiple * multiple for side in pixels.shape[:2]]
    if not all(sides):
        raise ValueError(f"The photograph must measure {multiple} px on both sides")
    top, left = ((n - side) // 2 for n, side in zip(pixels.shape, sides))
    crop = pixels[top : top + sides[0], left : left + sides[1]]
    return (crop / np.float32(full)).astype("float32")


def run():
    """Draws the two rows into the output file."""
    model = tf_defocus.load_preset(PRESET.value)
    if tuple(model.view_names) != ("blurred",) or not getattr(
        model, "scale_attention", False
    ):
        raise ValueError(f"{PRESET.value} is no single-view KPAC with scale attention")
    pixels = image_io.read_image(INPUT.value).pixels
    photograph = central_crop(pixels, SIZE.value, model.feature_stride)
    drawn = draw(attention_rows(model, photograph))
    path = pathlib.Path(OUTPUT.value)
    path.parent.mkdir(parents=True, exist_ok=True)
    image_io.write_image(path, image_io.Image(drawn))


def main(_):
    try:
        run()
    except (ValueError, OSError, image_io.ImageFileError) as error:
        sys.exit(f"reproduce_kpac_attention: {error}")


if __name__ == "__main__":
    app.run(main)
