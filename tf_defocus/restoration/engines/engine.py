"""Engines by name, and a network computed by a graph that another runtime reads."""

import importlib.util
import os
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tf_defocus.models.base import RestorationNetwork
from tf_defocus.models.precision import copy_in
from tf_defocus.restoration.engines import stages
from tf_defocus.restoration.engines.keras_engine import Engine, KerasEngine

ENGINES = ("auto", "tensorflow", "native", "onnxruntime", "openvino")
CONVERTED = ("native", "onnxruntime", "openvino")
LARGEST_ERROR = 0.5 / 255  # of a converted graph's image; a result is within one level
LARGEST_BFLOAT16_ERROR = 8 / 255  # of the two ways to round on
_PARITY_SIDE = 64  # [px], about, of the image that is compared
_BFLOAT16 = "mixed_bfloat16"


class EngineError(ValueError):
    """An engine that is not there or does not compute what is asked."""


class EngineWarning(UserWarning):
    """Keras computes what another engine was asked for."""


class ConversionError(RuntimeError):
    """A stage of a network that a converter does not take, or changes."""


def check_engine(name: str) -> None:
    """Refuses an engine that is unknown or not installed.

    Args:
        name: str, one of `ENGINES`.

    Raises:
        EngineError: in one line, with what to install.
    """
    if name not in ENGINES:
        raise EngineError(f"engine must be one of {ENGINES}. Received: {name!r}")
    if name not in CONVERTED:
        return
    if keras.backend.backend() != "tensorflow":
        raise EngineError(
            f"engine={name} converts graphs of TensorFlow: set "
            f"KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}"
        )
    missing = missing_packages(name)
    if missing:
        raise EngineError(
            f"engine={name} needs {', '.join(missing)}, not installed: "
            f'pip install "tf-defocus[{_runtime(name).EXTRA}]"'
        )


def missing_packages(name):
    """Packages of a converting engine that are not installed."""
    return [p for p in packages_of(name) if importlib.util.find_spec(p) is None]


def packages_of(name):
    """Packages that convert graphs for an engine, and run them."""
    return _runtime(name).PACKAGES


def precisions_of(name):
    """Precisions that a converting engine computes in."""
    return _runtime(name).PRECISIONS


def create_engine(
    name: str, network: RestorationNetwork, batch_statistics: bool = False
) -> Engine:
    """An engine for a network.

    Args:
        name: str, one of `ENGINES`; "auto" takes the fastest, see `choice`.
        network: the network.
        batch_statistics: bool, whether to normalise by the images at hand.

    Raises:
        EngineError: as `check_engine`, or if it cannot compute in the network's
            precision.
    """
    check_engine(name)
    if name == "auto":
        from tf_defocus.restoration.engines.choice import fastest_engine

        name = fastest_engine(network, batch_statistics)
    if name == "tensorflow":
        return KerasEngine(network, batch_statistics)
    return ConvertedEngine(name, network, batch_statistics)


