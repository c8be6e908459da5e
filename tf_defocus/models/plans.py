"""What a network would hold, found out before it holds it.

The overrides of a preset come from a file, and a width or a count in them decides about
time and memory. They are looked at here first; then the network is made without values,
so that its shapes can be compared with those of the weights.
"""

import concurrent.futures
import inspect
import math
from typing import Any

import keras

from tf_defocus.models.named import (
    MODELS,
    create_model,
    list_models,
    network_class,
)

MAX_NUMBER = 512  # widths, sides of windows, rates
MAX_KERNEL_SIZE = 128
MAX_PARTS = 64  # blocks and units, all together; the deepest network has 52
MAX_ITEMS = 64  # of a list, characters of a word
MAX_WEIGHTS = 2**28  # 1 GiB; the largest network here has 5e7


def check_overrides(name: Any, overrides: Any) -> None:
    """Refuses constructor arguments that no weights can have.

    Args:
        name: of `list_models()`.
        overrides: what a file gives as constructor arguments.

    Raises:
        ValueError: in one line, if an argument is unknown, mistyped or too large.
    """
    if not isinstance(name, str) or name not in MODELS:
        raise ValueError(
            f"expected a model of {', '.join(list_models())}. Received: {_short(name)}"
        )
    if not isinstance(overrides, dict):
        raise ValueError(
            "expected overrides as an object of constructor arguments. Received: "
            f"{_short(overrides)}"
        )
    parameters = inspect.signature(network_class(name).__init__).parameters.values()
    words = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD} - {"self"}
    for word, value in overrides.items():
        if word not in words:
            raise ValueError(
                f"{name} takes the arguments {', '.join(sorted(words))}. Received: "
                f"{_short(word)}"
            )
        _check_value(word, value)
    check_count(overrides, MAX_PARTS)


def check_count(overrides: dict[str, Any], num_tensors: int) -> None:
    """Refuses more blocks and units than a file has tensors.

    Args:
        overrides: dict, constructor arguments that passed `check_overrides`.
        num_tensors: int.

    Raises:
        ValueError: if the overrides ask for more.
    """
    parts = sum(sum(_integers(v)) for w, v in overrides.items() if _counts_parts(w))
    if parts > num_tensors:
        raise ValueError(
            f"{parts} blocks and units are more than the possible {num_tensors}"
        )


def plan_model(name: str, **overrides: Any) -> keras.Model:
    """A built network whose variables have names and shapes but no values.

    Args:
        name, **overrides: of `create_model`.

    Returns:
        A `keras.Model` that cannot be called.

    Raises:
        ValueError: if `name` or an argument is unknown, or if the network would hold
            more than 2**28 numbers.
    """
    # Keras keeps the variables that wait for their values in a list per thread, and
    # fills them at the next chance. In a thread of their own they wait in vain.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        model = pool.submit(_plan, name, overrides).result()
    count = sum(math.prod(weight.shape) for weight in model.weights)
    if count > MAX_WEIGHTS:
        raise ValueError(f"{name} with {_short(overrides)} holds {count} numbers")
    return model


def _plan(name, overrides):
    with keras.StatelessScope(initialize_variables=False):
        return create_model(name, **overrides)


def _check_value(word, value, depth=0):
    if isinstance(value, (list, tuple)) and depth < 2:
        good = len(value) <= MAX_ITEMS
        for item in value[:MAX_ITEMS]:
            _check_value(word, item, depth + 1)
    elif isinstance(value, str):
        good = len(value) <= MAX_ITEMS
    elif isinstance(value, (int, float)):
        limit = MAX_KERNEL_SIZE if "kernel_size" in word else MAX_NUMBER
        good = abs(value) <= limit  # false for NaN
    else:
        good = value is None
    if not good:
        raise ValueError(f"{word} is no plausible argument. Received: {_short(value)}")


def _counts_parts(word):
    return word.startswith("num_") or word.endswith("residual_units")


def _integers(value):
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in _integers(item)]
    return [abs(value)] if isinstance(value, int) else []


def _short(value):
    """A value from a file in a few words, whatever it is."""
    if isinstance(value, (dict, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value)[:100] if isinstance(value, (str, float)) else _number(value)


def _number(value):
    big = isinstance(value, int) and value.bit_length() > 64
    return f"a number of {value.bit_length()} bits" if big else repr(value)
