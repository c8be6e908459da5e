"""Says which dataset a folder holds, and whether its builder would take it.

    python tools/inspect_dataset.py FOLDER [--json report.json] [--pairs 20]

Prints set, splits, counts, sizes, bit depths (from the file's header, not from a
decoder), the pairing, and per pair: the disparity of the views [px], the shift between
the blurred and the sharp image [px] and the ratio of their exposures in linear light.
Warns where the left and right views of most pairs seem exchanged (`view_order`). Exits
with 1 where the builder would refuse the folder, and says why.
"""

import collections
import importlib.util
import json
import pathlib
import sys

import cv2
import numpy as np
from absl import app, flags

from tf_defocus import commands, whole_files
from tf_defocus.data import published_files, published_maps
from tf_defocus.images import png
from tf_defocus.images.files import read_image
from tf_defocus.optics.sensor import srgb_to_linear
from tf_defocus.restoration.view_order import check_view_order

DATASETS = pathlib.Path(__file__).resolve().parent.parent / "datasets"
# The more particular trees first: rdpd's and dpdd_pixel's look like dpdd's.
SETS = (
    "rdpd",
    "dpdd_pixel",
    "dpdd",
    "realdof",
    "cuhk_bd",
    "syndof",
    "lfdof",
    "rtf",
    "ddd_syn",
    "dpd_disp",
    "dp_folder",
)
COUNTS = {
    "dpdd": {"train": 350, "val": 74, "test": 76},
    "dpdd_pixel": {"test": 13},
    "realdof": {"test": 50},
    "cuhk_bd": {"test": 704},
    "lfdof": {"train": 11261, "test": 725},
    "rtf": {"test": 22},
    "ddd_syn": {"train": 5000, "test": 350, "test1": 150},
    "dpd_disp": {"test": 100},
}
_FREE_SIZES = ("rtf", "dpd_disp")  # whose maps need not have the photograph's size
BITS = {"dpdd": 16, "dpdd_pixel": 16}  # of the default config; 8 elsewhere
_REFUSALS = (ValueError, OSError)
_JSON = flags.DEFINE_string("json", None, "File for the report.")
_PAIRS = flags.DEFINE_integer("pairs", 8, "Pairs per split to measure; 0: all.")
_LISTS = flags.DEFINE_string("lists", "", "Folder of other pair lists for dpdd.")


def load_builder_module(name):
    """The builder's module, by path: `datasets` may be another's package."""
    path = DATASETS / name / f"{name}_dataset_builder.py"
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[path.stem])
    return sys.modules[path.stem]


def find_files(name, folder, lists=""):
    """dict, split -> list of dict of paths by feature, as the builder pairs them.

    Raises:
        DatasetFilesError, ValueError, OSError: as the builder does.
    """
    module = load_builder_module(name)
    if name == "dpdd":
        lists = pathlib.Path(lists or DATASETS / "dpdd" / "splits")
        pairs = {s: module.read_pairs(lists, s) for s in ("train", "val", "test")}
        patches = module.holds_patches(folder)
        found = module.find_scenes(folder, pairs, patches)
        return {s: [scene["paths"] for scene in found[s]] for s in found}
    if name == "dpdd_pixel":
        roles = ("blurred", "left", "right")
        return {"test": [dict(zip(roles, p)) for p in module.find_scenes(folder)]}
    if name == "ddd_syn":
        return {s: list(v.values()) for s, v in module.find_scenes(folder).items()}
    if name == "rtf":
        return {"test": module.find_scenes(folder)}
    if name == "dpd_disp":
        return {"test": list(module.find_scenes(folder).values())}
    if name == "rdpd":
        found = module.find_frames(folder)
        return {s: [frame[2] for frame in frames] for s, frames in found.items()}
    if name == "dp_folder":
        return {"test": list(module.find_scenes(folder).values())}
    found = module.find_pairs(folder)
    split = "train" if name == "syndof" else "test"
    found = found if isinstance(found, dict) else {split: found}
    roles = ("blurred", {"cuhk_bd": "mask", "syndof": "blur_map"}.get(name, "sharp"))
    return {s: [dict(zip(roles, p)) for p in pairs] for s, pairs in found.items()}


def recognise(folder, lists=""):
    """(name of the set, its files by split, why the builder refuses or None)."""
    if not pathlib.Path(folder).is_dir():
        return None, {}, f"{folder} is no folder; unzip an archive first"
    refusals = {}
    for name in SETS:
        try:
            return name, find_files(name, folder, lists), None
        except _REFUSALS as error:
            refusals[name] = str(error)
    for name in SETS[:-1]:  # dp_folder has no tree of its own
        module = load_builder_module(name)
        near = [pathlib.Path(folder), *(p for p in pathlib.Path(folder).glob("*"))]
        if name != "dpdd_pixel" and any(module.is_root(p) for p in near if p.is_dir()):
            return name, {}, refusals[name]
    return None, {}, f"no known dataset; as dpdd: {refusals['dpdd']}"


def describe_file(path):
    """(width, height, bits per sample) from the header where the file is a PNG.

    Raises:
        DatasetFilesError: if the file cannot be read.
    """
    if path.suffix.lower() == ".pfm":
        values = published_maps.read_pfm(path)
        return values.shape[1], values.shape[0], 32
    if path.suffix.lower() == ".mat":
        values = published_maps.read_mat(path, "blurMap")
        return values.shape[1], values.shape[0], 32
    with path.open("rb") as file:
        if file.read(8) == png.SIGNATURE:
            file.seek(-12, 2)
            if file.read(8) != b"\0\0\0\0IEND":
                raise published_files.DatasetFilesError(f"{path}: the PNG is cut off")
            return published_files.read_png_header(path)[:3]
    pixels = read_image(path).pixels
    return pixels.shape[1], pixels.shape[0], 8 * pixels.dtype.itemsize