class ConvertedEngine(Engine):
    """A network computed by onnxruntime or OpenVINO, on the processor.

    Args:
        name: "onnxruntime" or "openvino".
        network: the network; its weights are read when a stage first runs.
        batch_statistics: bool, see `Engine`.

    Raises:
        EngineError: if the runtime cannot compute in the network's precision.
    """

    def __init__(
        self, name: str, network: RestorationNetwork, batch_statistics: bool
    ) -> None:
        super().__init__(network, batch_statistics)
        self.name = name
        self.precision = precision_of(network)
        self.runtime = _runtime(name)
        self._functions = {}
        self._keras = KerasEngine(network, batch_statistics)
        if self.precision not in precisions_of(name):
            raise EngineError(
                f"engine={name} does not compute in {self.precision} on processors; "
                "take precision float32, or engine openvino or tensorflow"
            )

    def run(self, stage: str, inputs: dict[str, Any]) -> np.ndarray:
        """See `Engine`.

        Warns:
            EngineWarning: once per stage that cannot be converted: Keras computes it.
        """
        if stage not in self._functions:
            try:
                self._functions[stage] = self.converted(stage, inputs)
            except ConversionError as error:
                warnings.warn(str(error), EngineWarning, stacklevel=2)
                self._functions[stage] = lambda given: self._keras.run(stage, given)
        return self._functions[stage](inputs)

    def converted(self, stage: str, inputs: dict[str, Any]) -> Callable:
        """A stage as this engine computes it, from the cache or converted now.

        Args:
            stage, inputs: see `run`; of the inputs channels and dtypes count.

        Returns:
            Function of such inputs that returns an array.

        Raises:
            ConversionError: if it cannot be converted, or computes something else.
        """
        from tf_defocus.restoration.engines import graph_cache

        flat = stages.flat_inputs(inputs)
        packages = ("tensorflow", *packages_of(self.name))
        description = {
            **graph_cache.describe(self.network, packages),
            "weights": graph_cache.digest_of_weights(self.network),
            "engine": self.name,
            "precision": self.precision,
            "stage": stage,
            "options": sorted(map(str, self.options.items())),
            "inputs": {k: [v.shape[-1], str(v.dtype)] for k, v in flat.items()},
        }
        folder = graph_cache.cached_graph(
            description, lambda target: self._convert(stage, flat, target)
        )
        try:
            compute = self._load(folder)
        except Exception as error:  # as in `_convert`; it ran when it was kept
            raise self._refusal(stage, error) from error
        return lambda given: compute(stages.flat_inputs(given))

    def _convert(self, stage, flat, folder):
        """Writes the graph of a stage, once it agrees with Keras."""
        from tf_defocus.restoration.engines import graphs

        network = _float32_copy(self.network)
        try:
            graph = graphs.frozen_stage(
                network, stage, self.options, flat, self.runtime.PORTABLE
            )
            self.runtime.convert(graph, flat, folder)
            compute = self._load(folder)
            error, scale = self._largest_error(network, stage, flat, compute)
        except Exception as error:  # converters raise what they like
            raise self._refusal(stage, error) from error
        limits = {"float32": LARGEST_ERROR, "bfloat16": LARGEST_BFLOAT16_ERROR}
        if not error <= limits[self.precision] * max(1.0, scale):
            raise ConversionError(
                f"{self.network.name} converted for {self.name} differs by "
                f"{error:.2g} ({stage}); TensorFlow computes it"
            )

    def _refusal(self, stage, error):
        # OpenVINO's tell the operation in their fifth line.
        reason = " ".join(str(error).split()) or type(error).__name__
        return ConversionError(
            f"{self.network.name} cannot be converted for {self.name}, TensorFlow "
            f"computes it ({stage}: {reason[:300]})"
        )

    def _load(self, folder):
        return self.runtime.load(folder, self.precision, thread_count())

    def _largest_error(self, network, stage, flat, compute):
        """Largest difference from Keras on noise of two sizes, and largest value."""
        # Called as it is: compiling it for each size would take most of the time.
        function = stages.stage_function(network, stage, self.options)
        errors, scales = [], []
        for shape in ((1, 2, 3), (2, 3, 2)):
            noise = {k: _noise(network, k, v, shape) for k, v in flat.items()}
            tensors = {k: keras.ops.convert_to_tensor(v) for k, v in noise.items()}
            output = function(**stages.nested_inputs(tensors))
            expected = keras.ops.convert_to_numpy(output)
            actual = compute(noise)
            if actual.shape != expected.shape:
                raise ValueError(f"{actual.shape} in place of {expected.shape}")
            errors.append(float(np.abs(actual - expected).max()))
            scales.append(float(np.abs(expected).max()))
        return max(errors), max(scales)


def precision_of(network: RestorationNetwork) -> str:
    """ "bfloat16" of a network whose layers compute in it, else "float32"."""
    return "bfloat16" if network.dtype_policy.name == _BFLOAT16 else "float32"


def thread_count() -> int:
    """How many threads compute: TensorFlow's number where one was set, else all."""
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return len(os.sched_getaffinity(0))


def _runtime(name):
    from tf_defocus.restoration.engines import (
        native_runtime,
        onnx_runtime,
        openvino_runtime,
    )

    return {
        "native": native_runtime,
        "onnxruntime": onnx_runtime,
        "openvino": openvino_runtime,
    }[name]


def _float32_copy(network):
    """The network, or one of its weights whose layers compute in float32."""
    if precision_of(network) == "float32":
        return network
    return copy_in(network, "float32")


def _noise(network, name, like, shape):
    """Random values for an input of a stage; sizes in steps of `_PARITY_SIDE / 2`."""
    batch, *steps = shape
    multiples = network.size_multiple
    stride = network.feature_stride if name == stages.FEATURES else 1
    height, width = (
        step * multiple * max(1, _PARITY_SIDE // (2 * multiple)) // stride
        for step, multiple in zip(steps, multiples)
    )
    if name == stages.MEANS:
        height = width = 1
    size = (batch, height, width, like.shape[-1])
    return np.random.default_rng(0).random(size, dtype=np.float32)
