"""Exports every network and preset to every format, and makes a page of the results.

    python tools/benchmark/exports.py --output results/exports --page docs/exports.md

Networks are made small, with fresh weights, and compared with the `Restorer` at two
sizes: what does not convert does not at full width either. Presets are exported as
`tools/export.py` does, with its certificate, and every engine restores a small scene
whole, and a large one in tiles and over scales.
Each case is kept in the folder `--output` and not repeated, so that a run which was
stopped goes on; a preset's is once its weights are others. The page is of all that is
in the folder.
"""

import functools
import json
import os
import pathlib
import tempfile
import warnings

import numpy as np
import tqdm
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation import cost
from tf_defocus.markdown_table import markdown_table

OUTPUT = flags.DEFINE_string("output", "results/exports", "Folder of the results.")
PAGE = flags.DEFINE_string("page", None, "Markdown page of the tables, for docs.")
NETWORKS = flags.DEFINE_bool("networks", True, "Convert every network.")
PRESETS = flags.DEFINE_list("presets", None, "Names [all].")
PRECISIONS = flags.DEFINE_list("precisions", None, "Of presets [all].")

ENGINES = ("native", "onnxruntime", "openvino")
FORMATS = {"onnx": ".onnx", "openvino": ".xml", "litert": ".tflite"}
SIZES = ((1, 1), (45, 70))  # px
# way -> height and width [px] that divide by nothing much, options of the `Restorer`
WAYS = {
    "whole": ((157, 203), {}),
    "tiles": ((901, 1203), {"tile": 512}),
    "scales": ((901, 1203), {"scales": (1, 2)}),
}
TOLERANCE = 1e-5
MAX_MEGAPIXELS = {"k3dn_tiny": 0.05}  # of a preset's largest image; of others 0.01
BLOCKS = {"base_filters": 4, "num_blocks": (1, 1, 1, 1)}
K3DN = {
    "base_filters": 4,
    "encoder_residual_units": 1,
    "num_psf_blocks": 1,
    "window_size": (4, 4),
}
ONE_UNIT = {"base_filters": 4, "num_residual_units": 1}
# name -> arguments that make it small; one of each class, number of views and levels
SMALL = {
    "bambnet": {"base_filters": 4, "reduction": 2},
    "dddnet": {"width_divisor": 8},
    "deeprft": ONE_UNIT,
    "dpdnet_dual": {"base_filters": 4},
    "dpdnet_single": {"base_filters": 4},
    "drbnet": {"base_filters": 2},
    "drbnet_dual": {"base_filters": 2},
    "gkmnet": {"num_gaussians": 2, "max_kernel_size": 5},
    "ifan": {**ONE_UNIT, "num_iterations": 2},
    "ifan_dual": {**ONE_UNIT, "num_iterations": 2},
    "iniknet": {**ONE_UNIT, "num_bases": 2, "max_kernel_size": 5},
    "k3dn_single": K3DN,
    "k3dn_tiny": K3DN,
    "kpac_2level": {"base_filters": 4},
    "kpac_3level": {"base_filters": 4},
    "kpac_3level_dual": {"base_filters": 4},
    "lakdnet_small": BLOCKS,
    "lakdnet_small_dual": BLOCKS,
    "mdp": {"base_filters": 4},
    "nrknet": {"base_filters": 4, "num_kernels": 3},
    "rdpd": {"base_filters": 4},
    "restormer": {**BLOCKS, "num_heads": (1, 2, 2, 2)},
    "restormer_dual": {**BLOCKS, "num_heads": (1, 2, 2, 2)},
    "srn": {"base_filters": 4},
}
# Of kernels. Fresh ones of SRN make values of 60, whose rounding in float32 is 8e-5 as
# TensorFlow computes them and 3e-5 as onnxruntime does, beside the graph in float64.
GAINS = {"srn": 0.8}


def convert(name, format):
    """A small network in one format beside the `Restorer`.

    Returns:
        dict: `max_difference`, and by how much the larger image is `changed` at most;
        or `error`, a line.
    """
    import keras

    from tf_defocus import export
    from tf_defocus.export.runners import open_exported
    from tf_defocus.models import create_model
    from tf_defocus.restoration.restorer import Restorer

    keras.utils.set_random_seed(0)
    network = create_model(name, **SMALL[name])
    for weight in network.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(GAINS.get(name, 1) * weight)
    restorer = Restorer(network, tile=0)
    rng, worst = np.random.default_rng(0), 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"network{FORMATS[format]}"
        try:
            getattr(export, f"write_{format}")(network, path)
            run = open_exported(path)
            for size in SIZES:
                views = {
                    view: rng.random((2, *size, 3), dtype=np.float32)
                    for view in network.view_names
                }
                restored = run(views)
                for i, image in enumerate(restored):
                    expected = restorer.restore(**{k: v[i] for k, v in views.items()})
                    worst = max(worst, float(np.abs(image - expected).max()))
        except (ValueError, RuntimeError) as error:
            return {"error": first_line(error)}
    given = views[network.view_names[0]][-1]
    return {"max_difference": worst, "changed": float(np.abs(expected - given).max())}


