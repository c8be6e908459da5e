"""DMENet's training (Lee et al., CVPR 2019) as numbers; released code where it differs.

Three kinds of photographs at once: rendered (SYNDOF, with maps), marked (the blur
detection set of CUHK) and unmarked (Flickr). `training.domain_adaptation` has the
losses. The loop of the other networks knows one kind of batch and one optimizer, so
this is no `Recipe`, and `tools/train.py` does not list it:

    python tools/train_dmenet.py --syndof SYNDOF --cuhk CUHK --flickr FLICKR \
        --vgg19_weights FILE --output runs/dmenet
"""

import dataclasses
import hashlib
import json

from tf_defocus.configs.recipe import Numbers


@dataclasses.dataclass(frozen=True)
class DomainAdaptation(Numbers):
    """Numbers of a training on three kinds of photographs.

    Attributes:
        model, overrides: name of the network and its constructor's arguments.
        crop_size: int [px], of a random square crop.
        shortest_side, longest_side: int [px], to which the shorter side is enlarged or
            reduced before the crop where it is outside.
        flip_probability: float, up and down; quarter turns by any number, alike often.
        label_scale: float, what a rendered photograph's stored map is divided by: ten
            levels to a pixel, 15 px to one.
        batch_size: int, of each kind.
        learning_rate, beta_1, beta_2, epsilon: float, of Adam, for both optimizers.
        decay_factor, decay_epochs: the rate is multiplied every so many epochs.
        num_epochs: int, at most.
        weights: tuple of (loss, weight), of DMENet and the network of the masks.
        discriminator_weight: float, of the discriminator's own loss.
        pretraining: tuple of (name, number), an optional start on rendered photographs
            by the squared error of the map alone.
        seed: int.
    """

    model: str = "dmenet"
    overrides: dict = dataclasses.field(default_factory=dict)
    crop_size: int = 240
    shortest_side: int = 240
    longest_side: int = 800
    flip_probability: float = 0.5
    label_scale: float = 150.0
    batch_size: int = 3
    learning_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
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
    seed: int = 0

    def fingerprint(self):
        """A short hash of all numbers: a run resumes only its own."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


PAPER = DomainAdaptation()
