"""Networks computed by Keras, on the backend and the device that it runs on."""

import abc
from typing import Any

import keras
import numpy as np

from tf_defocus.models.base import RestorationNetwork
from tf_defocus.restoration.engines.stages import stage_function


class Engine(abc.ABC):
    """Calls a network and its stages.

    Args:
        network: `models.base.RestorationNetwork`.
        batch_statistics: bool, whether to normalise by the images at hand.
    """

    name: str

    def __init__(self, network: RestorationNetwork, batch_statistics: bool) -> None:
        self.network = network
        self.options = {"batch_statistics": True} if batch_statistics else {}

    def __call__(self, stage: str, **inputs: np.ndarray | dict) -> np.ndarray:
        """One stage of the network.

        Args:
            stage: "call", the whole network, or "encode", "transform" or "decode".
            **inputs: arguments of the stage: `inputs`, a dict of (batch, height, width,
                channels) float32, and `features`, the same without a dict.

        Returns:
            (batch, height, width, channels), the images or the features.

        Raises:
            ArithmeticError: if the network returns values that are not finite.
        """
        output = self.run(stage, inputs)
        if not np.isfinite(output).all():
            raise ArithmeticError(
                "The network returned values that are not finite; its weights do not "
                "fit: check them with `tf-defocus doctor`"
            )
        return output

    @abc.abstractmethod
    def run(self, stage: str, inputs: dict[str, Any]) -> np.ndarray:
        """As a call, of inputs in a dict, whatever the values are."""


class KerasEngine(Engine):
    """Compiles each stage of a network at its first run; see `Engine`."""

    name = "tensorflow"

    def __init__(self, network: RestorationNetwork, batch_statistics: bool) -> None:
        super().__init__(network, batch_statistics)
        self._functions = {}

    def run(self, stage: str, inputs: dict[str, Any]) -> np.ndarray:
        """See `Engine`."""
        if stage not in self._functions:
            self._functions[stage] = _Function(self.network, stage, self.options)
        return self._functions[stage].predict_on_batch(inputs)


class _Function(keras.Model):
    """A stage as a model, for Keras to compile on any backend."""

    def __init__(self, network, stage, options):
        # XLA compiles each size anew and is slower than TensorFlow's own CPU kernels.
        super().__init__(autocast=False, name="restoration")
        self.jit_compile = keras.backend.backend() == "jax"
        self.network = network
        self.function = stage_function(network, stage, options)
        self.built = True

    def call(self, inputs):
        return self.function(**inputs)
