"""GKMNet's separable bank of Gaussians against the same bank as dense kernels.

    python tools/benchmark/gkmnet_bank.py
    python tools/benchmark/gkmnet_bank.py --size 320x240 --repeats 3 --json report.json

Two comparisons in one process, in turns: the bank alone on one colour image, and the
whole network, whose dense twins differ in the bank alone. All forms must agree before
they are timed. "depthwise" is the authors' form: a depthwise convolution of 21x21 with
22 kernels per colour, all 66 maps at once. "dense" and "dense_depthwise" go one colour
at a time, as the separable bank does, by a plain convolution or by a depthwise one.
Peak memory is that of a fresh process per form, above where it stood with the input in
it. Weights are fresh: they do not alter the time.
"""

import contextlib
import functools
import json
import subprocess
import sys
from unittest import mock

import numpy as np
from absl import flags

from tf_defocus import commands

_SIZE = flags.DEFINE_string("size", "1680x1120", "WIDTHxHEIGHT [px].")
_REPEATS = flags.DEFINE_integer("repeats", 3, "Calls counted.", lower_bound=1)
_NETWORK = flags.DEFINE_bool("network", True, "Whether to compare the network too.")
_PEAK_OF = flags.DEFINE_string("peak_of", None, "Only the peak memory of this form.")
_JSON = flags.DEFINE_string("json", None, "File for the results.")

BANK_FORMS = ("bank_separable", "bank_dense", "bank_depthwise")
NETWORK_FORMS = (
    "network_separable",
    "network_dense",
    "network_dense_depthwise",
    "network_depthwise",
)
TOLERANCE = 2e-6  # of the bank, images in [0, 1]


def convolve_densely(image, taps, depthwise=False):
    """`ops.gaussian.convolve_bank` by two-dimensional kernels, of full size."""
    from keras import ops

    from tf_defocus.ops import gaussian

    kernels = gaussian.outer_products(taps).transpose(1, 2, 0)[:, :, None, :]
    kernels = ops.convert_to_tensor(kernels, dtype=image.dtype)
    convolve = ops.depthwise_conv if depthwise else ops.conv
    return convolve(image, kernels, padding="same", data_format="channels_last")


def sum_all_maps(layer, blurred, previous, weights):
    """`WeightedSummation.call` on all maps of both images at once."""
    from keras import ops

    from tf_defocus.ops import gaussian

    kernels = gaussian.outer_products(layer.convolution.taps).transpose(2, 3, 0, 1)
    weighted = [
        ops.depthwise_conv(images, kernels, padding="same") * ops.tile(gamma, 3)
        for images, gamma in zip(
            (blurred, previous), ops.split(weights, 2, axis=-1), strict=True
        )
    ]
    return ops.conv(ops.concatenate(weighted, axis=-1), layer.kernel) + layer.bias


@contextlib.contextmanager
def bank_of(form):
    """GKMNet's layers traced meanwhile evaluate the bank as the form's name says."""
    from tf_defocus.layers.gkmnet import WeightedSummation
    from tf_defocus.ops import gaussian

    convolve = functools.partial(convolve_densely, depthwise="depthwise" in form)
    with contextlib.ExitStack() as patches:
        if form == "network_depthwise":
            patches.enter_context(
                mock.patch.object(WeightedSummation, "call", sum_all_maps)
            )
        elif not form.endswith("separable"):
            whole = mock.patch.object(
                gaussian, "support_groups", lambda taps: [slice(0, len(taps))]
            )
            patches.enter_context(whole)
            patches.enter_context(
                mock.patch.object(gaussian, "convolve_bank", convolve)
            )
        yield


def make_call(form, size):
    """A compiled call of one form on one picture of noise.

    Args:
        form: str of BANK_FORMS or NETWORK_FORMS.
        size: (width, height) [px].

    Returns:
        Function without arguments that returns a tensor; it is called once already.
    """
    picture = np.random.default_rng(0).random((1, size[1], size[0], 3), np.float32)
    if form in NETWORK_FORMS:
        return _network_call(form, picture)
    return _bank_call(form, picture)


