"""What several tests share: recorded vectors, their tolerance rule, layer contracts.

The recorded vectors lie in `tests/recorded`, reduced. The whole ones are taken instead
where `TF_DEFOCUS_REFERENCE` points or in `../shared/reference` beside the checkout. The
sample photographs are not part of the repository: they are looked for where
`TF_DEFOCUS_DATA` points, and troublesome files where `TF_DEFOCUS_CASES` does, else in
`../shared/data` and `../shared/cases`; a test that needs them skips elsewhere and says
so.
"""

import importlib
import json
import os
import pathlib
import runpy
import sys
from unittest import mock

import keras
import numpy as np
import pytest
from absl import flags

from tests.recorded_vectors import ReducedVectors, Samples

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELATIVE_TOLERANCE = 1e-4  # of max(1, |reference|)
NOISE_MULTIPLE = 10  # or so many times the reference's own float32 noise

needs_kernel = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow"
    or os.environ.get("TF_DEFOCUS_NATIVE") == "0",
    reason="needs the native kernel, TensorFlow's; TF_DEFOCUS_NATIVE=0 forbids it",
)


def _path(variable, default, name):
    folder = pathlib.Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    return folder / name


def _external(variable, default, name):
    path = _path(variable, default, name)
    if not path.exists():
        pytest.skip(f"needs {name}; set {variable} to the folder that holds it")
    return path


def reference_file(name):
    """Opens a recorded `.npz`, mapping name -> array; reduced where it is not whole."""
    whole = _path("TF_DEFOCUS_REFERENCE", "reference", name)
    if whole.exists():
        return np.load(whole)
    return ReducedVectors(ROOT / "tests" / "recorded" / name)


def data_folder(name):
    """Path of a folder of sample data (`bsds500`, `dpdd_samples`), or skips."""
    return _external("TF_DEFOCUS_DATA", "data", name)


def case_file(name):
    """Path of a troublesome file such as `png/gama_linear_8.png`, or skips."""
    return _external("TF_DEFOCUS_CASES", "cases", name)


def whole_reference(name):
    """Path of a recorded file as it was, not reduced, or skips the test."""
    return _external("TF_DEFOCUS_REFERENCE", "reference", name)


def golden_file(name):
    """Path of a golden of the project's own in `tests/goldens`."""
    return ROOT / "tests" / "goldens" / name


def official_weights(vectors):
    """The authors' tensors of a recorded file, by official name."""
    weights = {}
    for key in vectors.files:
        if not key.startswith("w/") or key.endswith("kernel_scale"):
            continue
        name = key[len("w/") :]
        if name.endswith("kernel_q"):
            name = name[: -len("_q")]
            weights[name] = vectors[key].astype("float32") * vectors[f"w/{name}_scale"]
        else:
            weights[name] = vectors[key]
    return weights


def torch_arrays(assignments, rng, scale=1.0):
    """Random tensors in PyTorch's layouts for all `Assignment`s, by official name."""
    arrays = {}
    for each in assignments:
        shape = tuple(each.variable.shape)
        if len(shape) > 1:
            shape = (*reversed(shape[-2:]), *shape[:-2])
        arrays[each.name] = scale * rng.normal(size=shape).astype("float32")
    return arrays


def reversed_channels(views):
    """Red, green, blue as blue, green, red, in every view."""
    return {name: view[..., ::-1] for name, view in views.items()}


def assert_agrees(actual, vectors, key):
    """Asserts that `actual` equals the recorded tensor `key` by the recorded rule.

    The largest error is at most 1e-4 of max(1, max |reference|), or ten times the
    reference's own float32 noise if that is more. A key such as `name@[:,::3,::3,:]`
    holds that slice only, and `actual` is sliced alike. Of a reduced file's tensor some
    hundred values are compared.
    """
    expected = vectors[key]
    actual = np.asarray(actual)
    if "@" in key:
        actual = actual[_slices(key.split("@")[1])]
    assert actual.shape == expected.shape, (key, actual.shape, expected.shape)
    if isinstance(expected, Samples):
        largest, actual = expected.largest, expected.of(actual)
        expected = expected.values
    else:
        largest = float(np.max(np.abs(expected)))
    scale = max(1.0, largest)
    noise = json.loads(str(vectors["meta"])).get("float64_max_abs_diff", {}).get(key, 0)
    tolerance = max(RELATIVE_TOLERANCE * scale, NOISE_MULTIPLE * float(noise))
    error = float(np.max(np.abs(actual - expected)))
    assert error <= tolerance, f"{key}: error {error:.2e}, tolerance {tolerance:.2e}"


def _slices(text):
    """`[:,::3,::3,:]` -> a tuple of slices."""
    parts = (p.split(":") for p in text.strip("[]").split(","))
    return tuple(slice(*(int(v) if v else None for v in part)) for part in parts)


def fill_with_waves(network):
    """Weights from a formula, so that a golden need not hold them."""
    for index, weight in enumerate(network.weights):
        size = int(np.prod(weight.shape))
        wave = np.sin(np.arange(size) * 1.7 + index).astype("float32")
        fan_in = max(1, np.prod(weight.shape[:-1]))
        value = wave.reshape(weight.shape) / np.sqrt(fan_in)
        if weight.path.endswith(("gamma", "variance")):
            value = 1 + 0.3 * value
        weight.assign(value)


def assert_layer_round_trips(layer, *inputs, atol=1e-6):
    """Asserts that config and weights rebuild a layer that computes the same.

    `layer` is an unbuilt layer; it is called once on `inputs`.
    """
    expected = layer(*inputs)
    clone = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(clone) is type(layer)
    assert clone.get_config() == layer.get_config()
    clone(*inputs)
    clone.set_weights(layer.get_weights())
    actual = clone(*inputs)
    for one, other in zip(keras.tree.flatten(actual), keras.tree.flatten(expected)):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(one),
            keras.ops.convert_to_numpy(other),
            atol=atol,
        )


def load_tool(name):
    """A module of `tools/` whose functions are tested, without its flags.

    absl keeps one set of flags per process, where two tools' `--output` would clash.
    """
    before = set(flags.FLAGS)
    module = importlib.import_module(f"tools.{name}")
    for flag in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, flag)
    return module


def run_tool(name, *arguments):
    """Runs a command of `tools/` in this process, without keeping its flags.

    Returns:
        The exit status, or the message of a failure.
    """
    before = set(flags.FLAGS)
    path = ROOT / "tools" / f"{name}.py"
    try:
        with mock.patch.object(sys, "argv", [str(path), *map(str, arguments)]):
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as leave:
        return leave.code
    finally:
        flags.FLAGS.unparse_flags()
        for flag in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, flag)
