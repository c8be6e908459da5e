"""The precision in which a network's layers compute; its images stay float32."""

import contextlib
from collections.abc import Iterator

import keras

from tf_defocus.models.base import RestorationNetwork

POLICIES = {
    "float32": "float32",
    "float16": "mixed_float16",
    "bfloat16": "mixed_bfloat16",
}


@contextlib.contextmanager
def layers_in(policy: str) -> Iterator[None]:
    """Layers made inside have this policy of Keras.

    Args:
        policy: str, as of `POLICIES`.
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def copy_in(network: RestorationNetwork, precision: str) -> RestorationNetwork:
    """A network of the same weights whose layers compute in another precision.

    Args:
        network: a network of `create_model` or `load_preset`.
        precision: "float32", "float16" or "bfloat16".

    Returns:
        Another network; images and sums over them stay float32.
    """
    with layers_in(POLICIES[precision]):
        config = {k: v for k, v in network.get_config().items() if k != "dtype"}
        copy = type(network).from_config(config)
        copy.build()
    copy.set_weights(network.get_weights())
    return copy
