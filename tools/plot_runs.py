"""Draws learning curves of training runs: `python tools/plot_runs.py --runs A,B`.

    python tools/plot_runs.py --runs runs/ifan_compact_synthetic,runs/plain \\
        --key validation_gain_blurred --output docs/curves/ifan_compact.png

Reads every run's `metrics.jsonl`; prints the same numbers as a Markdown table.
"""

import json
import pathlib

from absl import app, flags

from tf_defocus import commands
from tf_defocus.markdown_table import markdown_table

_RUNS = flags.DEFINE_list("runs", None, "Folders of training runs.", required=True)
_LABELS = flags.DEFINE_list("labels", None, "Their names [the folders' names].")
_KEY = flags.DEFINE_string("key", "validation_gain", "Which logged number.")
_OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)


def read_curve(folder, key):
    """The steps and values of one logged number.

    Args:
        folder: of a training run.
        key: str, a name in its `metrics.jsonl`.

    Returns:
        (list of int, list of float); of steps logged twice, as after a resumption, the
        last.

    Raises:
        ValueError: if the run never logged that number.
    """
    path, points, names = pathlib.Path(folder) / "metrics.jsonl", {}, set()
    for line in path.read_text().splitlines():
        row = json.loads(line)
        names |= row.keys()
        if key in row:
            points[row["step"]] = row[key]
    if not points:
        names = sorted(names - {"step"})
        raise ValueError(f"{path} must hold {key!r}. Received: {names}")
    steps = sorted(points)
    return steps, [points[step] for step in steps]


def table(curves, key):
    """The curves as Markdown, a row for every step that one of them has."""
    steps = sorted({step for found, _ in curves.values() for step in found})
    columns = [dict(zip(*curve)) for curve in curves.values()]
    rows = [
        [str(step), *(f"{c[step]:.3f}" if step in c else "" for c in columns)]
        for step in steps
    ]
    return markdown_table([f"step, {key}", *curves], rows)


def main(_):
    """Draws the runs' curves and prints them as a table."""
    from tf_defocus.images.files import Image, write_image
    from tf_defocus.reports.line_chart import draw_lines

    labels = _LABELS.value or [pathlib.Path(run).name for run in _RUNS.value]
    if len(labels) != len(_RUNS.value):
        raise app.UsageError(
            f"--labels must name {len(_RUNS.value)} runs. Received: {labels}"
        )
    curves = {
        label: read_curve(run, _KEY.value) for label, run in zip(labels, _RUNS.value)
    }
    picture = draw_lines(curves, _KEY.value, "steps", "dB")
    pathlib.Path(_OUTPUT.value).parent.mkdir(parents=True, exist_ok=True)
    write_image(_OUTPUT.value, Image(picture))
    print(table(curves, _KEY.value), end="")


if __name__ == "__main__":
    commands.run(main)
