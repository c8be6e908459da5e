"""Sends bad requests among good ones to an exported model, in one process.

    python tools/benchmark/served_requests.py --preset kpac_3level --requests 2000

As many of each. Every good one must be answered as the `Restorer` answers (one level
of 255), every bad one refused with a reason, and memory must not grow. Exits with 1 if
not.
"""

import io
import random
import tempfile

import numpy as np
import PIL.Image
from absl import flags

from tf_defocus import commands

PRESET = flags.DEFINE_string("preset", "kpac_3level", "Of one photograph.")
REQUESTS = flags.DEFINE_integer("requests", 2000, "Good ones; as many bad ones.", 1)
SIZES = ((24, 32), (17, 41), (1, 1), (40, 24))
GROWTH = 200  # MiB that the process may grow by after its first requests


def encode(pixels, kind):
    """Bytes of a PNG or JPEG file."""
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def claims(data, width, height):
    """A PNG whose header states another size."""
    return data[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:]


def bad_requests(signatures, data):
    """List of functions without arguments, each a request that must be refused."""
    import tensorflow as tf

    encoded, floats = signatures["encoded"], signatures["serving_default"]

    def files(*contents):
        return lambda: encoded(blurred=tf.constant(contents))

    return [
        files(b""),
        files(b"GIF89a" + bytes(60)),
        files(data[: len(data) // 2]),
        files(data[:20]),
        files(claims(data, 100_000, 100_000)),
        files(claims(data, 0, 5)),
        files(data, claims(data, 9, 9)),
        files(data[:40] + bytes(200)),
        lambda: floats(blurred=tf.zeros((1, 8, 8, 4))),
        lambda: floats(blurred=tf.zeros((1, 8, 8, 3), tf.float64)),
        lambda: floats(blurred=tf.zeros((8, 8, 3))),
        lambda: floats(blurred=tf.fill((1, 8, 8, 3), np.float32(np.nan))),
        lambda: floats(left=tf.zeros((1, 8, 8, 3))),
    ]


def main(_):
    """Exports, sends and compares."""
    import tensorflow as tf

    from tf_defocus.evaluation import cost
    from tf_defocus.export import saved_model
    from tf_defocus.models import presets
    from tf_defocus.restoration import Restorer

    model = presets.load_preset(PRESET.value)
    restorer, rng = Restorer(model, tile=0), np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]
    expected = [restorer.restore(blurred=image).astype(int) for image in images]
    files = [encode(image, "PNG") for image in images]
    counts = {"good": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        saved_model.export_saved_model(model, f"{folder}/1", PRESET.value)
        signatures = tf.saved_model.load(f"{folder}/1").signatures
        bad = bad_requests(signatures, files[0])
        order = random.Random(0)
        for number in range(2 * REQUESTS.value):
            if number == 200:
                start = cost.process_memory("VmRSS")
            if number % 2:
                request = order.choice(bad)
                try:
                    request()
                except (tf.errors.OpError, TypeError, ValueError):
                    counts["refused"] += 1
                continue
            chosen = order.randrange(len(images))
            answer = signatures["encoded"](blurred=tf.constant([files[chosen]]))
            levels = answer["deblurred"][0].numpy().astype(int)
            counts["good"] += bool(np.abs(levels - expected[chosen]).max() <= 1)
        grown = cost.process_memory("VmRSS") - start
    print(
        f"{counts['good']} of {REQUESTS.value} good requests answered rightly, "
        f"{counts['refused']} of {REQUESTS.value} bad ones refused, the process grew "
        f"by {grown:.0f} MiB"
    )
    if set(counts.values()) != {REQUESTS.value} or grown > GROWTH:
        raise ValueError("not every request was treated as it should be")


if __name__ == "__main__":
    commands.run(main)
