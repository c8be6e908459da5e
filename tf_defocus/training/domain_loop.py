"""Trains DMENet with the two networks that teach it, on three kinds of photographs.

Each step is the discriminator's, then the other two networks', on the same photographs
(Lee et al., CVPR 2019, Sec. 4.3). As in `loop`, batches are a function of seed and
step, and a run that was stopped goes on as if it had not been.
"""

import hashlib
import pathlib

import keras
import tqdm

from tf_defocus import whole_files
from tf_defocus.data.domains import make_domain_batch
from tf_defocus.losses import VGG19_BLOCKS, PerceptualLoss, read_vgg19_weights
from tf_defocus.models import create_model
from tf_defocus.models.dmenet_domains import BinaryNetwork, FeatureDiscriminator
from tf_defocus.training.checkpoints import Run, describe, resume, save_checkpoint
from tf_defocus.training.interruption import stop_requests
from tf_defocus.training.log import JsonLinesLogger

VGG19_STAGES = (*VGG19_BLOCKS, (512, 512, 512, 512))


class DomainNetworks(keras.Model):
    """DMENet, the network of the masks and the discriminator, as one to be kept.

    Args:
        estimator: `DMENet`.
    """

    def __init__(self, estimator, **kwargs):
        super().__init__(name="domains", **kwargs)
        self.estimator = estimator
        self.binary = BinaryNetwork(estimator.base_filters, name="binary")
        self.discriminator = FeatureDiscriminator(
            estimator.base_filters, name="discriminator"
        )
        for network in (self.binary, self.discriminator):
            network.build()
        self.built = True

    @property
    def taught(self):
        """Variables that the main step changes: all but the discriminator's."""
        return self.estimator.trainable_variables + self.binary.trainable_variables


class TwoOptimizers:
    """Adam of the main step and Adam of the discriminator, kept together.

    Args:
        settings: `DomainAdaptation`.
        networks: `DomainNetworks`.
        epoch: int, steps of an epoch.
    """

    def __init__(self, settings, networks, epoch):
        self.main = _adam("main", settings, epoch)
        self.main.build(networks.taught)
        self.discriminator = _adam("adversary", settings, epoch)
        self.discriminator.build(networks.discriminator.trainable_variables)

    @property
    def variables(self):
        """Of both."""
        return self.main.variables + self.discriminator.variables

    def finalize_variable_values(self, variables):
        """Nothing: no averages are kept."""


class Domains:
    """Three `data.domains.Domain`s, as a checkpoint wants its data."""

    def __init__(self, domains):
        self.domains = domains
        self.folder = next(iter(domains.values())).folder.parent
        self.source = {kind: domain.source for kind, domain in domains.items()}

    def fingerprint(self):
        """A short hash of all three."""
        parts = "".join(domain.fingerprint() for domain in self.domains.values())
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def train_domains(settings, folder, domains, num_steps=None, vgg19_weights=None):
    """Trains until the last epoch, or after so many steps.

    Args:
        settings: `configs.dmenet.DomainAdaptation`.
        folder: of the run; a checkpoint found there is continued.
        domains: dict of `data.domains.KINDS` -> `Domain`.
        num_steps: int, stops after so many steps in all; None: all epochs.
        vgg19_weights: path of VGG-19's weights, with which DMENet's encoder starts and
            the perceptual loss compares; None leaves both out.

    Returns:
        The `Run`, whose folder `load_preset` opens; `stopped_by` as `loop.train`'s.

    Raises:
        ValueError: if the backend is not TensorFlow, or the folder holds another run.
        FileNotFoundError: if there are no such weights of VGG-19.
        FloatingPointError: if a loss is not finite; the last checkpoint stays.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "DMENet's training needs TensorFlow: KERAS_BACKEND=tensorflow. Received: "
            f"{keras.backend.backend()}"
        )
    from tf_defocus.training.domain_tensorflow_step import DomainStep
    from tf_defocus.training.tensorflow_step import create_strategy

    keras.utils.set_random_seed(settings.seed)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    epoch = max(1, len(domains["rendered"]) // settings.batch_size)
    last = min(settings.num_epochs * epoch, num_steps or settings.num_epochs * epoch)
    with whole_files.lock_folder(folder), stop_requests() as request:
        run = create_run(settings, folder, epoch, vgg19_weights)
        data = Domains(domains)
        resume(run, data)
        describe(run, create_strategy("none"), data)
        perceptual = PerceptualLoss(vgg19_weights) if vgg19_weights else None
        step = DomainStep(run.trainee, run.optimizer, settings, perceptual)
        logger = JsonLinesLogger(folder, run.step)
        bar = tqdm.tqdm(total=last, initial=run.step, desc="dmenet", unit="step")
        while run.step < last and request.signal is None:
            scalars = step(make_domain_batch(domains, settings, run.step))
            run.step += 1
            bar.update()
            if not all(abs(value) < float("inf") for value in scalars.values()):
                raise FloatingPointError(f"at step {run.step} the losses are {scalars}")
            logger.scalars(run.step, scalars)
            if run.step % epoch == 0 and run.step < last:
                save_checkpoint(run)
        bar.close()
        save_checkpoint(run)
        run.stopped_by = request.signal if run.step < last else None
    return run


def create_run(settings, folder, epoch, vgg19_weights=None):
    """The `Run` at step 0: networks, their first weights, optimizers."""
    estimator = create_model(settings.model, **settings.overrides)
    if vgg19_weights:
        _start_from_vgg19(estimator, read_vgg19_weights(vgg19_weights, VGG19_STAGES))
    networks = DomainNetworks(estimator)
    optimizers = TwoOptimizers(settings, networks, epoch)
    return Run(settings, folder, estimator, networks, optimizers)


def _adam(name, settings, epoch):
    schedule = keras.optimizers.schedules.ExponentialDecay(
        settings.learning_rate,
        settings.decay_epochs * epoch,
        settings.decay_factor,
        staircase=True,
    )
    return keras.optimizers.Adam(
        schedule, settings.beta_1, settings.beta_2, settings.epsilon, name=name
    )


def _start_from_vgg19(estimator, weights):
    for stage in estimator.encoder:
        for layer in stage:
            layer.set_weights(weights[layer.name])
