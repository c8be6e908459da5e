"""Which size to believe, place by place, and how wide the blur is there.

A small network of two hidden layers reads the evidence of one cell. Its numbers are in
`scale_choice.npz`, or in a file beside the weights of a preset that was calibrated
itself; `tools/calibrate_scales.py` makes them from rendered defocus.
"""

import functools
import pathlib

import numpy as np

from tf_defocus.array_files import npz
from tf_defocus.restoration.scale_evidence import MAX_SCALES, NUM_FEATURES

WEIGHTS_FILE = pathlib.Path(__file__).with_name("scale_choice.npz")
LARGEST = 128.0  # [px], the widest blur that was calibrated
# [px]: up to the first a place may be left as it is, from the second on it never is.
LEFT_ALONE = (4.0, 8.0)
# One size alone is less evidence: with it, places of 2 to 8 px would be left, too.
LEFT_ALONE_BY_ONE = (2.5, 4.0)
_ROWS = 64  # of cells at a time; divides by 16


@functools.cache
def load_weights(path=WEIGHTS_FILE):
    """dict: `mean`, `deviation` (features,), and `kernel_i`, `bias_i` of each layer.

    Raises:
        ValueError: in one line, if the file is damaged or holds something else.
    """
    weights = npz.read_arrays(path)
    expected = (NUM_FEATURES,), (2 + MAX_SCALES,)
    received = tuple(np.shape(weights.get(name)) for name in ("mean", "bias_2"))
    if expected != received:
        raise ValueError(
            f"{path} does not fit: expected {expected} features and outputs. Received: "
            f"{received}; run tools/calibrate_scales.py"
        )
    return weights


def choose_everywhere(evidence, num_scales, weights=None):
    """`choose` for all cells of a photograph, some rows at a time.

    Args:
        evidence: `scale_evidence.Evidence`.
        num_scales: int, 1 to 4.
        weights: as `choose`.

    Returns:
        As `choose`: `(trust, defocus)` of all cells.
    """
    height, width = evidence.shape
    trust = np.empty((height, width, num_scales), np.float32)
    defocus = np.empty((height, width), np.float32)
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        features = evidence.features(rows.start, rows.stop)
        trust[rows], defocus[rows] = choose(features, num_scales, weights)
    return trust, defocus


def choose(features, num_scales, weights=None):
    """Trust in each size, and the width of the blur, of every cell.

        h = relu(W_1 relu(W_0 x + b_0) + b_1),  (z, w) = W_2 h + b_2
        trust = softmax(z) without its first;  width = 2^w

    The first of z stands for leaving the photograph as it is, which only narrow blur
    deserves: from 4 to 8 px (2.5 to 4 px with one size alone) its trust goes over to
    full size, where a network changes little that it cannot restore.

    Args:
        features: (height, width, NUM_FEATURES) float32, of `Evidence.features`.
        num_scales: int, 1 to 4; further sizes get no trust.
        weights: of `load_weights`; None for the installed ones.

    Returns:
        `(trust, defocus)`: (height, width, num_scales) float32 >= 0 with a sum of at
        most 1, and (height, width) float32 [px], the diameter of the blur in 1 to 128.
    """
    weights = weights or load_weights()
    values = (features - weights["mean"]) / weights["deviation"]
    outputs = _layers(values, weights)
    scores = outputs[..., : 1 + num_scales]
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    trust = (scores / scores.sum(axis=-1, keepdims=True))[..., 1:]
    defocus = np.exp2(outputs[..., -1])
    low, high = LEFT_ALONE if num_scales > 1 else LEFT_ALONE_BY_ONE
    share = np.clip((defocus - low) / (high - low), 0, 1)
    trust[..., 0] += share * (1 - trust.sum(axis=-1))
    return trust, np.clip(defocus, 1, LARGEST)


def _layers(values, weights):
    for index in range(3):
        values = values @ weights[f"kernel_{index}"] + weights[f"bias_{index}"]
        if index < 2:
            values = np.maximum(values, 0)
    return values
