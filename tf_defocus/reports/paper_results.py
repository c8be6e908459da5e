"""Every result table of the four papers: what a reproduction is compared with.

Compare with the rows of one paper only. The same method has other numbers in another
paper, whose bit depth, retraining and scores differ.
"""

from tf_defocus.reports.paper_tables import INPUT, gkmnet, ifan, k3dn, kpac

TABLES = (*kpac.TABLES, *ifan.TABLES, *gkmnet.TABLES, *k3dn.TABLES)


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
