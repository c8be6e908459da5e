"""Convolutions whose filters differ at every pixel and channel.

What stands here in `keras.ops` is the specification. On TensorFlow the separable step
goes to a compiled kernel instead, where that is present: the environment variable
`TF_DEFOCUS_NATIVE` (0, 1, auto) decides, and inside `native_kernel(choice)` its choice.
"""

import contextlib
import contextvars
import os
import warnings
from collections.abc import Iterator

import keras
from keras import ops

from tf_defocus.ops.tensor import Tensor

NATIVE_DTYPES = ("float32", "bfloat16")

# True, False, or None: what the environment says
_choice = contextvars.ContextVar("native_kernel", default=None)
_warned = False


def separable_adaptive_convolution(
    features: Tensor,
    filters: Tensor,
    filter_size: int,
    negative_slope: float = 0.1,
    reuse_vertical: bool = False,
) -> Tensor:
    """One iteration of the iterative adaptive convolution [IFAN Eq. 1].

        out = lrelu(features * vertical * horizontal + bias)

    Every pixel and channel has its own two 1-D filters (correlation, border pixels
    repeated) and bias.

    Args:
        features: (batch, height, width, channels), float.
        filters: (batch, height, width, (2 * filter_size + 1) * channels), same dtype.
            A pixel's vector holds the vertical filter, the horizontal one and the bias;
            inside a filter the index is `tap * channels + channel`, taps running
            downwards and to the right.
        filter_size: int, odd.
        negative_slope: float >= 0 of the leaky ReLU; 1 leaves it out.
        reuse_vertical: bool; True filters horizontally with the vertical filter, as
            the authors' released code does.

    Returns:
        (batch, height, width, channels), dtype of `features`.

    Raises:
        ValueError: if a rank, size, dtype or `filter_size` is none of the above.
        RuntimeError: if the native kernel is demanded and cannot be had.

    Reference:
        [Lee et al., 2021](https://arxiv.org/abs/2108.13610), Eq. 1.
    """
    _check(features, filters, filter_size, 2 * filter_size + 1)
    if negative_slope < 0:
        raise ValueError(
            f"negative_slope must be >= 0. Received: negative_slope={negative_slope}"
        )
    features, filters = map(ops.convert_to_tensor, (features, filters))
    native = _native_module(features)
    step = native.adaptive_step if native is not None else _separable_composite
    return step(features, filters, filter_size, negative_slope, reuse_vertical)