def measure_pair(paths):
    """What can be measured of a scene: disparity and order, shift, exposure ratio."""
    planes = {
        role: _green(path)
        for role, path in paths.items()
        if role in ("blurred", "left", "right", "sharp")
    }
    measured = {"scene": next(iter(paths.values())).stem}
    if "left" in planes and "right" in planes:
        # phaseCorrelate gives x_right - x_left; ours is x_left - x_right
        measured["disparity"] = -_shift(planes["left"], planes["right"])[0]
        views = (planes[side][..., None] for side in ("left", "right"))
        measured["view_order"] = check_view_order(*views, warn=False).verdict
    if "blurred" in planes and "sharp" in planes:
        common = min(plane.shape[1] for plane in planes.values())
        blurred, sharp = (planes[r][:, :common] for r in ("blurred", "sharp"))
        measured["misalignment"] = float(np.hypot(*_shift(blurred, sharp)))
        means = [srgb_to_linear(plane).mean() for plane in (blurred, sharp)]
        measured["exposure_ratio"] = float(means[0] / max(means[1], 1e-9))
    return measured


def _green(path):
    pixels, _ = published_files.read_rgb(path, np.uint8)
    return pixels[..., 1].astype(np.float64) / 255


def _shift(first, second):
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_64F)
    # OpenCV multiplies its arguments by the window in place
    shift, _ = cv2.phaseCorrelate(first.copy(), second.copy(), window)
    return shift


def inspect(folder, pairs=8, lists=""):
    """The report of a folder, ready for JSON; `refused` is None or the reason."""
    name, splits, refused = recognise(folder, lists)
    report = {"folder": str(folder), "dataset": name, "refused": refused, "splits": {}}
    for split, scenes in splits.items():
        sizes, depths, problems = _survey(scenes, name)
        step = max(1, len(scenes) // pairs) if pairs else 1
        measured = [] if problems else [measure_pair(paths) for paths in scenes[::step]]
        report["splits"][split] = {
            "scenes": len(scenes),
            "expected": COUNTS.get(name, {}).get(split),
            "files": sum(depths.values()),
            "sizes": sizes,
            "bits": depths,
            "first": {role: str(path) for role, path in scenes[0].items()},
            "problems": problems,
            "measured": measured,
        }
        if problems and report["refused"] is None:
            report["refused"] = problems[0]
    return report


def _survey(scenes, name):
    """Counters of sizes and bit depths over all files, and what is wrong with them."""
    sizes, depths, problems = collections.Counter(), collections.Counter(), []
    wanted = BITS.get(name, 8)
    for paths in scenes:
        first = None
        for path in map(pathlib.Path, paths.values()):
            try:
                width, height, bits = describe_file(path)
            except _REFUSALS as error:
                problems.append(str(error))
                continue
            size = f"{width}x{height}"
            first = first or (path, size)
            sizes[size] += 1
            depths[str(bits)] += 1
            if bits < wanted:
                problems.append(f"{path}: {bits} bits, not {wanted}")
            if size != first[1] and name not in _FREE_SIZES:
                problems.append(f"{path}: {size}, but {first[0]}: {first[1]}")
    return sizes, depths, problems


def format_report(report):
    """The report as lines of text."""
    lines = [f"{report['folder']}: {report['dataset'] or 'unknown'}"]
    columns = "{:<8} {:>7} {:>8}  {:<24} {:<14} {:>9} {:>9} {:>8}"
    lines.append(
        columns.format(
            *("split", "scenes", "expected", "sizes", "bits"),
            *("disparity", "misalign.", "exposure"),
        )
    )
    for split, found in report["splits"].items():
        medians = [
            _median(found["measured"], key)
            for key in ("disparity", "misalignment", "exposure_ratio")
        ]
        shown = [_counts(found["sizes"]), _counts(found["bits"])]
        counts = [found["scenes"], found["expected"] or "?"]
        lines.append(columns.format(split, *counts, *shown, *medians))
    for split, found in report["splits"].items():
        pairing = ", ".join(pathlib.Path(p).name for p in found["first"].values())
        lines.append(f"{split} pairs: {pairing}, ...")
        lines += [f"{split}: {problem}" for problem in found["problems"][:5]]
        lines += _warn_of_exchanged_views(split, found["measured"])
    lines.append(f"REFUSED: {report['refused']}" if report["refused"] else "accepted")
    return "\n".join(lines)


def _warn_of_exchanged_views(split, measured):
    """One line if more pairs seem exchanged than in order, else none."""
    orders = collections.Counter(item.get("view_order") for item in measured)
    exchanged, expected = orders["exchanged"], orders["as expected"]
    if exchanged <= expected:
        return []
    return [
        f"{split}: WARNING: left and right seem exchanged in {exchanged} pairs, in "
        f"order in {expected}: what is blurred should mostly lie behind focus"
    ]


def _counts(values):
    return " ".join(f"{key}:{count}" for key, count in sorted(values.items())[:3])


def _median(measured, key):
    values = [item[key] for item in measured if key in item]
    return f"{np.median(values):+.2f}" if values else "-"


def main(arguments):
    """Prints what a folder is; exits with 1 where a builder would refuse it."""
    if len(arguments) != 2:
        raise app.UsageError("give one folder")
    report = inspect(arguments[1], _PAIRS.value, _LISTS.value)
    print(format_report(report))
    if _JSON.value:
        target = pathlib.Path(_JSON.value)
        whole_files.write_text(target, json.dumps(report, indent=1))
    return 1 if report["refused"] else 0


if __name__ == "__main__":
    commands.run(main)
