"""PSNR against cost: circles by parameters, crosses for counted costs."""

import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.evaluation.scores import Scores
from tf_defocus.reports import cost_chart

tool = load_tool("reproduce.cost_figure")


def test_circles_grow_with_the_parameters_and_take_the_colour_of_their_kind():
    def colored(own, parameters):
        point = cost_chart.Point("", 26.0, 500.0, parameters, own)
        drawn = cost_chart.draw_panel([point], "").astype(int)
        return drawn, (np.ptp(drawn, axis=-1) > 60).sum()

    small, few = colored(False, 5.0)
    _, many = colored(False, 20.0)
    assert many == pytest.approx(4 * few, rel=0.15)
    own, _ = colored(True, 5.0)
    middle = np.argwhere(np.ptp(small, axis=-1) > 60).mean(axis=0).astype(int)
    assert small[tuple(middle)][2] > small[tuple(middle)][0]  # blue
    assert own[tuple(middle)][0] > own[tuple(middle)][2]  # orange
    with pytest.raises(ValueError, match="needs a point"):
        cost_chart.draw_panel([], "")


def test_printed_points_are_those_of_the_paper_s_table():
    points = {p.label: p for p in tool.printed_points(lambda name, convention: 7.0)}
    large = points["K3DN large"]
    assert (large.psnr, large.flops_g, large.parameters_m) == (27.06, 3352.0, 15.9)
    assert large.own and not points["Restormer"].own
    assert large.counted_g == 7.0
    assert tool.printed_points()[0].counted_g is None
    assert "input" not in points and len(points) == 13


def test_measured_points_have_counted_costs_and_stand_apart():
    images = [
        {"name": "a", "scores": {"input": _score(20), "k3dn_tiny": _score(25)}},
        {"name": "b", "scores": {"input": _score(22), "k3dn_tiny": _score(27)}},
    ]
    scores = Scores({"protocol": {"name": "ifan"}}, images)
    costs = {"k3dn_tiny": (571.0, 3.1)}
    (point,) = tool.measured_points([scores], costs.get)
    assert (point.label, point.psnr, point.flops_g) == ("k3dn_tiny", 26.0, 571.0)
    printed = tool.printed_points()
    alone, both = tool.draw(printed, [], ""), tool.draw(printed, [point], "set")
    assert both.shape[1] == 2 * alone.shape[1]
    assert both[:, alone.shape[1] :].std() > 5


def _score(psnr):
    return {"psnr": float(psnr), "ssim": 0.5}