def certify(preset, format, precision):
    """The certificate of a preset, and the size of its file; or `error`, a line."""
    from tf_defocus.export.exporting import FORMATS, export_preset

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{preset}{FORMATS[format][0]}"
        try:
            limit = MAX_MEGAPIXELS.get(preset, 0.01)
            certificate = export_preset(
                preset, path, format, precision, max_megapixels=limit
            )
        except (ValueError, RuntimeError, ArithmeticError) as error:
            return {"error": first_line(error)}
        files = [f for f in pathlib.Path(folder).rglob("*") if f.suffix != ".json"]
        size = sum(f.stat().st_size for f in files if f.is_file())
    return {**certificate, "bytes": size}


def compare_engine(preset, engine, way):
    """A preset by an engine and by TensorFlow, of one rendered scene.

    Returns:
        dict: `levels` of 255 by which they differ at most, and by which the scene was
        `changed`; or `error`, a line.
    """
    from tf_defocus.restoration.engines import EngineWarning
    from tf_defocus.restoration.restorer import Restorer

    network, views, expected = restored_scene(preset, way)
    with warnings.catch_warnings():
        warnings.simplefilter("error", EngineWarning)  # TensorFlow in its place
        try:
            restorer = Restorer(network, engine=engine, **WAYS[way][1])
            restored = restorer.restore(**views)
        except EngineWarning as warning:
            return {"error": first_line(warning)}
    return {
        "levels": int(np.abs(restored - expected).max()),
        "changed": int(np.abs(expected - next(iter(views.values()))).max()),
    }


@functools.lru_cache(maxsize=1)  # the engines come one after another
def restored_scene(preset, way):
    """A preset's network, one rendered scene, and what TensorFlow makes of it.

    Returns:
        `(network, views, restored)`: views a dict of (height, width, 3) uint8, restored
        alike, int64.
    """
    from tf_defocus.export.examples import rendered_views
    from tf_defocus.models.presets import load_preset
    from tf_defocus.restoration.restorer import Restorer

    (height, width), options = WAYS[way]
    network = load_preset(preset)
    ((scene, _),) = rendered_views(network.view_names, 1, max(height, width))
    views = {
        name: np.rint(255 * view[:height, :width]).astype(np.uint8)
        for name, view in scene.items()
    }
    return network, views, Restorer(network, **options).restore(**views).astype(int)


