"""Times the adaptive convolution: native kernel, composite and, if there, PyTorch.

    python tools/benchmark/adaptive_convolution.py
    python tools/benchmark/adaptive_convolution.py --size 64x64 --batch 4 --iterations 6

One chain of IFAN's iterations, forward, and forward with the gradients of features and
filters. All implementations get the same numbers and must agree before they are timed;
they are called in turns, so that a busy machine slows all alike. CPU time, summed over
the threads, stands beside the wall time. PyTorch, which this project does not need, is
timed as written for it usually: channels first, filters channel by channel, a window
either as a view (`Tensor.unfold`) or as a copy (`functional.unfold`, im2col).
"""

import functools
import json
import os
import pathlib
import resource
import statistics
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's idle threads sleep

from absl import flags

from tf_defocus import commands

MODES = ("forward", "forward_backward")
_SIZE = flags.DEFINE_string("size", "160x90", "WIDTHxHEIGHT of the features [px].")
_BATCH = flags.DEFINE_integer("batch", 1, "Examples.", lower_bound=1)
_CHANNELS = flags.DEFINE_integer("channels", 128, "Of the features.", lower_bound=1)
_ITERATIONS = flags.DEFINE_integer("iterations", 17, "Steps of a chain.", lower_bound=1)
_FILTER_SIZE = flags.DEFINE_integer("filter_size", 3, "Odd.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 9, "Calls counted.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", os.cpu_count(), "Of each implementation.")
_MODES = flags.DEFINE_multi_enum("mode", MODES, MODES, "What to time; may repeat.")
_TORCH = flags.DEFINE_bool("torch", True, "Whether to time PyTorch, if installed.")
_JSON = flags.DEFINE_string("json", None, "File for the results.")

SLOPE = 0.1
TOLERANCE = 1e-4  # of the largest number


def random_chain(batch, height, width, channels, filter_size, iterations):
    """Features, the filters of every step, and the gradient that reaches the output.

    The filters are scaled so that the features neither vanish nor overflow.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    place = (batch, height, width)
    normal = functools.partial(rng.standard_normal, dtype=np.float32)
    scale = np.float32(1.2 / np.sqrt(filter_size))
    filters = [
        normal((*place, (2 * filter_size + 1) * channels)) * scale
        for _ in range(iterations)
    ]
    return normal((*place, channels)), filters, normal((*place, channels))


def tensorflow_calls(native, features, filters, weights, filter_size):
    """(forward, backward) of one of this project's two implementations.

    Each takes nothing; `backward` returns the output and all gradients.
    """
    import tensorflow as tf

    from tf_defocus.ops import adaptive_convolution

    arguments = tf.constant(features), [tf.constant(f) for f in filters]
    weights = tf.constant(weights)

    def forward(features, filters):
        for step in filters:
            features = adaptive_convolution.separable_adaptive_convolution(
                features, step, filter_size, SLOPE
            )
        return features

    def backward(features, filters):
        with tf.GradientTape() as tape:
            tape.watch([features, filters])
            out = forward(features, filters)
        return out, *tape.gradient(out, [features, *filters], weights)

    calls = []
    for function in (forward, backward):
        with adaptive_convolution.native_kernel(native):
            graph = tf.function(function, jit_compile=False)
            graph = graph.get_concrete_function(*arguments)
        calls.append(functools.partial(graph, arguments[0], *arguments[1]))
    return calls


def torch_inputs(features, filters, weights, filter_size):
    """The same numbers as PyTorch keeps them: NCHW, a channel's taps together."""
    import numpy as np
    import torch

    def tensor(values):
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 1)))

    inputs = [tensor(features), *(tensor(channelwise(f, filter_size)) for f in filters)]
    return [i.requires_grad_() for i in inputs], tensor(weights)


def torch_calls(window, inputs, gradient, filter_size):
    """(forward, backward) of a PyTorch implementation.

    Args:
        window: "view" or "copy", how the pixels under the taps are had.
        inputs, gradient: of `torch_inputs`.
    """
    import torch

    def forward():
        out = inputs[0]
        for filters in inputs[1:]:
            out = torch_step(window, filter_size, out, filters)
        return out

    def backward():
        out = forward()
        return out.detach(), *torch.autograd.grad(out, inputs, gradient)

    return [torch.no_grad()(forward), backward]


def channelwise(filters, filter_size):
    """Our filters, taps slowest, as PyTorch code has them: taps fastest."""
    import numpy as np

    channels = filters.shape[-1] // (2 * filter_size + 1)
    taps, place = filters[..., :-channels], filters.shape[:-1]
    taps = np.swapaxes(taps.reshape(*place, 2, filter_size, channels), -1, -2)
    return np.concatenate([taps.reshape(*place, -1), filters[..., -channels:]], -1)


