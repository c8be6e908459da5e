"""Tables of ablations: mean, spread, the paper's numbers and its order."""

import numpy as np
import pytest

from tf_defocus import configs
from tf_defocus.configs.ablations import ABLATIONS
from tf_defocus.models import create_model
from tf_defocus.reports import ablations


def rows(*psnr):
    return [
        {"validation_psnr": p, "validation_gain": p - 24, "parameters_m": 1.58}
        for p in psnr
    ]


def test_the_table_holds_mean_spread_and_every_seed():
    results = {"a": rows(25.0, 26.0, 27.0), "b": rows(25.0)}
    paper = {"a": {"psnr": 25.21, "parameters_m": 1.58}}
    lines = ablations.score_table(results, paper).splitlines()
    assert lines[2] == (
        "| a | 26.00 | 1.000 | +2.00 | 25.00, 26.00, 27.00 | 1.58 | 25.21 | 1.58 |"
    )
    assert lines[3] == "| b | 25.00 |  | +1.00 | 25.00 | 1.58 |  |  |"


# [millions]; IFAN's second row is "similar", GKMNet's learned kernels are not counted
TOLERANCES = {"kpac": 6e-3, "ifan": 0.015, "gkmnet": 0.03}
LARGE = [pytest.param(n, marks=pytest.mark.slow) for n in ABLATIONS if "kpac" not in n]


@pytest.mark.parametrize("name", [*(n for n in ABLATIONS if "kpac" in n), *LARGE])
def test_every_variant_has_the_parameters_that_the_paper_prints(name):
    ablation = ABLATIONS[name]
    recipe = configs.get_recipe(ablation.recipe)
    paper = ablations.printed(ablation)
    for variant in ablation.variants:
        if ablation.paper == "k3dn":  # prints none
            assert paper[variant.name].keys() == {"psnr"}
            continue
        model = create_model(recipe.model, **variant.overrides)
        counted = sum(int(np.prod(w.shape)) for w in model.trainable_weights) / 1e6
        error = abs(counted - paper[variant.name]["parameters_m"])
        assert error < TOLERANCES[ablation.paper], (variant.name, counted)


@pytest.mark.parametrize("name", sorted(n for n in ABLATIONS if "kpac" not in n))
def test_rows_under_their_budget_are_the_papers_recipes(name):
    ablation = ABLATIONS[name]
    budget = configs.get_recipe(ablation.recipe)
    assert set(ablations.printed(ablation)) == {v.name for v in ablation.variants}
    for variant in ablation.variants:
        overrides = {**budget.overrides, **variant.overrides}
        row = budget.replace(name=variant.name, overrides=overrides, **variant.changes)
        assert row == configs.get_recipe(variant.name)


def paper_of(**psnr):
    return {name: {"psnr": value, "parameters_m": 1.0} for name, value in psnr.items()}


def test_the_papers_order_is_compared_pair_by_pair():
    results = {"a": rows(20.0, 20.2), "b": rows(21.0, 21.2), "c": rows(20.9, 21.1)}
    order = ablations.compare_order(results, paper_of(a=24, b=25, c=26))
    assert order["same"] == [("b", "a"), ("c", "a")]
    assert order["reversed"] == [("c", "b")]
    assert order["undecided"] == [("c", "b")]  # 0.1 dB apart, spread 0.14 dB
    assert order["rank_correlation"] == pytest.approx(0.5)
    text = ablations.describe_order(order)
    assert "does not hold: 2 of 3 pairs" in text and "c over b" in text


def test_an_order_that_holds_and_none_to_compare():
    results = {"a": rows(20.0), "b": rows(21.0)}
    order = ablations.compare_order(results, paper_of(a=24, b=25))
    assert ablations.describe_order(order).startswith("The paper's order holds: 1")
    assert order["rank_correlation"] is None
    assert "no order" in ablations.describe_order(ablations.compare_order(results, {}))


def test_an_unfinished_page_says_so():
    ablation = ABLATIONS["kpac_table_2"]
    recipe = configs.get_recipe(ablation.recipe)
    data = {"dataset": "synthetic_dp/photos", "train": 8, "validation": 2}
    results = {"atrous": rows(25.0)}
    text = ablations.page(ablation, recipe, results, (1, 10), "do it", data)
    assert "Unfinished: 1 of 10" in text and "order holds" not in text
    assert "# [KPAC Tab. 2] Components" in text and "24.74" in text


def test_runs_that_do_not_restore_are_no_evidence():
    ablation = ABLATIONS["kpac_table_2"]
    recipe = configs.get_recipe(ablation.recipe)
    data = {"dataset": "synthetic_dp/photos", "train": 8, "validation": 2}
    for psnr, expected in ((23.9, True), (24.1, False)):
        results = {"atrous": rows(23.8), "scale": rows(psnr)}
        text = ablations.page(ablation, recipe, results, (2, 2), "do it", data)
        assert ("too short to judge" in text) is expected
