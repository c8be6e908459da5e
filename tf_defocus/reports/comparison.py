"""Our scores beside the papers', gated on the row of the unprocessed input.

A reproduction can only be judged where the unprocessed test set scores as it does in
the paper: then data, bit depth and arithmetic are the same. That is checked first, and
what the check says stands first. Writing the report is `pages.py`'s task.
"""

import dataclasses
import json
import math
import re

import tf_defocus
from tf_defocus.evaluation.protocols import PROTOCOLS
from tf_defocus.evaluation.scores import Scores
from tf_defocus.reports import paper_results
from tf_defocus.reports.paper_results import INPUT, ROUNDING

AGREES, DIFFERS, UNKNOWN = "agrees", "differs", "unknown"


class ReportError(ValueError):
    """Scores cannot be reported: one line with the reason."""


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
    try:
        scores = Scores.read(path)
    except ValueError as error:
        raise ReportError(str(error)) from error
    _check_setting(path, scores.setting)
    return scores


def _check_setting(path, setting):
    version = setting.get("libraries", {}).get("tf_defocus")
    if version != tf_defocus.__version__:
        raise ReportError(
            f"{path} was made by tf_defocus {version}, this is "
            f"{tf_defocus.__version__}: evaluate again"
        )
    name = setting["protocol"].get("name")
    if name not in PROTOCOLS:
        raise ReportError(f"{path}: unknown protocol {name!r}")
    current = json.loads(json.dumps(dataclasses.asdict(PROTOCOLS[name])))
    if setting["protocol"] != current:
        changed = [k for k in current if setting["protocol"].get(k) != current[k]]
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
        List of `Section`, one per set: results about the same one are joined.

    Raises:
        ReportError: if there is no result, the protocols differ, results about one set
            cannot be joined, or there is no such table.
    """
    if not scores:
        raise ReportError("There is no scores.json to report")
    protocols = sorted({one.protocol for one in scores})
    if len(protocols) > 1:
        raise ReportError(
            "Scores of several protocols cannot be compared; report each by itself. "
            f"Received: {', '.join(protocols)}"
        )
    sets = {}
    for one in scores:
        key = one.dataset, one.noise_sigma
        try:
            sets[key] = sets[key].joined(one) if key in sets else one
        except ValueError as error:
            raise ReportError(str(error)) from error
    return [_section(one, numbers) for one in sets.values()]


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