def torch_step(window, filter_size, features, filters):
    """One step: pad, unfold, multiply, sum, twice; bias and leaky ReLU."""
    from torch.nn import functional

    batch, channels, height, width = features.shape
    radius, taps = filter_size // 2, filter_size * channels
    shape = (batch, channels, filter_size, height, width)
    for axis in (2, 3):
        kernel = filters[:, (axis - 2) * taps : (axis - 1) * taps].reshape(shape)
        border = (radius, radius, 0, 0) if axis == 3 else (0, 0, radius, radius)
        padded = functional.pad(features, border, mode="replicate")
        if window == "view":
            under = padded.unfold(axis, filter_size, 1).movedim(-1, 2)
        else:
            size = (filter_size, 1) if axis == 2 else (1, filter_size)
            under = functional.unfold(padded, size).view(shape)
        features = (under * kernel).sum(2)
    return functional.leaky_relu(features + filters[:, 2 * taps :], SLOPE)


def timed_in_turns(calls, repeats):
    """Wall and CPU seconds of named calls.

    Args:
        calls: dict name -> function without arguments; called once before it counts.
        repeats: int, rounds counted.

    Returns:
        dict name -> dict of `seconds` and `cpu_seconds`, medians, and `least_seconds`.
    """
    rounds = {name: [] for name in calls}
    for index in range(repeats + 1):
        for name, call in calls.items():
            cpu, wall = cpu_seconds(), time.perf_counter()
            call()
            taken = time.perf_counter() - wall, cpu_seconds() - cpu
            if index > 0:
                rounds[name].append(taken)
    results = {}
    for name, taken in rounds.items():
        wall, cpu = zip(*taken)
        results[name] = {
            "seconds": statistics.median(wall),
            "least_seconds": min(wall),
            "cpu_seconds": statistics.median(cpu),
        }
    return results


def cpu_seconds():
    """CPU time of all threads of this process up to now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def check_agreement(outputs):
    """Compares every output with the composite's.

    Args:
        outputs: dict name -> (batch, height, width, channels).

    Raises:
        ArithmeticError: if one differs by over 1e-4 of the largest number.
    """
    import numpy as np

    expected = outputs["composite"]
    scale = np.max(np.abs(expected))
    for name, actual in outputs.items():
        error = float(np.max(np.abs(actual - expected)) / scale)
        if not error <= TOLERANCE:
            raise ArithmeticError(f"{name} differs from the composite by {error:.1e}")


def measure():
    """Yields (mode, name -> times), the times also as ratios to the native kernel's."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
    width, height = map(int, _SIZE.value.split("x"))
    shape = (_BATCH.value, height, width, _CHANNELS.value)
    size = _FILTER_SIZE.value
    calls = implementations((*random_chain(*shape, size, _ITERATIONS.value), size))
    for mode in _MODES.value:
        chosen = {name: both[MODES.index(mode)] for name, both in calls.items()}
        results = timed_in_turns(chosen, _REPEATS.value)
        for times in results.values():
            for key in list(times):
                times[f"{key}_ratio"] = times[key] / results["native"][key]
        yield mode, results


def implementations(chain):
    """dict: name -> (forward, backward) of all that run here, found to agree."""
    import numpy as np

    calls = {
        name: tensorflow_calls(native, *chain)
        for name, native in (("native", True), ("composite", False))
    }
    outputs = {name: forward().numpy() for name, (forward, _) in calls.items()}
    if torch_is_there():
        import torch

        torch.set_num_threads(_THREADS.value)
        inputs, gradient = torch_inputs(*chain)
        for window in ("view", "copy"):
            name = f"torch_unfold_{window}"
            calls[name] = torch_calls(window, inputs, gradient, chain[-1])
            outputs[name] = np.moveaxis(calls[name][0]().numpy(), 1, -1)
    check_agreement(outputs)
    return calls


def torch_is_there():
    """Whether PyTorch is wanted and can be imported."""
    if not _TORCH.value:
        return False
    try:
        import torch  # noqa: F401
    except ImportError as error:
        print(f"benchmark: without PyTorch ({error})", file=sys.stderr)
        return False
    return True


def main(arguments):
    """Measures what the flags say and prints the table."""
    if len(arguments) != 1:
        raise ValueError(f"takes flags only. Received: {arguments[1:]}")
    results = {}
    for mode, names in measure():
        results[mode] = names
        for name, times in names.items():
            numbers = ", ".join(f"{key} {value:.4g}" for key, value in times.items())
            print(f"{mode} {name}: {numbers}", flush=True)
    if _JSON.value:
        pathlib.Path(_JSON.value).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    commands.run(main)
