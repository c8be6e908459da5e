"""Markdown tables, as pages, model cards and commands show them."""

import os
import pathlib
from collections.abc import Iterable, Sequence

from tf_defocus import whole_files


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], num_texts: int = 1
) -> str:
    """A table whose first columns are texts, the others numbers.

    Args:
        head: sequence of str, the columns' names.
        rows: iterable of sequences of str, one cell per column.
        num_texts: int, how many columns stand to the left; the others to the right.

    Returns:
        str, one line per row, each ended.

    Raises:
        ValueError: if a row has not as many cells as the head.
    """
    rule = ["---"] * num_texts + ["---:"] * (len(head) - num_texts)
    lines = [list(head), rule, *(list(row) for row in rows)]
    for line in lines:
        if len(line) != len(head):
            raise ValueError(f"Expected {len(head)} cells. Received: {line}")
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def leave_table(
    folder: str | os.PathLike, head: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Writes a table as `table.md` and prints it, as commands that measure end.

    Args:
        folder: str or path, made if it is not there.
        head, rows: as of `markdown_table`.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown_table(head, rows)
    whole_files.write_text(folder / "table.md", text)
    print(text)
