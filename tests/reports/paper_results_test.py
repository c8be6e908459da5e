"""The papers' tables: cells against the print, and against one another."""

import pytest

from tf_defocus.evaluation.protocols import PROTOCOLS
from tf_defocus.metrics import rmse_rel
from tf_defocus.reports import paper_results
from tf_defocus.reports.paper_results import ROUNDING, find_input, find_tables


@pytest.mark.parametrize(
    "paper, number, method, column, expected",
    [
        ("kpac", 1, "without sharing", "psnr", 24.78),
        ("kpac", 2, "scale attention", "psnr", 25.03),
        ("kpac", 3, "4 blocks", "ssim", 0.841),
        ("kpac", 4, "KPAC 3-level", "lpips", 0.225),
        ("kpac", 5, "KPAC 2-level", "flops_g", 358),
        ("kpac", 9, "KPAC 3-level dual", "psnr", 25.86),
        ("ifan", 1, "FP+IAC, RBN", "lpips", 0.245),
        ("ifan", 2, "DPDNet dual", "macs_g", 991.4),
        ("ifan", 3, "IFAN", "mae", 0.407),
        ("ifan", 4, "35 (71)", "parameters_m", 12.56),
        ("ifan", 5, "FAC, k=11", "ssim", 0.778),
        ("gkmnet", 1, "GKMNet", "size_mb", 5.7),
        ("gkmnet", 4, "SRAM", "psnr", 21.98),
        ("gkmnet", 5, "S=3, R=2", "psnr", 25.53),
        ("k3dn", 1, "K3DN large", "flops_g", 3352),
        ("k3dn", 2, "Restormer", "rmse_rel", 1.50),
        ("k3dn", 3, "K3DN lightweight", "psnr", 32.22),
        ("k3dn", 4, "SRP", "ssim", 0.825),
        ("k3dn", 5, "N=192", "psnr", 26.87),
    ],
)
def test_cells_are_those_printed(paper, number, method, column, expected):
    (table,) = find_tables(paper, number=number)
    assert table.cell(method, column) == expected


@pytest.mark.parametrize(
    "paper, dataset, sigma, method, expected",
    [
        ("kpac", "dpdd", 7.65, "KPAC without noise augmentation", (24.76,)),
        ("gkmnet", "dpdd", 5.0, "GKMNet", (24.61, 0.712, 0.299)),
        ("gkmnet", "rtf", 2.55, "AttNet", (23.83, 0.727, 0.257)),
    ],
)
def test_noisy_rows_are_found_by_their_noise(paper, dataset, sigma, method, expected):
    tables = find_tables(paper, dataset, noise_sigma=sigma)
    (table,) = tables
    assert table.row(method).cells == expected


def test_every_row_has_a_cell_per_column_and_a_name_of_its_own():
    for table in paper_results.TABLES:
        names = [row.method for row in table.rows]
        assert len(set(names)) == len(names), table.source
        for row in table.rows:
            assert len(row.cells) == len(table.columns), (table.source, row.method)
            assert set(row.inferred) <= set(table.columns), (table.source, row.method)


def test_every_result_table_of_the_four_papers_is_there():
    numbers = {}
    for table in paper_results.TABLES:
        numbers.setdefault(table.paper, set()).add(table.number)
    assert numbers == {
        "kpac": {1, 2, 3, 4, 5, 8, 9},
        "ifan": {1, 2, 3, 4, 5},
        "gkmnet": {1, 2, 3, 4, 5},
        "k3dn": {1, 2, 3, 4, 5},
    }
    assert set(numbers) <= set(PROTOCOLS)


def test_rmse_rel_follows_from_the_psnr_on_all_rows_but_four():
    """[K3DN Tab. 1] to 3: 100 * 10^(-PSNR / 20), to the last digit on 37 of 41."""
    agreeing, rows = 0, 0
    for number in (1, 2, 3):
        (table,) = find_tables("k3dn", number=number)
        for row in table.rows:
            scores = table.scores(row)
            error = abs(rmse_rel(scores["psnr"]) - scores["rmse_rel"])
            agreeing += error <= ROUNDING["rmse_rel"]
            rows += 1
            assert error < 2e-4, row.method
    assert rows == 41
    assert agreeing == 37


def test_scores_of_better_psnr_have_lower_error_within_ifan_tables():
    for number in (1, 2, 3, 4, 5):
        (table,) = find_tables("ifan", number=number)
        scores = sorted(
            (table.scores(row) for row in table.rows), key=lambda s: s["psnr"]
        )
        errors = [s["mae"] for s in scores]
        assert errors == sorted(errors, reverse=True), table.source


def test_a_method_has_one_row_in_the_tables_of_one_paper():
    """The full method's row returns in the ablations, but for GKMNet's own slip."""
    for paper, method, cells in (
        ("ifan", ("IFAN", "17 (35)", "IAC", "FP+IAC, DME, RBN"), ("psnr", "lpips")),
        ("k3dn", ("K3DN lightweight", "PSF, SRP, reblurring", "N=128"), ("psnr",)),
        ("kpac", ("2 blocks", "scale and shape attention", "with sharing"), ("psnr",)),
    ):
        found = [
            tuple(table.cell(row.method, cell) for cell in cells)
            for table in find_tables(paper, "dpdd")
            for row in table.rows
            if row.method in method
        ]
        assert len(found) >= 3
        assert len(set(found)) == 1, paper


def test_input_rows_are_in_units_of_the_range():
    table, scores = find_input("ifan", "dpdd")
    assert table.source == "[IFAN Tab. 2]"
    expected = {"psnr": 23.89, "ssim": 0.725, "mae": 0.0471, "lpips": 0.349}
    assert scores == pytest.approx(expected)
    table, scores = find_input("k3dn", "dpdd")
    expected = {"psnr": 23.89, "ssim": 0.725, "mae": 0.0471, "rmse_rel": 0.0639}
    assert scores == pytest.approx(expected)
    assert find_input("kpac", "dpdd")[1] == {"psnr": 23.92, "ssim": 0.812}
    assert find_input("gkmnet", "dpdd") is None
