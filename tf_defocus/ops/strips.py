"""A photograph worked on strip by strip, so that what lies between stays small.

Between its input and its output a layer may need tensors that are many times larger
than both. Where every row needs only its neighbours, a few rows can be taken from input
to output before the next few: the result is the same, the memory that of a strip, and
a strip stays in the processor's cache.
"""

import contextlib
import contextvars
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tf_defocus.ops.tensor import Tensor

STRIP_ROWS = 32  # rows of a strip; two more are read and thrown away
_KEEPS_WHOLE = contextvars.ContextVar("keeps_whole", default=False)
_MAY_LOOP = contextvars.ContextVar("may_loop", default=True)


@contextlib.contextmanager
def whole_images():
    """Inside, nothing needs strips: for graphs that are counted, not run."""
    token = _KEEPS_WHOLE.set(True)
    try:
        yield
    finally:
        _KEEPS_WHOLE.reset(token)


@contextlib.contextmanager
def without_loops():
    """Inside, graphs hold no loop over strips: for runtimes that have none."""
    token = _MAY_LOOP.set(False)
    try:
        with whole_images():
            yield
    finally:
        _MAY_LOOP.reset(token)


def may_loop() -> bool:
    """Whether a graph may go through strips in a loop; not inside `without_loops`."""
    return _MAY_LOOP.get()


def needs_strips(images: Tensor) -> bool:
    """Whether images have more rows than one strip, or may have.

    Args:
        images: (batch, height, width, channels).

    Returns:
        bool.
    """
    if _KEEPS_WHOLE.get():
        return False
    height = ops.shape(images)[1]
    return not isinstance(height, int) or height > STRIP_ROWS


def map_strips(function: Callable, images: Tensor) -> Any:
    """Applies a function to strips of rows, one after another.

    Args:
        function: called with a strip (1, rows + 2, width, channels) that begins one row
            above what is wanted, and with `inside`, (rows + 2,) bool: False where the
            images have no such row and the strip repeats the nearest. Returns a nested
            structure of tensors whose first axis is 1.
        images: (batch, height, width, channels), any size >= 1.

    Returns:
        The same structure; each tensor (batch, strips, ...) where the function returned
        (1, ...).
    """
    batch, height, *rest = ops.shape(images)
    count = -(-height // STRIP_ROWS)
    rows = ops.reshape(images, (batch * height, *rest))

    def take(index):
        row = index % count * STRIP_ROWS + ops.arange(-1, STRIP_ROWS + 1)
        inside = ops.logical_and(row >= 0, row < height)
        row = ops.clip(row, 0, height - 1) + index // count * height
        strip = ops.take(rows, row, axis=0)[None]
        return keras.tree.map_structure(lambda x: x[0], function(strip, inside))

    results = ops.map(take, ops.arange(batch * count, dtype="int32"))
    return keras.tree.map_structure(
        lambda x: ops.reshape(x, (batch, count, *ops.shape(x)[1:])), results
    )


def join_strips(strips: Tensor, height: int) -> Tensor:
    """Images from their strips.

    Args:
        strips: (batch, strips, rows, width, channels), of `map_strips`.
        height: int or scalar integer tensor [px], of the images.

    Returns:
        (batch, height, width, channels).
    """
    batch, _, _, *rest = ops.shape(strips)
    return ops.reshape(strips, (batch, -1, *rest))[:, :height]
