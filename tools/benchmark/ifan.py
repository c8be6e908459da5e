"""IFAN's memory with and without streamed filters.

    python tools/benchmark/ifan.py --size 1680x1120

The peak of the resident set during one call, above what the process held before it,
with the filters predicted iteration by iteration, as the network does, and with all of
them predicted at once; each in a process of its own. Weights are fresh: they do not
alter it. `compare.py` has the network's speed beside PyTorch's.
"""

import os
import pathlib
import subprocess
import sys

from absl import flags

from tf_defocus import commands

PATHS = ("streamed", "materialised")
_SIZE = flags.DEFINE_string("size", "1280x720", "WIDTHxHEIGHT, dividing by 8 [px].")
_BASE_FILTERS = flags.DEFINE_integer("base_filters", 32, "Of IFAN.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", os.cpu_count(), "Of TensorFlow.")
_PATH = flags.DEFINE_enum("path", None, PATHS, "This one only.")

SLOPE = 0.1


def measure_memory():
    """dict: path -> peak [MiB] of a call above the process before it."""
    if _PATH.value:
        return {_PATH.value: peak_memory(materialised=_PATH.value == "materialised")}
    peaks = {}
    for path in PATHS:
        command = [sys.executable, __file__, f"--path={path}"]
        command += [f"--{f.name}={f.value}" for f in (_SIZE, _BASE_FILTERS, _THREADS)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peaks[path] = float(done.stdout.split()[-1])
    return {**peaks, "ratio": peaks["streamed"] / peaks["materialised"]}


def peak_memory(materialised):
    """Peak [MiB] of one call of the compiled network; Linux only."""
    model = create_model()
    if materialised:
        materialise(model.adaptive_convolution)
    image = photograph()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    model.predict_on_batch({"blurred": image})
    return status("VmHWM") - before


def materialise(layer):
    """Makes an `IterativeAdaptiveConvolution` predict all filters before the first."""
    from keras import ops

    from tf_defocus.ops.adaptive_convolution import separable_adaptive_convolution

    def call(features, context, return_filters=False):
        filters = ops.conv(context, layer.kernel, padding="same") + layer.bias
        for step in ops.split(filters, layer.num_iterations, axis=-1):
            features = separable_adaptive_convolution(
                features, step, layer.filter_size, SLOPE, layer.reuse_vertical
            )
        return features

    layer.call = call


def create_model():
    """A fresh IFAN with the threads of --threads, run without XLA."""
    import tensorflow as tf

    import tf_defocus

    tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
    model = tf_defocus.create_model("ifan", base_filters=_BASE_FILTERS.value)
    model.jit_compile = False
    return model


def photograph():
    """Noise, (1, height, width, 3) float32 in [0, 1]."""
    import numpy as np

    width, height = map(int, _SIZE.value.split("x"))
    if width % 8 or height % 8:
        raise ValueError(f"--size must divide by 8. Received: {_SIZE.value}")
    return np.random.default_rng(0).random((1, height, width, 3), dtype=np.float32)


def status(key):
    """A size [MiB] of this process, as Linux counts it."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {key}; this needs Linux")


def main(_):
    """Prints what `measure_memory` measures, a line each."""
    for key, value in measure_memory().items():
        print(f"{key} {value:.4g}", flush=True)


if __name__ == "__main__":
    commands.run(main)