def dense_adaptive_convolution(
    features: Tensor, filters: Tensor, filter_size: int
) -> Tensor:
    """Filter adaptive convolution: one 2-D filter per pixel and channel [IFAN Tab. 5].

        out[y, x] = sum_ij features[y + i - r, x + j - r] * filters[y, x, i, j]

    r = filter_size // 2; border pixels are repeated.

    Args:
        features: (batch, height, width, channels), float.
        filters: (batch, height, width, filter_size**2 * channels), same dtype, index
            `(row * filter_size + column) * channels + channel`; or, with one filter for
            all channels of a pixel, (batch, height, width, filter_size**2).
        filter_size: int, odd.

    Returns:
        (batch, height, width, channels), dtype of `features`.

    Raises:
        ValueError: if a rank, size, dtype or `filter_size` is none of the above.

    Reference:
        [Zhou et al., 2019](https://arxiv.org/abs/1904.12257), Sec. 3.3.
    """
    shared = filters.shape[-1] == filter_size**2
    _check(features, filters, filter_size, filter_size**2, shared)
    features, filters = map(ops.convert_to_tensor, (features, filters))
    columns = filters.shape[-1] // filter_size
    padded = _repeat_border(features, filter_size // 2, axis=1)
    return sum(
        _filter_along(
            _shifted(padded, i, filter_size, axis=1),
            filters[..., i * columns : (i + 1) * columns],
            filter_size,
            axis=2,
        )
        for i in range(filter_size)
    )


def computed_after(value: Tensor, dependency: Tensor) -> Tensor:
    """`value`, computed no earlier than `dependency`.

    A graph may otherwise compute all iterations' filters at once and hold them all.

    Args:
        value, dependency: tensors.

    Returns:
        `value`.
    """
    if keras.backend.backend() != "tensorflow":
        return value  # the compilers of the other backends order work by memory
    from tf_defocus.ops import adaptive_convolution_native

    return adaptive_convolution_native.computed_after(value, dependency)


@contextlib.contextmanager
def native_kernel(choice: bool | None) -> Iterator[None]:
    """Inside, the native kernel or the composite is taken, whatever the environment.

    Args:
        choice: True (an error if it cannot be had), False, or None to follow the
            environment variable `TF_DEFOCUS_NATIVE`: "1", "0" or "auto", its default,
            which takes the kernel if it can be had.
    """
    token = _choice.set(choice)
    try:
        yield
    finally:
        _choice.reset(token)


def portable() -> Iterator[None]:
    """Inside, no graph gets the native kernel: for exports, XLA and other runtimes."""
    return native_kernel(False)


def _native_module(features):
    """The module with the kernel, or None where the composite is to run."""
    global _warned
    choice = _choice.get()
    if choice is None:
        choice = _environment_choice()
    if (
        choice is False
        or keras.backend.backend() != "tensorflow"
        or keras.backend.is_keras_tensor(features)
        or keras.backend.standardize_dtype(features.dtype) not in NATIVE_DTYPES
    ):
        return None
    from tf_defocus.ops import adaptive_convolution_native as native

    try:
        native.load()
    except native.NativeKernelError as error:
        if choice:
            raise
        if not _warned:
            _warned = True
            warnings.warn(
                f"The adaptive convolution runs without its native kernel: {error}",
                stacklevel=3,
            )
        return None
    return native


def _environment_choice():
    value = os.environ.get("TF_DEFOCUS_NATIVE", "auto")
    choices = {"1": True, "0": False, "auto": None}
    if value not in choices:
        raise ValueError(f"TF_DEFOCUS_NATIVE must be 0, 1 or auto. Received: {value!r}")
    return choices[value]


def _check(features, filters, filter_size, filters_per_channel, shared=False):
    if filter_size < 1 or filter_size % 2 == 0:
        raise ValueError(
            f"filter_size must be odd. Received: filter_size={filter_size}"
        )
    if len(features.shape) != 4 or len(filters.shape) != 4:
        raise ValueError(
            "features and filters must be (batch, height, width, channels). Received: "
            f"features.shape={features.shape}, filters.shape={filters.shape}"
        )
    if 0 in tuple(features.shape):
        raise ValueError(
            f"features must not be empty. Received: features.shape={features.shape}"
        )
    count = filters_per_channel * (1 if shared else features.shape[3])
    expected = (*features.shape[:3], count)
    if any(None not in (a, b) and a != b for a, b in zip(filters.shape, expected)):
        raise ValueError(
            f"filters must have shape {expected} for filter_size={filter_size}. "
            f"Received: filters.shape={tuple(filters.shape)}"
        )
    dtypes = [keras.backend.standardize_dtype(x.dtype) for x in (features, filters)]
    if dtypes[0] != dtypes[1] or "float" not in dtypes[0]:
        raise ValueError(
            "features and filters must have one float dtype. Received: "
            f"features.dtype={dtypes[0]}, filters.dtype={dtypes[1]}"
        )


def _separable_composite(
    features, filters, filter_size, negative_slope, reuse_vertical
):
    taps = filter_size * features.shape[-1]
    vertical = filters[..., :taps]
    horizontal = vertical if reuse_vertical else filters[..., taps : 2 * taps]
    bias = filters[..., 2 * taps :]
    padded = _repeat_border(features, filter_size // 2, axis=1)
    features = _filter_along(padded, vertical, filter_size, axis=1)
    features = _filter_along(features, horizontal, filter_size, axis=2) + bias
    return ops.where(features > 0, features, negative_slope * features)


def _filter_along(features, kernel, filter_size, axis):
    """Correlates along rows (axis 1, already padded) or columns (axis 2)."""
    if axis == 2:
        features = _repeat_border(features, filter_size // 2, axis)
    channels = kernel.shape[-1] // filter_size  # 1 where they share a filter
    return sum(
        _shifted(features, tap, filter_size, axis)
        * kernel[..., tap * channels : (tap + 1) * channels]
        for tap in range(filter_size)
    )


def _shifted(padded, tap, filter_size, axis):
    """The part of `padded` that lies under one tap."""
    part = slice(tap, tap - filter_size + 1 or None)
    return padded[:, part] if axis == 1 else padded[:, :, part]


def _repeat_border(features, radius, axis):
    """Repeats the first and last row or column `radius` times."""
    if radius == 0:
        return features
    if axis == 1:
        first, last = features[:, :1], features[:, -1:]
    else:
        first, last = features[:, :, :1], features[:, :, -1:]
    return ops.concatenate([*[first] * radius, features, *[last] * radius], axis=axis)
