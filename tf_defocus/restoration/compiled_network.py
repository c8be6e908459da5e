"""A network, or a method of it, compiled once: NumPy arrays in and out."""

from collections.abc import Callable

import keras
import numpy as np

from tf_defocus.models.base import RestorationNetwork


class CompiledNetwork:
    """Calls a network and its methods, each compiled at its first call.

    Args:
        network: a `models.base.RestorationNetwork`.
        batch_statistics: bool, whether to normalise by the images at hand.
    """

    def __init__(self, network: RestorationNetwork, batch_statistics: bool) -> None:
        self.network = network
        self.batch_statistics = batch_statistics
        self._functions = {}

    def __call__(self, function: Callable, **inputs: np.ndarray | dict) -> np.ndarray:
        """One call of the network itself or of one of its methods.

        Args:
            function: the network or its bound method.
            **inputs: of the function: arrays or dicts of arrays,
                (batch, height, width, channels) float32.

        Returns:
            (batch, height, width, channels) float32.

        Raises:
            ArithmeticError: if the network returns values that are not finite.
        """
        if function not in self._functions:
            options = {}
            if function is self.network:
                options["training"] = False
                if self.batch_statistics:
                    options["batch_statistics"] = True
            self._functions[function] = _Function(self.network, function, options)
        output = self._functions[function].predict_on_batch(inputs)
        if not np.isfinite(output).all():
            raise ArithmeticError(
                "The network returned values that are not finite; its weights do not "
                "fit: check them with `tf-defocus doctor`"
            )
        return output


class _Function(keras.Model):
    """A network or a method of it as a model, for Keras to compile on any backend."""

    def __init__(self, network, function, options):
        # XLA compiles each size anew and is slower than TensorFlow's own CPU kernels.
        super().__init__(autocast=False, name="restoration")
        self.jit_compile = keras.backend.backend() == "jax"
        self.network = network
        self.function = function
        self.options = options
        self.built = True

    def call(self, inputs):
        output = self.function(**inputs, **self.options)
        return output["deblurred"] if isinstance(output, dict) else output
