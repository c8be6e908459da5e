"""Times the scores of a pair, and the SSIM beside scikit-image's.

    python tools/benchmark/scores.py --protocol ifan --size 1680x1120

Times are medians over `--repeats` after one call that is not counted; the two SSIMs,
of the same definition (7x7 mean, unbiased covariances), are timed in turns, so that a
busy machine slows both. LPIPS is not among the scores.
"""

import functools
import time

import numpy as np
from absl import flags
from skimage.metrics import structural_similarity

from tf_defocus import commands, metrics
from tf_defocus.evaluation import cost
from tf_defocus.evaluation.protocols import PROTOCOLS, score

PROTOCOL = flags.DEFINE_enum("protocol", "ifan", list(PROTOCOLS), "Whose scores.")
SIZE = flags.DEFINE_string("size", "1680x1120", "WIDTHxHEIGHT [px].")
REPEATS = flags.DEFINE_integer("repeats", 5, "Calls counted.", 1)
JSON = flags.DEFINE_string("json", None, "File for the results.")


def make_pair(width, height):
    """Two (height, width, 3) float32 images of noise in [0, 1], similar."""
    rng = np.random.default_rng(0)
    sharp = rng.random((height, width, 3), np.float32)
    other = 0.9 * sharp + 0.1 * rng.random(sharp.shape, np.float32)
    return other.astype("float32"), sharp


def measure(protocol, width, height, repeats):
    """Times the scores of one pair.

    Returns:
        dict: `score_seconds` of all scores of the protocol, and `score_cpu_seconds`,
        the processor's, which others' work on the machine adds to less; `ssim_seconds`,
        `scikit_image_seconds` and their `ratio`; `difference` of the two SSIMs.
    """
    pair = make_pair(width, height)
    calls = [
        functools.partial(score, *pair, protocol),
        functools.partial(metrics.ssim_uniform, *pair),
        functools.partial(
            structural_similarity, *pair, data_range=1.0, channel_axis=-1
        ),
    ]
    _, ours, theirs = (call() for call in calls)
    start = time.process_time()
    (whole,) = cost.median_seconds(calls[:1], repeats)
    processor = (time.process_time() - start) / repeats
    own, other = cost.median_seconds(calls[1:], repeats)
    return {
        "score_seconds": whole,
        "score_cpu_seconds": processor,
        "ssim_seconds": own,
        "scikit_image_seconds": other,
        "ratio": own / other,
        "difference": float(ours - theirs),
    }


def main(_):
    """Measures, prints and, where wanted, writes the report."""
    sides = SIZE.value.split("x")
    if len(sides) != 2 or not all(side.isdigit() and int(side) for side in sides):
        raise ValueError(f"--size must be WIDTHxHEIGHT. Received: {SIZE.value!r}")
    machine = cost.describe_machine()
    results = measure(PROTOCOL.value, *map(int, sides), REPEATS.value)
    for key, value in {**machine, **results}.items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
    if JSON.value:
        settings = {"protocol": PROTOCOL.value, "size": SIZE.value}
        report = {"results": results, **settings, "machine": machine}
        cost.write_json(JSON.value, report)


if __name__ == "__main__":
    commands.run(main)
