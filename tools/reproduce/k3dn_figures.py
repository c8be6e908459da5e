"""Draws K3DN's kernels, their response to disparity, and its similarity maps.

    python tools/reproduce/k3dn_figures.py --preset k3dn_tiny --output docs/k3dn_figures

Writes OUTPUT.md and, in the folder OUTPUT, `kernels.png` (the kernel set of the first
block, deblurring and reblurring, red above zero, blue below [K3DN Fig. 3]),
`response.png` (how much each window asks for each kernel, on a plane whose disparity
runs evenly from in front of focus to behind) and `similarity.png` (what the
preservation blocks see, beside the true defocus [K3DN Fig. 4]). Which scenes the
paper's figures show is not known to us: these are rendered by the project's optics.
"""

import pathlib

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation.rendered import render_examples
from tf_defocus.images.files import Image, write_image
from tf_defocus.markdown_table import markdown_table
from tf_defocus.models import presets
from tf_defocus.ops.padding import pad_to_multiple
from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.reports import line_chart
from tf_defocus.reports.demo import draw_defocus
from tf_defocus.synthesis import textures

PRESET = flags.DEFINE_string("preset", "k3dn_tiny", "A K3DN preset or folder.")
EXAMPLE = flags.DEFINE_integer("example", 7, "Rendered example of the maps.", 0)
PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder to paint it with.")
OUTPUT = flags.DEFINE_string("output", None, "Page and folder.", required=True)

LARGEST_COC = 20.0  # [px], ends of the plane
NUM_WINDOWS = 8  # across the plane
ZOOM, GAP, COLUMNS = 4, 2, 24  # of the picture of kernels
NUM_CURVES = 5
NEIGHBOURS = 81


def kernel_sets(block):
    """dict, direction -> (kernels, 9, 9); frozen kernels only deblur."""
    directions = {"deblurring": False}
    if not block.frozen:
        directions["reblurring"] = True
    return {
        name: np.asarray(block.depthwise.kernels(reverse))
        for name, reverse in directions.items()
    }


def picture_of_kernels(sets):
    """A grid of tiles per direction, one below the other; uint8."""
    grids = []
    for kernels in sets.values():
        tiles = [_signed(kernel) for kernel in kernels]
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
        rows = [
            np.concatenate(tiles[start : start + COLUMNS], axis=1)
            for start in range(0, len(tiles), COLUMNS)
        ]
        grids += [np.concatenate(rows), np.full((8, rows[0].shape[1], 3), 255, "uint8")]
    return np.concatenate(grids[:-1])


def _signed(kernel):
    """Red above zero, blue below, enlarged, with a white border."""
    values = kernel / np.abs(kernel).max()
    planes = [np.maximum(values, 0), np.zeros_like(values), np.maximum(-values, 0)]
    tile = np.rint(255 * np.stack(planes, axis=-1)).astype("uint8")
    tile = tile.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    return np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def plane_of_disparities(height, width):
    """Views of a plane in focus in the middle only, and its disparities.

    Returns:
        dict, view -> (1, height, width, 3) float32 in [0, 1]; and (width,) disparity
        [px] of each column.
    """
    margin = int(LARGEST_COC)
    shape = height + 2 * margin, width + 2 * margin
    texture = textures.procedural_texture(np.random.default_rng(0), *shape)
    inner = np.linspace(-LARGEST_COC, LARGEST_COC, width, dtype=np.float32)
    coc = np.tile(np.pad(inner, margin, mode="edge"), (shape[0], 1))
    radiance = sensor.srgb_to_linear(texture).astype(np.float32)
    surface = dual_pixel.Surface(radiance, np.ones(shape, np.float32), coc)
    image = dual_pixel.render([surface], psf.ApertureSplit())
    inside = np.s_[margin:-margin, margin:-margin]
    views = {
        name: sensor.linear_to_srgb(np.clip(getattr(image, name)[inside], 0, 1))
        for name in ("blurred", "left", "right")
    }
    views = {name: view[None].astype(np.float32) for name, view in views.items()}
    return views, image.disparity[inside].mean(axis=0).ravel()


def query_weights(model, views, block=0):
    """(window rows, window columns, kernels): a of [K3DN Eq. 9], summing to 1."""
    vectors = model.disparity_vectors({name: views[name] for name in model.view_names})
    rows, columns, units = vectors.shape[1:]
    psf_block = model.psf_blocks[block]
    answered = psf_block.answer(np.reshape(vectors, (-1, units)))
    weights = psf_block.pointwise.channel_weights(answered)
    return np.asarray(weights).reshape(rows, columns, -1)


def picture_of_response(weights, disparities):
    """Curves of the kernels whose weight varies most over the disparities; uint8.

    Args:
        weights: (windows, kernels).
        disparities: (windows,) [px].
    """
    most = np.argsort(-weights.std(axis=0))[:NUM_CURVES]
    relative = weights / weights.mean(axis=0)
    curves = {f"kernel {k}": (disparities, relative[:, k]) for k in most}
    return line_chart.draw_lines(
        curves, "", "disparity of the window [px]", "weight over its mean"
    )


