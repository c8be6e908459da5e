"""Lines our scores up with the papers' tables: Markdown, CSV and a page with sliders.

    python tools/evaluate.py --preset ifan --dataset dpdd/full_8bit --protocol ifan \\
        --single_pictures --output results/dpdd
    python tools/report.py --output results/report results/dpdd
    python tools/report.py --output results/report --table kpac:4 results/photos
    python tools/report.py --output results/report --page docs/scenes.md \\
        results/networks results/classical

Takes folders of tools/evaluate.py, of one protocol; methods that were scored one by one
on the same set are joined. Says first whether the unprocessed
input scores as the paper prints; where it does not, no row can be compared.
"""

from absl import flags

from tf_defocus import commands
from tf_defocus.reports import comparison, documents, pages

OUTPUT = flags.DEFINE_string("output", None, "Folder for the report.", required=True)
TABLE = flags.DEFINE_multi_string(
    "table", [], "PAPER:NUMBER to compare with [the paper's tables of methods]."
)


PAGE = flags.DEFINE_string("page", None, "Markdown page of the comparison, for docs.")
PAGE_TITLE = flags.DEFINE_string("page_title", "Scores", "Its title.")
PAGE_NOTE = flags.DEFINE_string("page_note", "", "What its reader should know.")
PAGE_PICTURES = flags.DEFINE_integer("page_pictures", 0, "How many it shows.", 0)


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
    if PAGE.value:
        documents.write_document(
            PAGE.value, PAGE_TITLE.value, sections, PAGE_PICTURES.value, PAGE_NOTE.value
        )
    print(pages.to_markdown(sections), end="")


if __name__ == "__main__":
    commands.run(main)