def _bank_call(form, picture):
    import tensorflow as tf
    from keras import ops

    from tf_defocus.layers.gkmnet import GaussianConvolution
    from tf_defocus.ops import gaussian

    if form == "bank_depthwise":
        kernels = gaussian.outer_products(gaussian.gaussian_bank())
        kernels = np.repeat(kernels.transpose(1, 2, 0)[:, :, None, :], 3, axis=2)

        def bank(images):
            return ops.depthwise_conv(images, kernels, padding="same")
    else:
        bank = GaussianConvolution()
    picture = tf.constant(picture)
    function = tf.function(bank, jit_compile=False)
    with bank_of(form):
        function.get_concrete_function(picture)  # traced here, run below
    return lambda: function(picture)


def _network_call(form, picture):
    import keras
    import tensorflow as tf

    from tf_defocus.models import create_model
    from tf_defocus.ops.padding import pad_to_multiple

    keras.utils.set_random_seed(0)
    model = create_model("gkmnet")
    picture = tf.constant(pad_to_multiple(picture, model.size_multiple))
    function = tf.function(lambda image: model({"blurred": image})["deblurred"])
    with bank_of(form):
        function.get_concrete_function(picture)
    return lambda: function(picture)


def check_agreement(calls):
    """Largest difference between the forms' outputs.

    Raises:
        ArithmeticError: if it exceeds the tolerance.
    """
    first, *others = (np.asarray(call()) for call in calls)
    error = max(float(np.abs(other - first).max()) for other in others)
    if not error <= TOLERANCE:
        raise ArithmeticError(
            f"The forms must agree within {TOLERANCE}. Received: difference {error:.1e}"
        )
    return error


def measure_times(forms, size, repeats):
    """Median seconds by form, their largest difference, and ratios to the first."""
    from tf_defocus.evaluation import cost

    calls = [make_call(form, size) for form in forms]
    group = forms[0].partition("_")[0]
    results = {f"{group}_difference": check_agreement(calls)}
    seconds = cost.median_seconds(calls, repeats)
    results |= {f"{form}_seconds": value for form, value in zip(forms, seconds)}
    for form, value in zip(forms[1:], seconds[1:]):
        results[f"{form}_ratio"] = value / seconds[0]
    return results


def measure_peak(form, size):
    """Peak memory [MiB] of one call in this process, above where it stood before."""
    from tf_defocus.evaluation import cost

    make_call(form, (16, 16))()  # what the library itself takes
    call = make_call(form, size)
    memory = cost.PeakMemory()
    call()
    return memory.read()


def peak_of_fresh_process(form):
    """Peak memory [MiB] of one form, in a process of its own."""
    command = [sys.executable, __file__, f"--peak_of={form}", f"--size={_SIZE.value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{form}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(_):
    """Measures, prints and, where wanted, writes the report."""
    from tf_defocus.evaluation import cost

    sides = _SIZE.value.split("x")
    if len(sides) != 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
        raise ValueError(f"--size must be WIDTHxHEIGHT. Received: {_SIZE.value!r}")
    size = tuple(map(int, sides))
    if _PEAK_OF.value:
        print(json.dumps(measure_peak(_PEAK_OF.value, size)))
        return
    groups = (BANK_FORMS, NETWORK_FORMS) if _NETWORK.value else (BANK_FORMS,)
    results = {}
    for forms in groups:
        results |= measure_times(forms, size, _REPEATS.value)
    for form in (form for forms in groups for form in forms):
        results[f"{form}_peak_mib"] = peak_of_fresh_process(form)
    for key, value in results.items():
        print(f"{key}: {value:.4g}")
    if _JSON.value:
        machine = cost.describe_machine()
        report = {"size": _SIZE.value, "results": results, "machine": machine}
        cost.write_json(_JSON.value, report)


if __name__ == "__main__":
    commands.run(main)
