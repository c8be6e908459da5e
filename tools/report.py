"""Lines our scores up with the papers' tables: Markdown, CSV and a page with sliders.

    python tools/evaluate.py --preset ifan --dataset dpdd/full_8bit --protocol ifan \\
        --single_pictures --output results/dpdd
    python tools/report.py --output results/report results/dpdd
    python tools/report.py --output results/report --table kpac:4 results/photos

Takes folders of tools/evaluate.py, of one protocol. Says first whether the unprocessed
input scores as the paper prints; where it does not, no row can be compared.
"""

from absl import flags

from tf_defocus import commands
from tf_defocus.reports import comparison, pages

OUTPUT = flags.DEFINE_string("output", None, "Folder for the report.", required=True)
TABLE = flags.DEFINE_multi_string(
    "table", [], "PAPER:NUMBER to compare with [the paper's tables of methods]."
)


def table_numbers():
    """(paper, number) pairs of the flags, or None."""
    numbers = []
    for text in TABLE.value:
        paper, _, number = text.partition(":")
        if not number.isdigit():
            raise comparison.ReportError(
                f"--table takes PAPER:NUMBER as in ifan:2. Received: {text!r}"
            )
        numbers.append((paper, int(number)))
    return numbers or None


def main(arguments):
    """Reads the scores, prints the report and writes it."""
    scores = [comparison.read_scores(path) for path in arguments[1:]]
    sections = comparison.make_sections(scores, table_numbers())
    pages.write(sections, OUTPUT.value)
    print(pages.to_markdown(sections), end="")


if __name__ == "__main__":
    commands.run(main)