def similarity_pictures(model, example):
    """The photograph, its defocus, and one map per join: mean over the neighbours.

    Returns:
        list of (height, width, 3) uint8; and per join the correlation, over pixels, of
        the map with the diameter of the circle of confusion.
    """
    scaled = {n: v[None] / np.float32(65535) for n, v in example.views.items()}
    inputs = {
        name: pad_to_multiple(scaled[name], model.size_multiple)
        for name in model.view_names
    }
    height, width, _ = example.sharp.shape
    pictures = [(example.views["blurred"] >> 8).astype("uint8")]
    pictures.append(draw_defocus(example.coc))
    correlations = []
    for maps in model.similarity_maps(inputs):
        mean = np.asarray(maps)[0].mean(axis=-1)
        full = next(iter(inputs.values())).shape[2:0:-1]
        mean = cv2.resize(mean, full, interpolation=cv2.INTER_LINEAR)[:height, :width]
        diameters = np.abs(example.coc[..., 0])
        correlations.append(float(np.corrcoef(mean.ravel(), diameters.ravel())[0, 1]))
        low, high = np.percentile(mean, (2, 98))
        grey = np.clip((mean - low) / max(high - low, 1e-12), 0, 1)
        pictures.append(np.rint(255 * grey).astype("uint8")[..., None].repeat(3, -1))
    return pictures, correlations


def page(name, folder, weights, disparities, correlations, options=""):
    """The Markdown page, with the numbers behind the pictures.

    Args:
        name: str, the preset's.
        folder: str, that of the pictures, beside the page.
        weights: (windows, kernels).
        disparities: (windows,) [px].
        correlations: list of float, one per join.
        options: str, further flags of the command.
    """
    rows = [
        [f"{d:+.1f}", str(k), f"{row[k]:.4f}"]
        for d, row, k in zip(disparities, weights, weights.argmax(axis=1))
    ]
    listed = ", ".join(f"{value:+.2f}" for value in correlations) or "none"
    command = f"python tools/reproduce/k3dn_figures.py --preset {name}"
    command += f" --output docs/{folder}{options}"
    return f"""# What K3DN's `{name}` has learned

    {command}

## The kernel set [K3DN Fig. 3]

![kernels]({folder}/kernels.png)

The {weights.shape[1]} kernels of the first block, above as they deblur, below as they
blur again; red above zero, blue below. Each is symmetric from left to right.

## Response to disparity

![response]({folder}/response.png)

Weights of the kernels on a textured plane whose disparity runs evenly from in front of
focus (positive) to behind: the {NUM_CURVES} kernels that vary most, over their means.
The strongest kernel by window:

{markdown_table(["disparity [px]", "kernel", "weight"], rows, num_texts=0)}

## Similarity maps [K3DN Fig. 4]

![similarity]({folder}/similarity.png)

A rendered photograph, its defocus (white in focus, red behind, blue in front), and
the mean similarity of {NEIGHBOURS} neighbours at the decoder's joins, coarse to fine,
bright for high. Correlation of each map with the diameter of the circle of confusion:
{listed}.

## PSNR against cost [K3DN Fig. 1]

    python tools/reproduce/cost_figure.py --output docs/{folder}/cost.png

![cost]({folder}/cost.png)

Circles are the rows of the paper's Table 1 as printed, their area the parameters;
crosses are what this project counts for the same network, by the convention that its
row follows (`costs.md`). K3DN's own three agree. Scores of `tools/evaluate.py` add a
panel of what was measured.
"""


def main(_):
    """Computes, draws and writes."""
    model = presets.load_preset(PRESET.value)
    if not getattr(model, "psf_blocks", None):
        raise ValueError(f"{PRESET.value} is no K3DN with PSF blocks")
    folder = pathlib.Path(OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = model.size_multiple
    views, disparities = plane_of_disparities(rows, columns * NUM_WINDOWS)
    disparities = disparities.reshape(NUM_WINDOWS, -1).mean(axis=1)
    weights = query_weights(model, views).mean(axis=0)
    photographs = ()
    if PHOTOGRAPHS.value:
        photographs = textures.find_photographs(PHOTOGRAPHS.value)
    (example,) = render_examples(1, 256, photographs, first=EXAMPLE.value)
    pictures, correlations = similarity_pictures(model, example)
    drawn = {
        "kernels": picture_of_kernels(kernel_sets(model.psf_blocks[0])),
        "response": picture_of_response(weights, disparities),
        "similarity": np.concatenate(pictures, axis=1),
    }
    for title, picture in drawn.items():
        write_image(folder / f"{title}.png", Image(picture))
    name = pathlib.Path(PRESET.value).name
    options = f" --photographs {PHOTOGRAPHS.value}" if photographs else ""
    options += f" --example {EXAMPLE.value}"
    text = page(name, folder.name, weights, disparities, correlations, options)
    target = folder.with_name(folder.name + ".md")
    whole_files.write_text(target, text)
    print(text, end="")


if __name__ == "__main__":
    commands.run(main)
