"""Every result table of the papers: what a reproduction is compared with.

`paper_tables/` holds one file per paper, numbers as printed; what a cell means in units
of [0, 1] is said here. Compare with the rows of one paper only. The same method has
other numbers in another paper, whose bit depth, retraining and scores differ.
"""

import dataclasses
import json
import pathlib

# Columns that hold scores -> what one printed unit is worth, and half its last digit.
PRINTED_UNIT = {"psnr": 1.0, "ssim": 1.0, "lpips": 1.0, "mae": 0.1, "rmse_rel": 0.01}
ROUNDING = {
    "psnr": 5e-3,
    "ssim": 5e-4,
    "lpips": 5e-4,
    "mae": 5e-5,
    "rmse_rel": 5e-5,
}
INPUT = "input"  # the row of the unprocessed view


@dataclasses.dataclass(frozen=True)
class PaperRow:
    """One printed row.

    Attributes:
        method: str, as the paper names it.
        cells: tuple of float or None (not printed, or not legible), one per column.
        inferred: tuple of str, columns whose cell was assigned by reasoning, because
            the source's layout was lost.
        note: str, a doubt about the row.
    """

    method: str
    cells: tuple
    inferred: tuple = ()
    note: str = ""


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """One printed table, or the part of it that holds under one condition.

    Attributes:
        paper, name: str, `kpac` and KPAC, `ifan` and IFAN ...
        number: int, of the table.
        title: str.
        dataset: str, of which the test split was scored; a folder of `datasets/` or
            the name that folder would have.
        columns: tuple of str. Scores (`psnr` [dB], `ssim`, `lpips`, `mae` [0.1],
            `rmse_rel` [0.01]) or costs (`parameters_m`, `flops_g` and `macs_g` by the
            paper's own count, `size_mb`, `seconds`, `cpu_seconds`).
        rows: tuple of `PaperRow`.
        compares: `"methods"` or `"variants"` of the paper's own method.
        noise_sigma: float, of white noise added to the views [of 255].
        note: str, what makes the numbers special.
    """

    paper: str
    name: str
    number: int
    title: str
    dataset: str
    columns: tuple
    rows: tuple
    compares: str = "variants"
    noise_sigma: float = 0.0
    note: str = ""

    @property
    def source(self):
        """The table's tag, as `[IFAN Tab. 2]`."""
        return f"[{self.name} Tab. {self.number}]"

    def row(self, method):
        """The `PaperRow` of a method.

        Raises:
            KeyError: if the table has none.
        """
        for row in self.rows:
            if row.method == method:
                return row
        raise KeyError(f"{self.source} has no row {method!r}")

    def cell(self, method, column):
        """A number as printed, or None."""
        return self.row(method).cells[self.columns.index(column)]

    def scores(self, row):
        """The scores of a row in the units of `protocols.score`.

        Args:
            row: `PaperRow` of this table.

        Returns:
            dict, score name -> float, without the cells that are None.
        """
        return {
            column: cell * PRINTED_UNIT[column]
            for column, cell in zip(self.columns, row.cells)
            if column in PRINTED_UNIT and cell is not None
        }


def read_paper(path):
    """The tables of one paper, a list of `PaperTable` in printed order.

    Args:
        path: of a file of `paper_tables/`: `name`, a `note` on all tables, and `tables`
            of the fields of `PaperTable`.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    tables = []
    for table in content["tables"]:
        rows = tuple(
            PaperRow(**{key: _frozen(value) for key, value in row.items()})
            for row in table.pop("rows")
        )
        fields = {key: _frozen(value) for key, value in table.items()}
        tables.append(PaperTable(path.stem, content["name"], rows=rows, **fields))
    return tables


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


TABLES = tuple(
    table
    for path in sorted((pathlib.Path(__file__).parent / "paper_tables").glob("*.json"))
    for table in read_paper(path)
)


def find_tables(paper, dataset=None, number=None, compares=None, noise_sigma=None):
    """The tables of a paper that fit.

    Args:
        paper: str, `kpac`, `ifan`, `gkmnet` or `k3dn`.
        dataset, number, compares, noise_sigma: as in `PaperTable`, or None for any.

    Returns:
        List of `PaperTable`, in printed order.
    """
    wanted = {
        "paper": paper,
        "dataset": dataset,
        "number": number,
        "compares": compares,
        "noise_sigma": noise_sigma,
    }
    return [
        table
        for table in TABLES
        if all(
            value is None or getattr(table, name) == value
            for name, value in wanted.items()
        )
    ]


def find_input(paper, dataset):
    """What a paper prints for the unprocessed test set, without added noise.

    Args:
        paper: str.
        dataset: str.

    Returns:
        (`PaperTable`, dict of scores in the units of `protocols.score`), or None where
        the paper prints no such row.
    """
    for table in find_tables(paper, dataset, noise_sigma=0.0):
        for row in table.rows:
            if row.method == INPUT:
                return table, table.scores(row)
    return None
