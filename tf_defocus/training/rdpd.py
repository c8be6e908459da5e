"""What RDPD must be told while it trains on crops: where in the frame they lie."""

import keras


class RDPDCrops(keras.Model):
    """RDPD on crops, with the crop of the whole frame's radial distance.

    Args:
        network: built `RDPD`.

    Outputs:
        The network's.
    """

    view_names = ("left", "right", "radial_distance")

    def __init__(self, network):
        super().__init__(autocast=False, name="rdpd_crops")
        self.network = network
        self.built = True  # of a built model

    def call(self, inputs, training=None):
        """Deblurs; the distance comes as an image of three equal channels."""
        distance = inputs["radial_distance"][..., :1]
        return self.network({**inputs, "radial_distance": distance}, training=training)
