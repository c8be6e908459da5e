"""Measures RDPD's image formation, and ours, against exact apertures.

    python tools/reproduce/rdpd_compat.py --output results/rdpd_compat

The same random scenes (those of `synthetic_dp/rdpd_compat`, none of them in focus
everywhere) are rendered for each of RDPD's cameras by layers of kernels
(`dual_pixel.render`, as the other configs are) and by RDPD's gathering
(`optics/rdpd.py`), 8-bit and sRGB-encoded as published or in linear light without
rounding, and that again with no kernel in focus. Each is compared with the exact
average over the points of its own aperture. `table.md` holds PSNR [dB] of the
sRGB-encoded left view and photograph, means over the scenes, and the largest error.
Takes some minutes.
"""

import dataclasses
import pathlib

import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.markdown_table import markdown_table
from tf_defocus.optics import dual_pixel, psf, sensor
from tf_defocus.synthesis import rdpd, scene_ranges, scenes

OUTPUT = flags.DEFINE_string("output", None, "Folder for the result.", required=True)
SCENES = flags.DEFINE_integer("scenes", 2, "Scenes per camera.", 1)
SIZE = flags.DEFINE_integer("size", 96, "Side of the scenes [px].", 16)
POINTS = flags.DEFINE_integer(
    "points", 256, "Of the aperture that layers are compared with.", 4
)
SEED = flags.DEFINE_integer("seed", 2021, "Of the scenes.")

RENDERERS = (
    "layers",
    "rdpd_compat",
    "gathered, linear light",
    "the same, sharp in focus",
)
VIEWS = ("left", "blurred")


def draw_scenes(camera, count, size, seed):
    """`count` pairs (surfaces, kernel shape) that `camera` sees."""
    ranges = dataclasses.replace(scene_ranges.DEFAULT, all_in_focus=0.0)
    found, index = [], 0
    while len(found) < count:
        rng = scenes.example_generator(seed, "validation", index)
        drawn, shape, surfaces = rdpd.draw_scene(rng, size, ranges)
        if drawn == camera:
            found.append((surfaces, shape))
        index += 1
    return found


def encode(linear):
    """sRGB-encoded float64 in [0, 1], without the scene's margin."""
    inner = linear[rdpd.MARGIN : -rdpd.MARGIN, rdpd.MARGIN : -rdpd.MARGIN]
    return sensor.linear_to_srgb(np.clip(inner.astype(np.float64), 0, 1))


def render_all(surfaces, camera, shape, points):
    """Renderer -> view -> pair (rendered, exact), sRGB-encoded (size, size, 3)."""
    split = psf.ApertureSplit()
    layers = dual_pixel.render(surfaces, split)
    lens = dual_pixel.average_pinholes(surfaces, *psf.aperture_weights(split, points))
    aperture = rdpd.kernel_aperture(int(np.ceil(camera.scale)), shape)
    published = dual_pixel.average_pinholes(surfaces, *aperture)
    coded = rdpd.render_scene(surfaces, camera, shape)
    sharp, coc = dual_pixel.all_in_focus(surfaces)
    radius = rdpd.signed_radius(rdpd.depth_of(coc, camera), camera)
    left, _, blurred = rdpd.render(sharp, radius, shape)
    rendered = {
        "layers": (encode(layers.left), encode(layers.blurred)),
        "rdpd_compat": tuple(coded[view] / 255.0 for view in VIEWS),
        "gathered, linear light": (encode(left), encode(blurred)),
        "the same, sharp in focus": tuple(
            encode(np.where((radius == 0)[..., None], sharp, view))
            for view in (left, blurred)
        ),
    }
    exact = {name: _exact(published) for name in RENDERERS}
    exact["layers"] = _exact(lens)
    return {
        name: {v: pair for v, *pair in zip(VIEWS, rendered[name], exact[name])}
        for name in RENDERERS
    }


def _exact(views):
    left, right = views
    return encode(left), encode((left + right) / 2)


def measure(camera, count, size, points, seed):
    """Renderer -> (PSNR [dB] of the left view, of the photograph, largest error)."""
    scores = {name: [] for name in RENDERERS}
    for surfaces, shape in draw_scenes(camera, count, size, seed):
        images = render_all(surfaces, camera, shape, points)
        for name in RENDERERS:
            errors = [np.subtract(*images[name][view]) for view in VIEWS]
            decibels = [-10 * np.log10(np.mean(error**2)) for error in errors]
            scores[name].append((*decibels, max(np.abs(e).max() for e in errors)))
    means = {name: np.mean(rows, axis=0)[:2] for name, rows in scores.items()}
    worst = {name: np.max(rows, axis=0)[2] for name, rows in scores.items()}
    return {name: (*means[name], worst[name]) for name in RENDERERS}


def table(count, size, points, seed):
    """Markdown; a row per camera and renderer, then the means over cameras."""
    head = (
        "camera (f, N, s), largest radius|renderer|left view|photograph|largest error"
    )
    lines = []
    results = []
    for camera in rdpd.CAMERAS:
        label = ", ".join(map(str, dataclasses.astuple(camera)))
        label = f"({label}), {camera.scale:.1f} px"
        results.append(measure(camera, count, size, points, seed))
        lines += [_row(label, name, results[-1][name]) for name in RENDERERS]
    for name in RENDERERS:
        rows = np.array([result[name] for result in results])
        summary = (*rows[:, :2].mean(axis=0), rows[:, 2].max())
        lines.append(_row("all", name, summary))
    return markdown_table(head.split("|"), lines, num_texts=2)


def _row(label, name, scores):
    return [label, name, *(f"{score:.2f}" for score in scores)]


def main(_):
    """Compares and writes the table."""
    text = table(SCENES.value, SIZE.value, POINTS.value, SEED.value)
    output = pathlib.Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    whole_files.write_text(output / "table.md", text)
    print(text, end="")
    return 0


if __name__ == "__main__":
    commands.run(main)
