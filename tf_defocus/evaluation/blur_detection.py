"""Blur detection from KPAC's scale attention [KPAC App. F].

The attention says which dilation rate, hence which size of blur, a pixel wants. The
appendix takes the first block's weight of rate 1 as its map of blur; the mean rate of
all blocks, made to [0, 1], is this project's own. A threshold makes a map a mask, which
is compared with a hand-made one. NumPy only.
"""

import numpy as np

BETA_SQUARED = 0.3  # of the F-measure in the literature on blur detection


def mean_dilation_rate(scale_attention, dilation_rates):
    """The dilation rate that each pixel wants on average.

    Args:
        scale_attention: (..., height, width, rates) float in (0, 1); the weights of a
            pixel need not sum to one.
        dilation_rates: the rates, as in the model.

    Returns:
        (..., height, width) float64, between the smallest and the largest rate.

    Raises:
        ValueError: if the numbers of rates differ, or a pixel has no positive weight.
    """
    weights = np.asarray(scale_attention, "float64")
    rates = np.asarray(dilation_rates, "float64")
    if weights.shape[-1] != len(rates):
        raise ValueError(
            f"Expected one weight for each of {len(rates)} dilation rates. Received: "
            f"scale_attention of shape {weights.shape}"
        )
    total = weights.sum(axis=-1)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (total > 0).all()):
        raise ValueError("scale_attention must be finite, not negative, nowhere zero")
    return weights @ rates / total


def first_rate_map(scale_attention, dilation_rates):
    """Weight of the smallest rate in the first block, alpha_1 [KPAC App. F, Fig. 15].

    Args:
        scale_attention: (blocks, height, width, rates) float in (0, 1) of one image.
        dilation_rates: the rates, as in the model.

    Returns:
        (height, width) float64 in [0, 1].
    """
    first = np.asarray(scale_attention, "float64")[0]
    return first[..., int(np.argmin(dilation_rates))]


def mean_rate_map(scale_attention, dilation_rates):
    """Mean wanted rate of all blocks, from 0 (smallest rate) to 1 (largest).

    Args:
        scale_attention: (blocks, height, width, rates) of one image.
        dilation_rates: the rates, as in the model.

    Returns:
        (height, width) float64 in [0, 1].
    """
    rate = mean_dilation_rate(scale_attention, dilation_rates).mean(axis=0)
    smallest, largest = min(dilation_rates), max(dilation_rates)
    return (rate - smallest) / (largest - smallest)


MAPS = {"first_rate": first_rate_map, "mean_rate": mean_rate_map}


def detection_scores(detected, mask, beta_squared=BETA_SQUARED):
    """How well a mask of blurred pixels agrees with the true one [KPAC App. F].

        F = (1 + beta^2) precision recall / (beta^2 precision + recall)

    Args:
        detected, mask: (height, width) bool, True where blurred.
        beta_squared: float > 0, weight of recall against precision.

    Returns:
        dict: `precision`, `recall`, `f_measure`, `accuracy`, floats in [0, 1].
        Precision is 0 where nothing is detected.

    Raises:
        ValueError: if the shapes differ, they are not bool, or nothing is blurred.
    """
    detected, mask = np.asarray(detected), np.asarray(mask)
    if detected.shape != mask.shape or {detected.dtype, mask.dtype} != {np.dtype(bool)}:
        raise ValueError(
            "Both masks must be bool and of one shape. Received: "
            f"{detected.shape} {detected.dtype}, {mask.shape} {mask.dtype}"
        )
    if not mask.any():
        raise ValueError("No pixel of the mask is blurred: there is no recall")
    hits = np.sum(detected & mask)
    precision = hits / max(detected.sum(), 1)
    recall = hits / mask.sum()
    weighted = beta_squared * precision + recall
    f_measure = (1 + beta_squared) * precision * recall / weighted if hits else 0.0
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f_measure": float(f_measure),
        "accuracy": float(np.mean(detected == mask)),
    }


def best_threshold(maps, masks, thresholds=None):
    """The one threshold whose mean F-measure over a set is the highest.

    Args:
        maps: list of (height, width) blur maps in [0, 1].
        masks: list of bool masks of the same shapes.
        thresholds: values to try, or None for 0.01, 0.02, ..., 0.99.

    Returns:
        (threshold, dict of the mean scores there).

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    if not maps or len(maps) != len(masks):
        raise ValueError(
            f"Expected as many maps as masks, at least one. Received: {len(maps)} maps "
            f"and {len(masks)} masks"
        )
    thresholds = np.arange(1, 100) / 100 if thresholds is None else thresholds
    results = {}
    for threshold in thresholds:
        rows = [detection_scores(m > threshold, mask) for m, mask in zip(maps, masks)]
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        results[float(threshold)] = means
    best = max(results, key=lambda threshold: results[threshold]["f_measure"])
    return best, results[best]
