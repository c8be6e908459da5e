"""Errors inside regions in focus, against naive loops."""

import numpy as np
import pytest

from tf_defocus.evaluation import sharp_regions
from tf_defocus.evaluation.examples import Example


class Brighter:
    """Adds a tenth."""

    view_names = ("blurred",)

    def restore(self, blurred):
        return blurred + np.float32(0.1)


def example(rng, name="one"):
    sharp = rng.integers(0, 65536, (6, 8, 3)).astype("uint16")
    blurred = rng.integers(0, 65536, (6, 8, 3)).astype("uint16")
    coc = rng.uniform(-3, 3, (6, 8, 1)).astype("float32")
    return Example(name, {"blurred": blurred}, sharp, coc)


def test_errors_are_those_of_the_pixels_in_focus(rng):
    examples = [example(rng, "one"), example(rng, "two")]
    measured = sharp_regions.measure_errors({"brighter": Brighter()}, examples)
    expected = {"input": [], "brighter": []}
    for _, views, sharp, coc, _ in examples:
        for row in range(6):
            for column in range(8):
                if abs(coc[row, column, 0]) > 1:
                    continue
                for colour in range(3):
                    value = views["blurred"][row, column, colour] / 65535
                    truth = sharp[row, column, colour] / 65535
                    expected["input"].append(255 * abs(value - truth))
                    expected["brighter"].append(255 * abs(value + 0.1 - truth))
    assert 0 < len(expected["input"]) < 2 * 6 * 8 * 3
    for name, values in expected.items():
        np.testing.assert_allclose(measured[name], values, atol=1e-3)


def test_changes_are_those_of_the_input_inside_the_mask(rng):
    views = {"blurred": rng.uniform(0, 0.8, (6, 8, 3)).astype("float32")}
    mask = np.zeros((6, 8), bool)
    mask[1:3, 2:7] = True
    brighter = {"brighter": Brighter()}
    (found,) = sharp_regions.measure_changes(brighter, [("one", views, mask)])
    name, method, result, given, values = found
    assert (name, method) == ("one", "brighter")
    np.testing.assert_array_equal(given, views["blurred"])
    np.testing.assert_allclose(result - given, 0.1, atol=1e-6)
    np.testing.assert_allclose(values, np.full(10, 25.5), rtol=1e-4)
    assert (
        sharp_regions.shares_within(np.array([1, 2, 30]), (2, 25))
        == [pytest.approx(200 / 3)] * 2
    )
    with pytest.raises(ValueError, match="with sharp pixels"):
        list(sharp_regions.measure_changes(brighter, [("one", views, mask & False)]))


def test_changes_take_the_root_mean_square_over_colours():
    given = np.zeros((1, 2, 3), "float32")
    restored = given + np.float32([3, 4, 0]) / 255
    values = sharp_regions.changes(restored, given, np.array([[True, False]]))
    np.testing.assert_allclose(values, [np.sqrt(25 / 3)], rtol=1e-5)


def test_margin_leaves_out_what_is_near_a_defocused_surface():
    coc = np.zeros((9, 9, 1), "float32")
    coc[4, 4] = -1.5
    mask = sharp_regions.in_focus_mask(coc, threshold=1, margin=2)
    distance = np.maximum(*np.abs(np.indices((9, 9)) - 4))
    np.testing.assert_array_equal(mask, distance > 2)
    assert sharp_regions.in_focus_mask(coc, threshold=1.5).all()


def test_summary_and_distribution_of_known_errors():
    errors = np.concatenate([np.full(90, 1.0), np.full(9, 10.0), [1000.0]])
    summary = sharp_regions.summarise(errors)
    assert summary["values"] == 100
    assert summary["mean"] == pytest.approx((90 + 90 + 1000) / 100)
    assert summary["rmse"] == pytest.approx(np.sqrt((90 + 900 + 1e6) / 100))
    assert (summary["p50"], summary["p95"]) == (1.0, 10.0)
    edges, shares, up_to = sharp_regions.distribution(errors)
    bin_of_one, bin_of_ten = (np.searchsorted(edges, v) - 1 for v in (1, 10))
    assert (shares[bin_of_one], shares[bin_of_ten], shares[-1]) == (0.9, 0.09, 0.01)
    assert shares.sum() == pytest.approx(1)
    assert up_to[bin_of_ten] == pytest.approx(0.99)


def test_what_cannot_be_measured_is_refused(rng):
    whole = example(rng)
    mean_only = whole._replace(coc=np.ones((1, 1, 1), "float32"))
    with pytest.raises(ValueError, match="'one' needs a circle of confusion per pixel"):
        sharp_regions.measure_errors({}, [mean_only])
    with pytest.raises(ValueError, match="No pixel of any example is in focus"):
        sharp_regions.measure_errors({}, [whole._replace(coc=whole.coc * 0 + 2)])
    brighter = Brighter()
    brighter.view_names = ("left",)
    with pytest.raises(ValueError, match="'one' lacks the views left"):
        sharp_regions.measure_errors({"a": brighter}, [whole])
