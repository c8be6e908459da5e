"""Scores blur detection from KPAC's attention on images with masks [KPAC App. F].

    python tools/reproduce/blur_detection.py --preset kpac_3level \\
        --prefix out_of_focus --scale 4 --images CUHK/image \\
        --masks CUHK/gt --output results/blur_detection

The map is alpha_1, the first block's weight of dilation rate 1, as in the appendix, or
with `--map mean_rate` the mean rate of all blocks.
Images and masks have one name (`a.jpg`, `a.png`); a mask is dark where the image is
sharp and bright where it is blurred (`--invert` for the reverse). `--scale`
enlarges the images first, as the appendix does (4): attention exists per coarse pixel.
One threshold serves the whole set: `--threshold`, or the best one, which is then said.
The paper's figures: F-measure 0.832, accuracy 78.4 % on 200 images of CUHK.
"""

import json
import pathlib

import cv2
import numpy as np
import tqdm
from absl import flags

import tf_defocus
from tf_defocus import commands, whole_files
from tf_defocus.evaluation import blur_detection
from tf_defocus.images.files import (
    Image,
    format_of_extension,
    read_image,
    write_image,
)
from tf_defocus.images.levels import full_scale

PRESET = flags.DEFINE_string("preset", "kpac_3level", "A KPAC preset or folder.")
IMAGES = flags.DEFINE_string("images", None, "Folder of photographs.", required=True)
MASKS = flags.DEFINE_string("masks", None, "Folder of masks.", required=True)
INVERT = flags.DEFINE_bool("invert", False, "Masks are bright where sharp.")
PREFIX = flags.DEFINE_string("prefix", "", "Only files whose names start so.")
SCALE = flags.DEFINE_float("scale", 4.0, "Enlargement of the images.", 0.1)
MAP = flags.DEFINE_enum(
    "map", "first_rate", list(blur_detection.MAPS), "What of the attention is the map."
)
THRESHOLD = flags.DEFINE_float("threshold", None, "Of the map in [0, 1] [the best].")
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)


def paired_files(images, masks, prefix=""):
    """(image, mask) paths by name, sorted; of the files whose names start with prefix.

    Raises:
        FileNotFoundError: if there is no pair, or an image or a mask stands alone.
    """
    found = []
    for folder in (images, masks):
        paths = sorted(pathlib.Path(folder).iterdir())
        pictures = [p for p in paths if format_of_extension(p)]
        found.append({p.stem: p for p in pictures if p.stem.startswith(prefix)})
    alone = sorted(found[0].keys() ^ found[1].keys())
    if alone or not found[0]:
        raise FileNotFoundError(
            f"Every image needs a mask of its name, at least one. In {images} and "
            f"{masks}, without partner: {alone[:5]}"
        )
    return [(found[0][stem], found[1][stem]) for stem in found[0]]


def read_mask(path, invert):
    """(height, width) bool, True where blurred."""
    pixels = read_image(path).pixels
    bright = pixels.mean(axis=-1) > full_scale(pixels.dtype) / 2
    return ~bright if invert else bright


def detect(model, photograph, scale, make_map=blur_detection.first_rate_map):
    """The blur map of a photograph, at its own size.

    Args:
        model: single-view KPAC with scale attention.
        photograph: (height, width, 3) float32 in [0, 1].
        scale: float, of the enlargement before the network.
        make_map: function of the attention and the dilation rates.

    Returns:
        (height, width) float64 in [0, 1], 1 for the largest blur.
    """
    height, width = photograph.shape[:2]
    multiple = model.feature_stride
    size = [max(round(n * scale / multiple), 1) * multiple for n in (width, height)]
    shrinks = size[0] < width
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    enlarged = np.clip(cv2.resize(photograph, size, interpolation=kind), 0, 1)
    outputs = model.predict_on_batch({"blurred": enlarged[None]})
    attention = np.asarray(outputs["scale_attention"])[0]
    blur = make_map(attention.astype("float64"), model.dilation_rates)
    return cv2.resize(blur, (width, height), interpolation=cv2.INTER_LINEAR)


def score_set(maps, masks, threshold=None):
    """Scores of a whole set under one threshold.

    Returns:
        dict: `threshold`, `threshold_chosen` (whether as the best of this very set),
        `num_images`, and the mean `precision`, `recall`, `f_measure`, `accuracy`.
    """
    thresholds = None if threshold is None else [threshold]
    best, scores = blur_detection.best_threshold(maps, masks, thresholds)
    setting = {"threshold": best, "threshold_chosen": threshold is None}
    return {**setting, "num_images": len(maps), **scores}


def main(_):
    """Detects blur in every image, writes maps and scores, prints the scores."""
    model = tf_defocus.load_preset(PRESET.value)
    if tuple(model.view_names) != ("blurred",) or not getattr(
        model, "scale_attention", False
    ):
        raise ValueError(f"{PRESET.value} is no single-view KPAC with scale attention")
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    maps, masks = [], []
    pairs = paired_files(IMAGES.value, MASKS.value, PREFIX.value)
    for image_path, mask_path in tqdm.tqdm(pairs, unit="image"):
        pixels = read_image(image_path).pixels
        full = np.float32(full_scale(pixels.dtype))
        masks.append(read_mask(mask_path, INVERT.value))
        if masks[-1].shape != pixels.shape[:2]:
            raise ValueError(
                f"{mask_path} must have the size of its image, {pixels.shape[:2]}. "
                f"Received: {masks[-1].shape}"
            )
        photograph = (pixels / full).astype("float32")
        make_map = blur_detection.MAPS[MAP.value]
        maps.append(detect(model, photograph, SCALE.value, make_map))
        drawn = np.repeat(np.rint(255 * maps[-1])[..., None], 3, axis=-1)
        target = output / f"{image_path.stem}.png"
        write_image(target, Image(drawn.astype("uint8")))
    scores = score_set(maps, masks, THRESHOLD.value)
    text = json.dumps(
        {"preset": PRESET.value, "map": MAP.value, "scale": SCALE.value, **scores},
        indent=1,
    )
    whole_files.write_text(output / "scores.json", text + "\n")
    print(text)


if __name__ == "__main__":
    commands.run(main)
