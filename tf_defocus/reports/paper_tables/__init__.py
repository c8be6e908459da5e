"""The papers' result tables as data, one file per paper, numbers as printed.

`paper_results.py` finds them; what a cell means in units of [0, 1] is said here.
"""

import dataclasses

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
        paper: str, `kpac`, `ifan`, `gkmnet` or `k3dn`.
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
        names = {"kpac": "KPAC", "ifan": "IFAN", "gkmnet": "GKMNet", "k3dn": "K3DN"}
        return f"[{names[self.paper]} Tab. {self.number}]"

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