def first_line(error):
    """The line that a command would end with, of bounded length."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def cases():
    """dict, name of the file -> function without arguments."""
    from tf_defocus.export.exporting import FORMATS as ALL
    from tf_defocus.models.manifest import list_presets

    found = {}
    for name in SMALL if NETWORKS.value else ():
        for format in FORMATS:
            found[f"network-{name}-{format}"] = (convert, name, format)
    for preset in list_presets() if PRESETS.value is None else PRESETS.value:
        for format, (_, precisions) in ALL.items():
            for precision in precisions:
                if precision not in (PRECISIONS.value or precisions):
                    continue
                name = f"preset-{preset}-{format}-{precision}"
                found[name] = (certify, preset, format, precision)
        for way in WAYS:
            for engine in ENGINES:
                name = f"engine-{preset}-{engine}-{way}"
                found[name] = (compare_engine, preset, engine, way)
    return found


def weights_of(name):
    """sha256 of the weights that a case is about; None of networks with fresh ones."""
    from tf_defocus.models.manifest import list_presets

    kind, preset, *_ = name.split("-")
    known = {} if kind == "network" else list_presets()
    return known.get(preset, {}).get("sha256")


def kept_results(folder):
    """dict, name of the case -> its result, those of older weights left out."""
    results = {
        path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*"))
    }
    return {k: r for k, r in results.items() if r.get("weights") == weights_of(k)}


def page(folder):
    """The text of the page, from the results in the folder."""
    results = kept_results(folder)
    networks, engines, presets, reasons = {}, {}, [], []
    for name, result in results.items():
        kind, network, format, *precision = name.split("-")
        if "error" in result:
            reasons.append(f"- {network}, {' '.join([format, *precision])}: ")
            reasons[-1] += result["error"]
        if kind == "network":
            found = networks.setdefault(network, {})
            found[format] = describe(result)
            if "changed" in result:
                found["changed"] = f"{result['changed']:.2g}"
        elif kind == "engine":
            found = engines.setdefault((network, *precision), {})
            found[format] = str(result.get("levels", "refused"))
            found["changed"] = str(result.get("changed", found.get("changed", "")))
        elif "error" not in result:
            presets.append(row(network, result))
    machine = cost.describe_machine()
    columns = [*FORMATS, "changed"]
    names = [*ENGINES, "changed"]
    compared = [
        [f"`{preset}`", way, *(found.get(name, "") for name in names)]
        for (preset, way), found in engines.items()
    ]
    header = ("preset", "format", "precision", "largest difference")
    header += (
        "PSNR to it [dB]",
        "PSNR cost [dB]",
        "file [MB]",
        "time [s]",
        "memory [MiB]",
        "load",
    )
    return TEXT.format(
        networks=markdown_table(("network", *columns), cells(networks, columns), 1),
        engines=markdown_table(("preset", "restored", *names), compared, 2),
        presets=markdown_table(header, presets, num_texts=3),
        reasons="\n".join(reasons) or "None.",
        processor=machine["processor"],
        cores=machine["cores"],
    )


def cells(found, columns):
    """Rows of a table: a name and its values, empty where there is none."""
    return [[f"`{n}`", *(row.get(c, "") for c in columns)] for n, row in found.items()]


def describe(result):
    """A cell: the difference, in words where it is too large, or that it is refused."""
    if "error" in result:
        return "refused"
    worst = result["max_difference"]
    return f"{worst:.0e}" if worst <= TOLERANCE else f"differs by {worst:.0e}"


def row(preset, result):
    """A line of the table of presets."""
    found, cost = result["parity"]["found"], result["cost"]
    return (
        f"`{preset}`",
        result["format"],
        result["precision"],
        f"{max(each['max_difference'] for each in found):.1e}",
        f"{min(each['psnr_to_restorer'] for each in found):.1f}",
        f"{result['quality']['psnr_cost']:.3f}",
        f"{result['bytes'] / 1e6:.1f}",
        f"{cost['seconds']:.3f}",
        f"{cost['peak_process_mib']:.0f}",
        f"{result['machine']['load_average']:.0f}",
    )


TEXT = """# What converts to what

    python tools/benchmark/exports.py --output results/exports --page docs/exports.md

What has no row or an empty cell was not run yet.

## Networks

Every network that restores images becomes a SavedModel. For the other formats the table
has the largest difference from the `Restorer`, of images in [0, 1], of a small network
with fresh weights at 1x1 and 70x45 pixels, in a batch of two. (SRN's kernels are 0.8 of
fresh ones, which make values of 60: float32 rounds those by 8e-5, in TensorFlow more
than in the other runtimes.) The last column has the most that restoring changed the
larger image. Where it says "refused", `tools/export.py` tells in one
line why, and writes nothing.

{networks}

## Presets

What the certificates of the shipped presets say, which `tools/export.py` writes beside
each file: the largest difference from the `Restorer` over all sizes (up to 0.01
megapixels, of K3DN 0.05) and batches, the least PSNR to its images, the PSNR that is
lost on rendered scenes, and time and memory of one image in a process of its own on
{processor}, {cores} cores. Other programs ran beside it, as many as the last column
says (the load average): times of different loads do not compare.

{presets}

## Engines

Presets as `Restorer(engine=...)` runs them, on one rendered scene: whole at 203x157
pixels, and at 1203x901 pixels in tiles of 512 or over two scales. The table has the
largest difference from the photograph that TensorFlow restores in the same way, in
levels of 255, and by how many levels restoring changed the scene.

{engines}

## What is refused

{reasons}
"""


def main(_):
    """Works through the cases, then writes the page."""
    folder = pathlib.Path(OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    kept = kept_results(folder)
    waiting = {name: call for name, call in cases().items() if name not in kept}
    for name, (function, *arguments) in tqdm.tqdm(waiting.items(), unit="export"):
        result = {**function(*arguments), "weights": weights_of(name)}
        text = json.dumps(result, indent=1) + "\n"
        whole_files.write_text(folder / f"{name}.json", text)
    if PAGE.value:
        whole_files.write_text(os.fspath(PAGE.value), page(folder))


if __name__ == "__main__":
    commands.run(main)
