"""Moments of a batch that several devices hold parts of."""

import numpy as np

from tf_defocus.layers.shared_batches import BatchShare


def shared_moments(parts):
    """Of each part as one device's; an empty part keeps the others company."""
    size, messages, found = sum(map(len, parts)), [], []

    def note(message):
        messages.append(np.asarray(message))
        return message

    for total in (note, lambda _: sum(messages)):
        for device, part in enumerate(parts):
            share = BatchShare(
                total,
                share=np.float32(len(part) / size),
                rows=range(len(part)),
                size=size,
                device=device,
                devices=len(parts),
            )
            own = part if len(part) else np.full((1, *part.shape[1:]), 9.0, "float32")
            found.append(share.moments(own.mean((0, 1)), own.var((0, 1))))
    assert len(messages) == len(parts)  # one of each
    return found[len(parts) :]


def test_moments_are_those_of_the_whole_batch_also_far_from_zero(rng):
    values = rng.normal(100, 1, (7, 50, 3)).astype("float32")
    values[4:] += 3
    exact = values.astype("float64")
    for bounds in ([3], [1, 1], [2, 6], [4, 5]):
        found = shared_moments(np.split(values, bounds))
        assert len(found) == len(bounds) + 1
        for mean, variance in found:
            np.testing.assert_allclose(mean, exact.mean((0, 1)), rtol=1e-6)
            np.testing.assert_allclose(variance, exact.var((0, 1)), rtol=5e-5)
