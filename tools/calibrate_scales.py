"""Calibrates the choice of sizes, and compares ways to choose.

    python tools/calibrate_scales.py --photographs PHOTOGRAPHS --work runs/scales \\
        --write tf_defocus/restoration/scale_choice.npz

Renders defocus over some of the training photographs of a folder
(`split_photographs`), restores every rendering at 1, 1/2, 1/4 and 1/8 of its size, and
fits the choice to what is left of the error. Renderings and restorations are kept in
`--work`, so that a second run begins where they are; other weights of a preset are
restored with anew. One photograph in five is held out for the comparison, which is
printed; the choice that is written is fitted to all.

A choice for one preset alone lies beside its weights, or in the folder of its run:

    python tools/calibrate_scales.py --photographs PHOTOGRAPHS --work runs/scales \\
        --presets kpac_3level_free --layers 12 \\
        --write checkpoints/kpac_3level_free_scales.npz
    python tools/calibrate_scales.py --photographs PHOTOGRAPHS --work runs/scales \\
        --presets runs/mine --write runs/mine/scales.npz
"""

import itertools
import pathlib

import cv2
import numpy as np
import PIL.Image
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation import scale_calibration as calibration
from tf_defocus.images import levels
from tf_defocus.markdown_table import markdown_table
from tf_defocus.models import manifest, presets
from tf_defocus.restoration import scale_choice, scale_evidence
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.synthesis import scene_ranges, scenes, wide_defocus
from tf_defocus.synthesis.large_photographs import split_photographs

PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder of sharp photographs.")
PRESETS = flags.DEFINE_list(
    "presets", ["kpac_3level"], "Whose changes are the evidence."
)
WORK = flags.DEFINE_string("work", None, "Folder for renderings.", required=True)
RAMPS = flags.DEFINE_integer("ramps", 20, "How many photographs become ramps.", 1)
SCENES = flags.DEFINE_integer("scenes", 10, "Scenes as of synthetic_dp.", 0)
LAYERS = flags.DEFINE_integer("layers", 12, "Layered scenes with wide blur.", 0)
EPOCHS = flags.DEFINE_integer("epochs", 12, "Over all cells.", 1)
WRITE = flags.DEFINE_string("write", None, "File to write the choice to, `.npz`.")
LARGE, SMALL = (1344, 896), (768, 512)  # [px], of ramps
SCENE = 512  # [px]
HELD_OUT = 5
NOISES, COLOURS = (0, 1, 2, 4, 8), (64, 128, 256)  # [of 255], and of a palette
QUALITIES = (75, 98)  # of JPEG
MEASURED = 2.0  # [px], narrower blur is not told from none by a ratio of octaves


def render(folder):
    """Writes what is not there yet of ramps and scenes; returns their paths."""
    paths = split_photographs(PHOTOGRAPHS.value)["train"]
    paths = paths[:: max(len(paths) // RAMPS.value, 1)]
    wanted, large = {}, [path for path in paths if _is_large(path)]
    for index, path in enumerate(paths):
        size, widest = SMALL, (128, 64, 96, 40)[index % 4]
        if path in large:
            size, widest = LARGE, 128
        wanted[f"ramp{index}"] = _ramp, (path, index, size, widest)
    held = [path for path in large if not paths.index(path) % HELD_OUT]
    kept = [path for path in large if path not in held]
    for index in range(SCENES.value):
        textures = kept if index % HELD_OUT else held
        wanted[f"scene{index}"] = _scene, (index, textures)
    for index in range(LAYERS.value):
        textures = kept if index % HELD_OUT else held
        wanted[f"layers{index}"] = _layers, (index, textures)
    for name, (make, arguments) in wanted.items():
        target = folder / f"{name}.npz"
        if not target.exists():
            _save(target, make(*arguments))
    return [folder / f"{name}.npz" for name in wanted]


def _is_large(path):
    sides = cv2.imread(path).shape[:2]
    return min(sides) >= LARGE[1] and max(sides) >= LARGE[0]


def _ramp(path, index, size, widest):
    example = wide_defocus.make_ramp(path, 500 + index, *size, widest)
    return {**example, "blurred": _worn(index, example["blurred"])}


def _scene(index, paths):
    """A scene of synthetic_dp, wider, its file worn by noise or JPEG."""
    ranges = scene_ranges.WIDE
    drawn = scenes.make_example(77, "train", index, SCENE, paths, ranges)
    blurred = levels.convert(drawn["blurred"], "uint8")
    coc = np.abs(drawn["coc"][..., 0])
    return {"blurred": _worn(index, blurred), "sharp": drawn["sharp"], "coc": coc}


def _layers(index, paths):
    """Objects whose blur jumps at their outlines, as wide as in a ramp."""
    example = wide_defocus.make_layers(paths, 9000 + index, SCENE)
    kept = {name: example[name] for name in ("blurred", "sharp", "coc")}
    return {**kept, "blurred": _worn(index, example["blurred"])}


def _worn(index, image):
    """An image with noise, then by turns as it is, of a palette, or of JPEG."""
    rng = np.random.default_rng(index)
    noise = rng.choice(NOISES) * rng.standard_normal(image.shape)
    image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    if index % 3 == 0:
        return image
    if index % 3 == 1:
        palette = PIL.Image.fromarray(image).quantize(int(rng.choice(COLOURS)))
        return np.asarray(palette.convert("RGB"))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITIES))]
    return cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)


