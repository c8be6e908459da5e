"""K3DN's two stages of training, as released, and its form for inference."""

from tf_defocus.models.base import MonoOrDualNetwork


class StagedNetwork(MonoOrDualNetwork):
    """What K3DN is copied to when its first stage, or its training, is over."""

    def second_stage(self):
        """The model of the second stage: this one frozen, preservation to be trained.

        Returns:
            K3DN with `sharp_region_preservation`, this model's weights, frozen but for
            the preservation blocks.
        """
        model = self._copy(sharp_region_preservation=True)
        for mine, other in zip(self.psf_blocks, model.psf_blocks):
            other.set_weights(mine.get_weights())
        model.freeze_first_stage()
        return model

    def freeze_first_stage(self):
        """Trains the preservation blocks only; running statistics stay as well.

        Raises:
            ValueError: if there are none.
        """
        if not self.sharp_region_preservation:
            raise ValueError(
                "freeze_first_stage expects preservation blocks; second_stage() adds "
                "them. Received: sharp_region_preservation=False"
            )
        for layer in [*self._convolutional_layers(), *self.psf_blocks]:
            layer.trainable = False

    def to_inference(self):
        """A model with finished kernels in place of their spectra; it cannot reblur.

        Returns:
            K3DN that computes the same `deblurred` with fewer parameters.

        Raises:
            ValueError: of variant "paper", whose kernels are each window's own.
        """
        model = self._copy(frozen_kernels=True, reblurring=False)
        for mine, other in zip(self.psf_blocks, model.psf_blocks):
            other.query.set_weights(mine.query.get_weights())
            other.pointwise.set_weights(mine.pointwise.get_weights())
            half = other.depthwise.half_kernels.shape[-1]
            other.depthwise.half_kernels.assign(mine.depthwise.kernels()[..., :half])
        return model

    def _copy(self, **changes):
        """A built model with some arguments changed; PSF blocks are left to fill."""
        model = type(self).from_config({**self.get_config(), **changes})
        model.build()
        mine = [*self._convolutional_layers(), *self.preservation]
        others = [*model._convolutional_layers(), *model.preservation]
        for layer, other in zip(mine, others):
            other.set_weights(layer.get_weights())
        return model
