"""What more sizes, an ensemble or a cascade could add to restoring over scales.

    python tools/benchmark/scale_ladders.py --work runs/scales \\
        --renderings layers0,layers1,layers5,layers6,layers10 --output results/ladders

The renderings are those that `tools/calibrate_scales.py` left in its folder. Each is
restored at 1, 1/2, 1/4 and 1/8 of its size; the same by ensembles; at three sizes
between them, too; and in a cascade, where what the coarser sizes changed is blended in,
by the installed choice, before the next finer size is restored. The gain is what the
knowledge of the width alone could give: trust by least squares for each width, fitted
to the other renderings.
"""

import itertools
import pathlib

import cv2
import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import scale_calibration as calibration
from tf_defocus.images import levels
from tf_defocus.markdown_table import leave_table
from tf_defocus.restoration import scale_choice, scale_evidence
from tf_defocus.restoration.restorer import Restorer

PRESET = flags.DEFINE_string("preset", "kpac_3level", "Name or folder.")
WORK = flags.DEFINE_string("work", None, "Folder with renderings.", required=True)
RENDERINGS = flags.DEFINE_list("renderings", [], "Two or more of their names.")
OUTPUT = flags.DEFINE_string("output", None, "Folder for results.", required=True)
BETWEEN = (2**0.5, 2**1.5, 2**2.5)  # reductions between 1, 2, 4 and 8
MULTIPLE = 8
# Pixels that the network sees, of those at full size.
COSTS = {
    "1, 1/2, 1/4, 1/8": 1.33,
    "the same, ensemble": 5.31,
    "with three sizes between": 1.98,
    "cascade": 2.64,
}


def restored_changes(restorer, images):
    """What is changed in each image."""
    return [restorer.restore(image) - image for image in images]


def cascade(restorer, images, changes):
    """The changes at every size when the coarser ones are blended in before.

    Args:
        restorer: `Restorer`.
        images: list of the photograph at 1, 1/2, 1/4 and 1/8, float32.
        changes: list of what is changed in each alone, which the choice reads.
    """
    restored = images[0] + changes[0]
    evidence, _ = scale_evidence.gather(images[0], restored, changes[1:])
    trust, _ = scale_choice.choose_everywhere(evidence, len(images))
    found = [changes[-1]]
    for index in reversed(range(len(images) - 1)):
        image = images[index]
        coarser = np.ascontiguousarray(trust[..., index + 1 :].sum(axis=-1))
        share = _resized(coarser, image.shape, cv2.INTER_LINEAR)[..., None]
        improved = np.clip(image + share * _resized(found[0], image.shape), 0, 1)
        found.insert(0, restorer.restore(improved) - image)
    return found


def ladders(restorer, ensemble, blurred):
    """dict, name of `COSTS` -> list of changes, each at its own size."""
    images = [levels.to_float(blurred)]
    for _ in range(3):
        images.append(scale_evidence.halve(images[-1]))
    sides = np.array(images[0].shape[:2])
    between = []
    for factor in BETWEEN:
        height, width = np.rint(sides / factor / MULTIPLE).astype(int) * MULTIPLE
        between.append(_resized(images[0], (height, width), cv2.INTER_AREA))
    changes = restored_changes(restorer, images)
    found = (
        changes,
        restored_changes(ensemble, images),
        [*changes, *restored_changes(restorer, between)],
        cascade(restorer, images, changes),
    )
    return dict(zip(COSTS, found))


def cells_of(example, changes):
    """Errors of every cell that counts, as of `calibration.cells`."""
    shape = example["blurred"].shape
    enlarged = [_resized(change, shape) for change in changes]
    found = calibration.cell_statistics(example, enlarged)
    width, good = calibration.widths_and_detail(example)
    weights = np.ones_like(width) / (found["errors"][good].mean() * good.sum())
    found = {**found, "widths": width, "weights": weights}
    return {name: values[good] for name, values in found.items()}


def mean_gains(parts):
    """(ranges,) [dB]: of each rendering, with a trust fitted to the others."""
    gains = []
    for index, part in enumerate(parts):
        others = parts[:index] + parts[index + 1 :]
        trust = calibration.by_width(others, [other["widths"] for other in others])
        left = calibration.left_over(part, trust(part["widths"]))
        gains.append(calibration.gains(part["errors"], left, part["widths"]))
    return np.nanmean(gains, axis=0)


def _resized(image, shape, interpolation=cv2.INTER_CUBIC):
    return cv2.resize(
        image, (int(shape[1]), int(shape[0])), interpolation=interpolation
    )


def main(_):
    """Restores and prints a table."""
    if len(RENDERINGS.value) < 2:
        raise ValueError("--renderings must name two or more: one is held out by turns")
    restorer = Restorer.from_preset(PRESET.value)
    ensemble, parts = Restorer(restorer.model, ensemble=True), {}
    for name in RENDERINGS.value:
        with np.load(pathlib.Path(WORK.value) / f"{name}.npz") as arrays:
            example = dict(arrays)
        found = ladders(restorer, ensemble, example["blurred"])
        for ladder, changes in found.items():
            parts.setdefault(ladder, []).append(cells_of(example, changes))
        print(name, flush=True)
    lines = []
    for ladder, cells in parts.items():
        gains = ("" if np.isnan(g) else f"{g:+.2f}" for g in mean_gains(cells))
        lines.append([ladder, f"{COSTS[ladder]:.2f}", *gains])
    ranges = [f"{a}-{min(b, 128)} px" for a, b in itertools.pairwise(calibration.EDGES)]
    leave_table(OUTPUT.value, ["sizes", "pixels restored", *ranges], lines)


if __name__ == "__main__":
    commands.run(main)
