"""Residual units, x + conv(activation(conv(x))), without an activation after the sum.

Half of the networks are made of them and differ in kernels, borders and initial
weights: each derives its own class, whose constructor makes the convolutions.
"""

from keras import layers


class BaseResidualUnit(layers.Layer):
    """One unit; the constructor of a derived class makes `first` and `second`.

    Args:
        filters: int, channels of inputs and outputs.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, height, width, filters).

    Returns:
        The shape of `inputs`.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        for layer in (self.first, self.second):
            layer.build((None, None, None, self.filters))

    def call(self, inputs):
        return inputs + self.second(self.first(inputs))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


class BaseResidualUnits(layers.Layer):
    """A chain; the constructor of a derived class makes `units`, pairs of layers.

    Args:
        filters: int, channels of inputs and outputs.
        num_units: int.
        **kwargs: of `keras.layers.Layer`.

    Call arguments, returns: as of `BaseResidualUnit`.
    """

    def __init__(self, filters, num_units, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.num_units = num_units

    def build(self, input_shape):
        for unit in self.units:
            for layer in unit:
                layer.build((None, None, None, self.filters))

    def call(self, inputs):
        for first, second in self.units:
            inputs = inputs + second(first(inputs))
        return inputs

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_units": self.num_units,
        }
