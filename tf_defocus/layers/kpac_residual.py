"""What KPAC is compared with in its Table 2: plain residual blocks."""

import keras
from keras import layers

from tf_defocus.layers.kpac import ACTIVATION, kpac_initializer

# Each block doubles the variance of its features where both kernels start alike:
# 32 times the values after ten blocks. With this, 1.4 times.
_LAST_STDDEV = 0.01


@keras.saving.register_keras_serializable(package="tf_defocus")
class ResidualBlock(layers.Layer):
    """Two convolutions beside the identity.

        h + conv(lrelu(conv(h)))

    Args:
        filters: int, channels of input and output.
        kernel_size: int, odd.

    Call arguments:
        inputs: (batch, height, width, filters).

    Returns:
        The shape of `inputs`.
    """

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
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

    def build(self, input_shape):
        for layer in (self.first, self.second):
            layer.build((None, None, None, self.filters))

    def call(self, inputs):
        return inputs + self.second(self.first(inputs))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }
