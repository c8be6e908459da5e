"""DMENet's training (Lee et al., CVPR 2019) as numbers; released code where it differs.

Three kinds of photographs at once: rendered (SYNDOF, with maps), marked (the blur
detection set of CUHK) and unmarked (Flickr). `training.domain_adaptation` has the
losses. The one loop of this package trains on one kind of batch, and SYNDOF and Flickr
have no data set here: so this is no `Recipe`, and `tools/train.py` does not list it.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DomainAdaptation:
    """Numbers of a training on three kinds of photographs.

    Attributes:
        crop_size: int [px], of a random square crop.
        shortest_side, longest_side: int [px], to which the shorter side is enlarged or
            reduced before the crop where it is outside.
        flip_probability: float, up and down; quarter turns by any number, alike often.
        label_scale: float, what a rendered photograph's stored map is divided by: ten
            levels to a pixel, 15 px to one.
        batch_size: int, of each kind.
        learning_rate, beta_1, beta_2: float, of Adam, for both optimizers.
        decay_factor, decay_epochs: the rate is multiplied every so many epochs.
        num_epochs: int, at most.
        weights: tuple of (loss, weight), of DMENet and the network of the masks.
        discriminator_weight: float, of the discriminator's own loss.
        pretraining: tuple of (name, number), an optional start on rendered photographs
            by the squared error of the map alone.
    """

    crop_size: int = 240
    shortest_side: int = 240
    longest_side: int = 800
    flip_probability: float = 0.5
    label_scale: float = 150.0
    batch_size: int = 3
    learning_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.999
    decay_factor: float = 0.8
    decay_epochs: int = 20
    num_epochs: int = 10_000
    weights: tuple = (
        ("defocus", 1.0),
        ("auxiliary", 1.0),
        ("perceptual", 1e-4),
        ("binary", 2e-2),
        ("adversarial", 1e-3),
    )
    discriminator_weight: float = 1e-3
    pretraining: tuple = (
        ("batch_size", 8),
        ("num_epochs", 10),
        ("steps_per_epoch", 10),
        ("learning_rate", 1e-4),
    )


PAPER = DomainAdaptation()
