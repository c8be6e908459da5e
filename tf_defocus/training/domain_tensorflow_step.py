"""A step of DMENet's training on TensorFlow: the discriminator, then the others."""

import tensorflow as tf

from tf_defocus.training import domain_adaptation as losses


class DomainStep:
    """Takes one step per call: batch of `make_domain_batch` in, dict of floats out.

    The photographs of each kind pass through DMENet once, so its running statistics
    move three times. The discriminator learns from those features, and the other two
    networks then from what it says after that.

    Args:
        networks: `domain_loop.DomainNetworks`.
        optimizers: `domain_loop.TwoOptimizers`.
        settings: `configs.dmenet.DomainAdaptation`.
        perceptual: `losses.PerceptualLoss`, or None to leave it out.
    """

    def __init__(self, networks, optimizers, settings, perceptual=None):
        self.networks = networks
        self.optimizers = optimizers
        self.settings = settings
        self.perceptual = perceptual
        self.run = tf.function(self._step)

    def __call__(self, batch):
        return {name: float(value) for name, value in self.run(batch).items()}

    def _step(self, batch):
        networks = self.networks
        variables = [v.value for v in networks.taught]
        with tf.GradientTape() as tape:
            outputs = {
                kind: networks.estimator({"blurred": batch[kind]}, training=True)
                for kind in ("rendered", "marked", "unmarked")
            }
            features = {kind: found["features"] for kind, found in outputs.items()}
            with tape.stop_recording():
                fooled = self._discriminate(features)
            values = self._main_losses(outputs, features, batch)
            total = losses.weighted_sum(values, dict(self.settings.weights))
        gradients = tape.gradient(total, variables)
        self.optimizers.main.apply(gradients, networks.taught)
        return {**values, "loss": total, "discriminator": fooled}

    def _main_losses(self, outputs, features, batch):
        networks = self.networks
        values = losses.rendered_losses(
            outputs["rendered"], batch["rendered_target"], self.perceptual
        )
        mask_logits = networks.binary(outputs["marked"]["defocus"], training=True)
        values["binary"] = losses.binary_loss(mask_logits, batch["marked_target"])
        values["adversarial"] = losses.adversarial_loss(
            *(
                networks.discriminator(features[kind], training=True)
                for kind in ("marked", "unmarked")
            )
        )
        return values

    def _discriminate(self, features):
        """The discriminator's own step; its loss before it."""
        discriminator = self.networks.discriminator
        variables = [v.value for v in discriminator.trainable_variables]
        with tf.GradientTape() as tape:
            judged = [
                discriminator(tf.stop_gradient(features[kind]), training=True)
                for kind in ("rendered", "marked", "unmarked")
            ]
            loss = losses.discriminator_loss(*judged)
            weighted = self.settings.discriminator_weight * loss
        gradients = tape.gradient(weighted, variables)
        optimizer = self.optimizers.discriminator
        optimizer.apply(gradients, discriminator.trainable_variables)
        return loss
