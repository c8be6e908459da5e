"""Blur maps and their scores on cases small enough for the head."""

import numpy as np
import pytest

from tf_defocus.evaluation import blur_detection

RATES = (1, 2, 3, 4, 5)


def attention_for(rates):
    """One block's weights that put everything on the given rate per pixel."""
    return 0.8 * np.eye(5)[np.asarray(rates) - 1][None]


def test_all_weight_on_one_rate_gives_that_rate():
    weights = attention_for([[1, 3], [4, 5]])
    rate = blur_detection.mean_dilation_rate(weights, RATES)
    np.testing.assert_allclose(rate, [[[1, 3], [4, 5]]])


def test_weights_need_not_sum_to_one_and_blocks_are_averaged():
    first = np.array([0.2, 0, 0, 0, 0.6]).reshape(1, 1, 5)  # mean rate 4
    second = np.array([0, 0.5, 0, 0, 0]).reshape(1, 1, 5)  # rate 2
    found = blur_detection.mean_rate_map(np.stack([first, second]), RATES)
    np.testing.assert_allclose(found, [[(3 - 1) / 4]])


def test_the_appendix_takes_the_first_block_s_weight_of_rate_one(rng):
    attention = rng.random((2, 3, 4, 5))
    found = blur_detection.first_rate_map(attention, RATES)
    np.testing.assert_array_equal(found, attention[0, :, :, 0])


def test_scores_of_a_hand_made_detection():
    """Hits 2, false alarm 1, miss 1, right rejections 4."""
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0]], bool)
    detected = np.array([[1, 1, 0, 1], [0, 0, 0, 0]], bool)
    scores = blur_detection.detection_scores(detected, mask)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert scores["f_measure"] == pytest.approx(2 / 3)
    # precision 1, recall 1/3: 1.3 / (0.3 + 1/3) / 3
    few = blur_detection.detection_scores(np.eye(2, 4, dtype=bool) & mask, mask)
    assert few["f_measure"] == pytest.approx(1.3 / 3 / (0.3 + 1 / 3))
    nothing = blur_detection.detection_scores(np.zeros_like(mask), mask)
    assert nothing["f_measure"] == nothing["precision"] == 0


def test_attention_of_a_blurred_half_is_detected_at_the_best_threshold():
    rates = np.ones((6, 8), int)
    rates[:, 4:] = 4
    mask = rates == 4
    found = blur_detection.mean_rate_map(attention_for(rates), RATES)
    threshold, scores = blur_detection.best_threshold([found], [mask])
    assert 0 < threshold < 0.75
    assert scores["f_measure"] == scores["accuracy"] == 1
    _, worse = blur_detection.best_threshold([found], [mask], [0.9])
    assert worse["accuracy"] == 0.5


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda b: b.mean_dilation_rate(np.ones((2, 2, 4)), RATES), "5 dilation rates"),
        (lambda b: b.mean_dilation_rate(np.zeros((2, 2, 5)), RATES), "nowhere zero"),
        (lambda b: b.detection_scores(np.ones((2, 2)), np.ones((2, 2))), "bool"),
        (
            lambda b: b.detection_scores(*[np.zeros((2, 2), bool)] * 2),
            "No pixel of the mask",
        ),
        (lambda b: b.best_threshold([], []), "at least one"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(blur_detection)
