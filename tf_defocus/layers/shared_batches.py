"""Layers that see a batch whole although several devices hold parts of it."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator

import keras
from keras import layers, ops

from tf_defocus.ops.tensor import Tensor


@dataclasses.dataclass(frozen=True)
class BatchShare:
    """What this device holds of a batch that several devices compute together.

    Attributes:
        sum_over_devices: differentiable function of a tensor of this device to its sum
            over all devices.
        share: scalar in [0, 1], the examples here over those of the whole batch; 0 for
            an example that only keeps this device company.
        rows: (examples here,) int32, their places in the whole batch.
        size: int, examples of the whole batch.
    """

    sum_over_devices: Callable[[Tensor], Tensor]
    share: Tensor
    rows: Tensor
    size: int

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the whole batch of what is the mean over the examples here."""
        return self.sum_over_devices(values * self.share)


_share = contextvars.ContextVar("share", default=None)


@contextlib.contextmanager
def batch_share(share: BatchShare | None) -> Iterator[None]:
    """Inside, layers take their inputs for that share of a batch; None: for all."""
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def current_share() -> BatchShare | None:
    """The `BatchShare` of the block we are in, or None: this device has it all."""
    return _share.get()


@keras.saving.register_keras_serializable(package="tf_defocus")
class BatchDropout(layers.Dropout):
    """Dropout that leaves out the same values however a batch is shared.

    Every device draws the mask of the whole batch, from a seed that all have alike, and
    takes its own examples' rows.

    Args:
        rate: float in [0, 1), share of the values that become 0; the others are
            divided by 1 - rate.
        **kwargs: of `keras.layers.Dropout`.

    Call arguments:
        inputs: (batch, ...), any rank.
        training: bool; False returns the inputs.

    Returns:
        The shape of `inputs`.
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        share = current_share()
        if share is None or not training or self.rate == 0:
            return super().call(inputs, training=training)
        whole = ops.ones((share.size, *ops.shape(inputs)[1:]), inputs.dtype)
        mask = super().call(whole, training=True)
        return inputs * ops.take(mask, share.rows, axis=0)