def restore(path, name, restorer):
    """The four restorations of a rendering, from the folder `name` or anew."""
    target = path.parent / name / path.name
    if not target.exists():
        reduced = levels.to_float(np.load(path)["blurred"])
        found = {}
        for scale in scale_evidence.SCALES:
            found[f"r{scale}"] = restorer.restore(blurred=reduced).astype(np.float16)
            reduced = scale_evidence.halve(reduced)
        _save(target, found)
    with np.load(target) as arrays:
        return [arrays[f"r{s}"].astype(np.float32) for s in scale_evidence.SCALES]


def _save(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_files.open_whole(path) as file:
        np.savez(file, **arrays)


def gather_cells(paths):
    """Cells of every rendering where something counts: list of (name, held, cells)."""
    rng, found = np.random.default_rng(0), []
    for name in PRESETS.value:
        restorer = Restorer(presets.load_preset(name))
        kept_in = f"{pathlib.Path(name).name}_{_digest(name)}"
        for path in paths:
            restored = restore(path, kept_in, restorer)
            with np.load(path) as example:
                cells = calibration.cells(dict(example), restored, rng)
            print(name, path.stem, flush=True)
            if cells:
                kind = path.stem.rstrip("0123456789")
                held = not int(path.stem[len(kind) :]) % HELD_OUT
                found.append((kind, held, cells))
    return found


def _digest(name):
    """Tells the weights of a preset from others that it has had."""
    return manifest.sha256(presets.find_preset(name).weights)[:8]


def ratio_width(part):
    """The width [px] that the finest octave that still holds energy tells.

    Re-blurring by each octave's filter takes the most where the photograph has most:
    the width is about two pixels of the octave from which on energies stop doubling.
    """
    block = part["features"][:, : scale_evidence.NUM_BANDS]
    fallen = np.diff(block, axis=1) > np.log(2.5)
    octave = np.where(
        fallen.any(axis=1), fallen.shape[1] - fallen[:, ::-1].argmax(1), 0
    )
    return MEASURED * 2.0**octave * (octave > 0)


def compare(found):
    """Gains of every way on what is held out, fitted to the rest: markdown."""
    kept = [cells for _, held, cells in found if not held]
    one = np.eye(4)[0]
    ways = {"full size only": lambda part: np.tile(one, (len(part["widths"]), 1))}
    choose = calibration.by_width(kept, [ratio_width(part) for part in kept])
    ways["re-blur ratio"] = lambda part, f=choose: f(ratio_width(part))
    for evidence in ("spectrum", "network", "both"):
        weights = calibration.fit(kept, evidence, EPOCHS.value)
        ways[evidence] = lambda part, w=weights: _chosen(part, w)
    ways["the package's"] = lambda part: _chosen(part, None)
    own = presets.find_preset(PRESETS.value[0]).scales
    if own:
        weights = scale_choice.load_weights(own)
        ways["its own"] = lambda part: _chosen(part, weights)
    true = calibration.by_width(kept, [part["widths"] for part in kept])
    ways["true width (bound)"] = lambda part: true(part["widths"])
    tables = []
    for title, kinds in (("ramps", ("ramp",)), ("scenes", ("scene", "layers"))):
        parts = [part for kind, held, part in found if held and kind in kinds]
        if parts:
            tables.append(f"{len(parts)} {title}:\n\n{_table(ways, parts)}")
    return "\n".join(tables)


def _table(ways, parts):
    """Markdown: mean gain [dB] of every way in every range of widths."""
    lines = []
    for name, way in ways.items():
        gains = [
            calibration.gains(
                part["errors"], calibration.left_over(part, way(part)), part["widths"]
            )
            for part in parts
        ]
        means = np.nanmean(gains, axis=0)
        lines.append([name, *("" if np.isnan(g) else f"{g:+.2f}" for g in means)])
    ranges = [f"{a}-{min(b, 128)} px" for a, b in itertools.pairwise(calibration.EDGES)]
    return markdown_table(["way to choose", *ranges], lines)


def _chosen(part, weights):
    features = part["features"][:, None]
    return scale_choice.choose(features, 4, weights)[0][:, 0]


def main(_):
    """Renders, restores, compares, fits and writes."""
    folder = pathlib.Path(WORK.value)
    paths = render(folder) if PHOTOGRAPHS.value else sorted(folder.glob("*.npz"))
    found = gather_cells(paths)
    print(compare(found))
    if WRITE.value:
        parts = [cells for _, _, cells in found]
        _save(pathlib.Path(WRITE.value), calibration.fit(parts, epochs=EPOCHS.value))


if __name__ == "__main__":
    commands.run(main)
