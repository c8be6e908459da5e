"""The report as Markdown, CSV and a page with sliders.

What is compared, and whether it may be, is decided in `comparison.py`.
"""

import csv
import html
import io
import pathlib
import shutil

from tf_defocus import whole_files
from tf_defocus.evaluation.pictures import find_single, single_path
from tf_defocus.markdown_table import markdown_table
from tf_defocus.reports import html_page
from tf_defocus.reports.comparison import AGREES, DIFFERS, UNKNOWN
from tf_defocus.reports.paper_results import INPUT

MEASURED = "measured"
DECIMALS = {"psnr": 2, "ssim": 4, "mae": 4, "mse": 6, "lpips": 4, "rmse_rel": 4}
PRINTED_DECIMALS = {**DECIMALS, "ssim": 3, "lpips": 3}
TITLES = {"psnr": "PSNR [dB]", "rmse_rel": "RMSE_rel"}
MARKS = {AGREES: "Gate passed", DIFFERS: "GATE FAILED", UNKNOWN: "No gate"}


def verdicts(sections):
    """One sentence per section: what stands before anything else."""
    return [
        f"{MARKS[s.gate]}. {s.scores.dataset}, protocol {s.scores.protocol}: "
        f"{s.verdict}."
        for s in sections
    ]


def table_of(section):
    """The rows of a section as texts: ours, then those of the papers' tables.

    Returns:
        (head, rows): lists of str.
    """
    measured = section.scores.rows()
    names = list(measured[INPUT])
    head = ["source", "method", *(TITLES.get(name, name.upper()) for name in names)]
    rows = [
        [MEASURED, method, *_texts(scores, names, DECIMALS)]
        for method, scores in measured.items()
    ]
    for table in section.tables:
        for row in table.rows:
            # RMSE_rel is printed for K3DN's protocol only, where all rows have it.
            texts = _texts(table.scores(row), names, PRINTED_DECIMALS)
            rows.append([table.source, row.method, *texts])
    return head, rows


def _texts(scores, names, decimals):
    return [f"{scores[n]:.{decimals[n]}f}" if n in scores else "" for n in names]


def to_markdown(sections):
    """The whole report as Markdown text."""
    lines = ["# Measured and published scores", ""]
    lines += [f"- {text}" for text in verdicts(sections)]
    for section in sections:
        lines += ["", f"## {_title(section)}", ""]
        lines += markdown_table(*table_of(section), num_texts=2).splitlines()
        lines += [""] + [f"{t.source}: {t.note}." for t in section.tables if t.note]
    return "\n".join(lines).rstrip() + "\n"


def to_csv(sections):
    """The whole report as comma-separated values, one row per source and method."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fields = ("dataset", "protocol", "noise_sigma", "gate", "source", "method")
    names = list(dict.fromkeys(n for s in sections for n in s.scores.rows()[INPUT]))
    writer.writerow([*fields, *names])
    for section in sections:
        scores = section.scores
        setting = [scores.dataset, scores.protocol, scores.noise_sigma, section.gate]
        measured = [(MEASURED, m, row) for m, row in scores.rows().items()]
        printed = [
            (table.source, row.method, table.scores(row))
            for table in section.tables
            for row in table.rows
        ]
        for source, method, row in measured + printed:
            cells = [f"{row[name]:.6g}" if name in row else "" for name in names]
            writer.writerow([*setting, source, method, *cells])
    return text.getvalue()


def write(sections, folder):
    """Writes `report.md`, `report.csv`, `report.html` and the pictures it shows.

    Args:
        sections: list of `comparison.Section`.
        folder: str or path, made if absent.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.md": to_markdown(sections),
        "report.csv": to_csv(sections),
        "report.html": _to_html(sections, folder),
    }
    for name, text in texts.items():
        whole_files.write_text(folder / name, text)


def _to_html(sections, folder):
    items = "".join(f"<li>{html.escape(text)}" for text in verdicts(sections))
    parts = [f"<ul>{items}</ul>"]
    for index, section in enumerate(sections):
        parts.append(f"<h2>{html.escape(_title(section))}</h2>")
        parts.append(html_page.table(*table_of(section)))
        parts += _sliders(section, folder, f"pictures_{index}")
    title = "tf_defocus: measured and published scores"
    return html_page.page(title, "Measured and published scores", parts)


def _sliders(section, folder, name):
    """A slider per image and method whose pictures are there; copies the pictures."""
    parts = []
    for image in section.scores.images:
        methods = [m for m in image["scores"] if m != INPUT]
        paths = {
            m: find_single(section.scores.folders, image["name"], m)
            for m in (INPUT, *methods)
        }
        if not all(paths.values()):
            continue
        copies = {}
        for method, path in paths.items():
            copy = single_path(folder / name, image["name"], method)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copies[method] = copy.relative_to(folder).as_posix()
        for method in methods:
            psnr = float(image["scores"][method]["psnr"])
            before = float(image["scores"][INPUT]["psnr"])
            title = f"{image['name']}: {method}, {before:.2f} to {psnr:.2f} dB"
            parts.append(html_page.slider(title, copies[INPUT], copies[method]))
    if not parts:
        parts.append("<p>No pictures: evaluate with --single_pictures.</p>")
    return parts


def _title(section):
    scores = section.scores
    return f"{scores.dataset}, {len(scores.images)} images, protocol {scores.protocol}"
