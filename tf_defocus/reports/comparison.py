"""Our scores beside the papers', gated on the row of the unprocessed input.

A reproduction can only be judged where the unprocessed test set scores as it does in
the paper: then data, bit depth and arithmetic are the same. That is checked first, and
what the check says stands first. Writing the report is `pages.py`'s task.
"""

import dataclasses
import json
import math
import pathlib
import re

import tf_defocus
from tf_defocus.evaluation.protocols import PROTOCOLS
from tf_defocus.metrics import rmse_rel
from tf_defocus.reports import paper_results
from tf_defocus.reports.paper_results import INPUT, ROUNDING

AGREES, DIFFERS, UNKNOWN = "agrees", "differs", "unknown"
_NEEDED = ("dataset", "protocol", "num_images", "methods", "images", "libraries")


class ReportError(ValueError):
    """Scores cannot be reported: one line with the reason."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """A `scores.json` of `tools/evaluate.py`.

    Attributes:
        path: pathlib.Path of the file.
        content: dict, as `EvaluationReport.to_json` wrote it.
    """

    path: pathlib.Path
    content: dict

    @property
    def dataset(self):
        """str, the set's name."""
        return self.content["dataset"]

    @property
    def protocol(self):
        """str, the protocol's name."""
        return self.content["protocol"]["name"]

    @property
    def noise_sigma(self):
        """float, of the noise added to the views [of 255]."""
        return float(self.content.get("noise_sigma", 0.0))

    @property
    def picture_folder(self):
        """Path of the pictures beside the file."""
        return self.path.parent / "pictures"

    def rows(self):
        """dict, method -> score name -> mean over the images, the input first."""
        rows = {}
        for method, row in self.content["methods"].items():
            rows[method] = {name: float(value) for name, value in row["mean"].items()}
            if self.protocol == "k3dn":
                rows[method]["rmse_rel"] = rmse_rel(rows[method]["psnr"])
        return rows


@dataclasses.dataclass(frozen=True)
class Section:
    """One set of images: our rows, and the papers' tables about it.

    Attributes:
        scores: `Scores`.
        tables: list of `PaperTable`.
        gate: `AGREES`, `DIFFERS` or `UNKNOWN`.
        verdict: str, a sentence on the row of the unprocessed input.
    """

    scores: Scores
    tables: list
    gate: str
    verdict: str


def read_scores(path):
    """Reads and checks a `scores.json`.

    Args:
        path: str or path of the file, or of the folder that holds it.

    Returns:
        `Scores`.

    Raises:
        ReportError: if it is no such file, holds no image, names a protocol that is
            unknown or was defined otherwise, or was made by another version.
    """
    path = pathlib.Path(path)
    path = path / "scores.json" if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read: {error}") from error
    missing = [k for k in _NEEDED if not isinstance(content, dict) or k not in content]
    if missing:
        raise ReportError(
            f"{path} is no scores.json of tools/evaluate.py: it lacks "
            f"{', '.join(missing)}"
        )
    _check_setting(path, content)
    return Scores(path, content)


def _check_setting(path, content):
    if not content["images"] or len(content["images"]) != content["num_images"]:
        raise ReportError(
            f"{path} must hold the scores of {content['num_images']} images, at least "
            f"one. Received: {len(content['images'])}; evaluate again"
        )
    if INPUT not in content["methods"]:
        raise ReportError(f"{path} has no row of the unprocessed input")
    version = content["libraries"].get("tf_defocus")
    if version != tf_defocus.__version__:
        raise ReportError(
            f"{path} was made by tf_defocus {version}, this is "
            f"{tf_defocus.__version__}: evaluate again"
        )
    name = content["protocol"].get("name")
    if name not in PROTOCOLS:
        raise ReportError(f"{path}: unknown protocol {name!r}")
    current = json.loads(json.dumps(dataclasses.asdict(PROTOCOLS[name])))
    if content["protocol"] != current:
        changed = [k for k in current if content["protocol"].get(k) != current[k]]
        raise ReportError(
            f"{path}: the protocol {name} has changed since ({', '.join(changed)}): "
            "evaluate again"
        )


def make_sections(scores, numbers=None):
    """Puts the papers' tables to several results of one protocol.

    Args:
        scores: list of `Scores`.
        numbers: list of (paper, table number) to compare with, or None for the tables
            of methods of the protocol's paper about each result's dataset and noise.

    Returns:
        List of `Section`, one per result.

    Raises:
        ReportError: if there is no result, the protocols differ, two results are about
            the same set, or there is no such table.
    """
    if not scores:
        raise ReportError("There is no scores.json to report")
    protocols = sorted({one.protocol for one in scores})
    if len(protocols) > 1:
        raise ReportError(
            "Scores of several protocols cannot be compared; report each by itself. "
            f"Received: {', '.join(protocols)}"
        )
    seen = [(one.dataset, one.noise_sigma) for one in scores]
    if len(set(seen)) < len(seen):
        raise ReportError(
            "Two results are about the same set; evaluate all presets in one call. "
            f"Received: {', '.join(str(one.path) for one in scores)}"
        )
    return [_section(one, numbers) for one in scores]


def _section(scores, numbers):
    if numbers is None:
        dataset = re.match(r"\w*", scores.dataset)[0]
        found = paper_results.find_tables(scores.protocol, dataset, compares="methods")
        tables = [t for t in found if _same(t.noise_sigma, scores.noise_sigma)]
    else:
        tables = _named_tables(numbers, scores.noise_sigma)
    return Section(scores, tables, *_judge(scores, tables))


def _named_tables(numbers, noise_sigma):
    if len({paper for paper, _ in numbers}) > 1:
        raise ReportError(
            "Compare with the tables of one paper: the same method has other numbers "
            f"in another. Received: {', '.join(f'{p}:{n}' for p, n in numbers)}"
        )
    tables = []
    for paper, number in numbers:
        found = paper_results.find_tables(paper, number=number)
        if not found:
            raise ReportError(f"There is no table {number} of {paper}")
        tables += [t for t in found if _same(t.noise_sigma, noise_sigma)]
    return tables


def _same(sigma, other):
    return math.isclose(sigma, other, abs_tol=1e-6)


def _judge(scores, tables):
    """Gate and verdict on our row of the unprocessed input."""
    if not tables:
        return UNKNOWN, "no table of the papers is about this set and protocol"
    paper, dataset = tables[0].paper, tables[0].dataset
    if scores.noise_sigma:
        return UNKNOWN, (
            f"{tables[0].source} prints no input row with noise; check the input "
            "without noise first"
        )
    found = paper_results.find_input(paper, dataset)
    if found is None:
        return UNKNOWN, (
            f"the paper of {tables[0].source} prints no row of the unprocessed input: "
            "whether data and arithmetic are the same cannot be told"
        )
    table, printed = found
    measured = scores.rows()[INPUT]
    texts, agrees = [], True
    for name, value in printed.items():
        if name not in measured:
            continue
        # 1e-9: a value that is exactly half a digit away was rounded there.
        close = abs(measured[name] - value) <= ROUNDING[name] + 1e-9
        agrees &= close
        sign = "equals" if close else "is not"
        label = name.upper()
        texts.append(f"{label} {measured[name]:.4g} {sign} {value:.4g}")
    start = f"input row of {table.source}: {', '.join(texts)}"
    if agrees:
        return AGREES, f"{start}; the rows can be compared"
    return DIFFERS, f"{start}; THE ROWS BELOW CANNOT BE COMPARED WITH THE PAPER'S"
