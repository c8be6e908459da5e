"""What KPAC is compared with in its Table 2: plain residual blocks."""

from typing import Any

import keras
from keras import layers

from tf_defocus.layers.kpac import ACTIVATION, kpac_initializer
from tf_defocus.layers.residual import BaseResidualUnit

# Each block doubles the variance of its features where both kernels start alike:
# 32 times the values after ten blocks. With this, 1.4 times.
_LAST_STDDEV = 0.01


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualBlock(BaseResidualUnit):
    """Two convolutions beside the identity.

        h + conv(lrelu(conv(h)))

    Args:
        filters: int, as of `BaseResidualUnit`; so are call arguments and returns.
        kernel_size: int, odd.
    """

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.kernel_size = kernel_size
        self.first = layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            activation=ACTIVATION,
            kernel_initializer=kpac_initializer(),
            name="first",
        )
        self.second = layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=_LAST_STDDEV),
            name="second",
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}
