"""IFAN's memory with and without streamed filters, and its speed beside PyTorch's.

    python tools/benchmark/ifan.py memory --size 1680x1120
    python tools/benchmark/ifan.py torch --size 1280x720

`memory`: the peak of the resident set during one call, above what the process held
before it, with the filters predicted iteration by iteration, as the network does, and
with all of them predicted at once; each in a process of its own. `torch`: the same
network with the same weights as PyTorch functions, channels last. Outputs are compared
first, then both are called in turns; CPU time is summed over the threads. PyTorch is
not needed for anything else. Weights are fresh: they alter neither.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's idle threads sleep

from absl import flags

from tf_defocus import commands

MODES = ("memory", "torch")
PATHS = ("streamed", "materialised")
_SIZE = flags.DEFINE_string("size", "1280x720", "WIDTHxHEIGHT, dividing by 8 [px].")
_BASE_FILTERS = flags.DEFINE_integer("base_filters", 32, "Of IFAN.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 5, "torch: calls counted.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", os.cpu_count(), "Of each implementation.")
_PATH = flags.DEFINE_enum("path", None, PATHS, "memory: this one only.")

SLOPE = 0.1
TOLERANCE = 1e-4  # of max(1, the largest number)


def measure_memory():
    """dict: path -> peak [MiB] of a call above the process before it."""
    if _PATH.value:
        return {_PATH.value: peak_memory(materialised=_PATH.value == "materialised")}
    peaks = {}
    for path in PATHS:
        command = [sys.executable, __file__, "memory", f"--path={path}"]
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


def measure_torch():
    """dict: wall and CPU seconds of both, medians, and the ratio of wall seconds.

    Raises:
        ArithmeticError: if the outputs differ.
    """
    import numpy as np
    import torch

    torch.set_num_threads(_THREADS.value)
    model, image = create_model(), photograph()
    twin = TorchIFAN(model)
    shown = torch.from_numpy(image.transpose(0, 3, 1, 2))
    shown = shown.contiguous(memory_format=torch.channels_last)
    calls = {
        "tensorflow": lambda: model.predict_on_batch({"blurred": image}),
        "torch": torch.no_grad()(lambda: twin(shown)),
    }
    expected = calls["tensorflow"]()["deblurred"]
    actual = calls["torch"]().numpy().transpose(0, 2, 3, 1)
    error = float(np.max(np.abs(actual - expected)))
    if not error <= TOLERANCE * max(1.0, float(np.max(np.abs(expected)))):
        raise ArithmeticError(f"the networks differ by {error:.1e}")
    results = {"largest_difference": error}
    rounds = [[timed(call) for call in calls.values()] for _ in range(_REPEATS.value)]
    for name, taken in zip(calls, zip(*rounds)):
        wall, cpu = zip(*taken)
        results[f"{name}_seconds"] = statistics.median(wall)
        results[f"{name}_least_seconds"] = min(wall)
        results[f"{name}_cpu_seconds"] = statistics.median(cpu)
    for key in ("seconds", "least_seconds", "cpu_seconds"):
        ratio = results[f"tensorflow_{key}"] / results[f"torch_{key}"]
        results[f"{key}_ratio"] = ratio
    return results


class TorchIFAN:
    """IFAN's inference as PyTorch functions on a Keras model's weights, channels last.

    Args:
        model: built single-view `IFAN` with disparity and iterated filters.

    Call arguments:
        image: (batch, 3, height, width) float32.

    Returns:
        The same shape.
    """

    def __init__(self, model):
        from torch.nn import functional

        self.model, self.functional, self.weights = model, functional, {}

    def __call__(self, image):
        model, torch = self.model, sys.modules["torch"]
        stages = self.encode(model.feature_encoder, image)
        encoded = self.encode(model.filter_encoder, image)[-1]
        estimator = model.disparity_estimator
        disparity = self.convolve(
            estimator.disparity, self.trunk(estimator.trunk, encoded), active=False
        )
        disparity = self.convolve(model.disparity_features, disparity)
        context = self.trunk(model.context, torch.cat([encoded, disparity], 1))
        context = self.trunk(model.filter_trunk, context)
        features = self.adapt(model.adaptive_convolution, stages[-1], context)
        features = self.trunk(model.reconstruction, features)
        for (upsample, *refine), skip in zip(model.upsampling, stages[-2::-1]):
            features = self.deconvolve(upsample, features) + skip
            for group in refine:
                features = self.group(group, features)
        return image + self.convolve(model.residual, features)

    def tensors(self, layer, axes):
        """A layer's kernel, axes permuted, and bias; converted once."""
        import numpy as np
        import torch

        if id(layer) not in self.weights:
            kernel = torch.from_numpy(np.asarray(layer.kernel).transpose(axes).copy())
            kernel = kernel.contiguous(memory_format=torch.channels_last)
            bias = torch.from_numpy(np.asarray(layer.bias).copy())
            self.weights[id(layer)] = kernel, bias
        return self.weights[id(layer)]

    def convolve(self, layer, features, active=True):
        kernel, bias = self.tensors(layer, (3, 2, 0, 1))
        padding, stride = kernel.shape[-1] // 2, layer.strides[0]
        features = self.functional.conv2d(features, kernel, bias, stride, padding)
        return self.activate(features) if active else features

    def deconvolve(self, layer, features):
        kernel, bias = self.tensors(layer, (3, 2, 0, 1))
        return self.activate(
            self.functional.conv_transpose2d(features, kernel, bias, 2, 1)
        )

    def activate(self, features):
        return self.functional.leaky_relu_(features, SLOPE)

    def encode(self, encoder, features):
        stages = []
        for level in encoder.levels:
            for layer in level:
                features = self.convolve(layer, features)
            stages.append(features)
        return stages

    def group(self, group, inputs):
        features = inputs
        for first, second in group.units:
            change = self.convolve(second, self.convolve(first, features), False)
            features = self.activate(features + change)
        return features + inputs if group.num_units > 1 else features

    def trunk(self, trunk, features):
        features = self.convolve(trunk.opening_layer, features)
        for group in trunk.groups:
            features = self.group(group, features)
        if trunk.closing_layer is not None:
            features = self.convolve(trunk.closing_layer, features)
        return features

    def adapt(self, layer, features, context):
        """Filters predicted step by step, applied as sums of shifted products."""
        kernel, bias = self.tensors(layer, (3, 2, 0, 1))
        size, channels = layer.filter_size, features.shape[1]
        length, radius = (2 * size + 1) * channels, size // 2
        for start in range(0, len(bias), length):
            part = slice(start, start + length)
            filters = self.functional.conv2d(context, kernel[part], bias[part])
            filters = filters.split(channels, 1)
            for axis in (2, 3):
                border = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
                padded = self.functional.pad(features, border, mode="replicate")
                place = features.shape[axis]
                taps = filters[(axis - 2) * size : (axis - 1) * size]
                features = sum(
                    padded.narrow(axis, tap, place) * weights
                    for tap, weights in enumerate(taps)
                )
            features = self.activate(features + filters[-1])
        return features


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


def timed(call):
    """Wall and CPU seconds of a call."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    call()
    return time.perf_counter() - wall, cpu_seconds() - cpu


def cpu_seconds():
    """CPU time of all threads of this process up to now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def status(key):
    """A size [MiB] of this process, as Linux counts it."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {key}; this needs Linux")


def main(arguments):
    if len(arguments) != 2 or arguments[1] not in MODES:
        raise ValueError(f"give one of {', '.join(MODES)}; --help tells the flags")
    measure = {"memory": measure_memory, "torch": measure_torch}[arguments[1]]
    for key, value in measure().items():
        print(f"{key} {value:.4g}", flush=True)


if __name__ == "__main__":
    commands.run(main)
