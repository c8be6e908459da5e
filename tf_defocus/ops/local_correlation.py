"""Correlation of every pixel's feature vector with those of its neighbours.

    similarity(y, x, dy, dx) = sum over channels of query(y, x) * key(y + dy, x + dx)

Written with shifts, it makes (2 r + 1)^2 copies of the key at full resolution. Here
the image is cut into strips of 2 r rows and each strip into tiles of 2 r columns; one
matrix product compares the pixels of a tile with all pixels within reach, and the
neighbours are picked from it. Only one strip exists at a time, in both directions;
inside `strips.without_loops` all of them. Inside `native_correlation` TensorFlow's
graphs take the operation of `cc/local_correlation.h`, which holds its result alone.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator

import numpy as np
from keras import ops

from tf_defocus.ops.strips import may_loop
from tf_defocus.ops.tensor import Tensor

_native = contextvars.ContextVar("native_correlation", default=False)


@contextlib.contextmanager
def native_correlation() -> Iterator[None]:
    """Inside, TensorFlow's float32 graphs have one operation for it, on processors."""
    token = _native.set(True)
    try:
        yield
    finally:
        _native.reset(token)


def local_correlation(
    query: Tensor, key: Tensor, radius: int = 4, reduction: str = "mean"
) -> Tensor:
    """Correlates each pixel with its square neighbourhood; zeros outside the image.

    Args:
        query, key: (batch, height, width, channels), one float dtype.
        radius: int >= 1 [px].
        reduction: "mean" or "sum" over the channels.

    Returns:
        (batch, height, width, (2 * radius + 1)^2); channel (dy + radius) *
        (2 * radius + 1) + dx + radius compares with the key at (y + dy, x + dx).

    Raises:
        ValueError: if `radius` or `reduction` is none of the above.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(
            f"reduction must be 'mean' or 'sum'. Received: reduction={reduction!r}"
        )
    if radius < 1:
        raise ValueError(f"radius must be at least 1. Received: radius={radius}")

    @ops.custom_gradient
    def correlate(query, key):
        def gradient(*upstream):
            return _gradient(query, key, upstream[-1], radius, scale)

        return _forward(query, key, radius, scale), gradient

    # Applied strip by strip: a scaled copy of the query would double the memory.
    scale = 1 / query.shape[-1] if reduction == "mean" else 1.0
    return correlate(query, key)


def _forward(query, key, radius, scale):
    if _native.get() and query.dtype == "float32":
        from tf_defocus.ops import adaptive_convolution_native

        return adaptive_convolution_native.load().tf_defocus_local_correlation(
            query=query, key=key, radius=radius, scale=scale
        )

    def strip(index):
        block = 2 * radius
        queries = _rows(query, index * block, block)
        keys = _rows(key, index * block - radius, 2 * block)
        return _correlate_strips(queries, keys, radius, scale)

    if may_loop():
        return _merge_strips(_over_strips(strip, query, radius), query)
    strips = _all_query_strips(query, radius), _all_key_strips(key, radius)
    return _stack_strips(_correlate_strips(*strips, radius, scale), query, radius)


def _correlate_strips(queries, keys, radius, scale):
    """(strips, 2 radius, width, neighbours) of rows and of all rows within reach."""
    queries = scale * _query_tiles(queries, radius)
    keys = _key_tiles(keys, radius)
    scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
    scores = _flatten_last(scores, 2)
    maps = ops.take(scores, _neighbour_index(radius), axis=-1)
    return _merge_tiles(maps, 2 * radius)


def _gradient(query, key, upstream, radius, scale):
    def strip(index):
        block = 2 * radius
        queries, maps = (
            _query_tiles(_rows(images, index * block, block), radius)
            for images in (query, upstream)
        )
        keys = _key_tiles(_rows(key, index * block - radius, 2 * block), radius)
        maps = _flatten_last(scale * maps, 2)
        # One zero more, which every pair of pixels out of reach points to.
        maps = ops.pad(maps, [[0, 0], [0, 0], [0, 1]])
        scores = ops.take(maps, _pair_index(radius), axis=-1)
        query_part = _merge_tiles(ops.matmul(scores, keys), 2 * radius)
        key_part = ops.matmul(ops.swapaxes(scores, -1, -2), queries)
        return query_part, _add_overlapping_tiles(key_part, radius)

    query_strips, key_strips = _over_strips(strip, query, radius)
    key_gradient = _add_overlapping_strips(key_strips, radius)
    shape = ops.shape(query)
    inside = slice(radius, radius + shape[1]), slice(radius, radius + shape[2])
    return _merge_strips(query_strips, query), key_gradient[:, inside[0], inside[1], :]


def _over_strips(function, images, radius):
    """Stacks `function(i)` for every strip of 2 * radius rows."""
    block = 2 * radius
    count = (ops.shape(images)[1] + block - 1) // block
    return ops.map(function, ops.arange(count, dtype="int32"))


def _all_query_strips(images, radius):
    """(batch * strips, 2 * radius, width, channels): every strip of the images."""
    block = 2 * radius
    shape = ops.shape(images)
    below = _missing(shape[1], block)
    rows = ops.pad(images, [[0, 0], [0, below], [0, 0], [0, 0]])
    return ops.reshape(rows, (-1, block, shape[2], images.shape[-1]))


def _all_key_strips(images, radius):
    """(batch * strips, 4 * radius, width, channels): the rows within their reach."""
    block = 2 * radius
    shape = ops.shape(images)
    below = _missing(shape[1], block) + radius
    rows = ops.pad(images, [[0, 0], [radius, below], [0, 0], [0, 0]])
    blocks = ops.reshape(rows, (shape[0], -1, block, shape[2], images.shape[-1]))
    strips = ops.concatenate([blocks[:, :-1], blocks[:, 1:]], axis=2)
    return ops.reshape(strips, (-1, 2 * block, shape[2], images.shape[-1]))


def _stack_strips(strips, reference, radius):
    """(batch * strips, 2 * radius, width, channels) -> the size of `reference`."""
    shape = ops.shape(reference)
    rows = shape[1] + _missing(shape[1], 2 * radius)
    images = ops.reshape(strips, (shape[0], rows, -1, strips.shape[-1]))
    return images[:, : shape[1], : shape[2], :]


def _missing(size, block):
    """What a size lacks to a multiple; converters of graphs truncate -size % block."""
    return (block - size % block) % block


def _query_tiles(strip, radius):
    """(batch, tiles, block^2, channels): the pixels of each tile of a strip."""
    block = 2 * radius
    shape = ops.shape(strip)
    right = _missing(shape[2], block)
    strip = ops.pad(strip, [[0, 0], [0, 0], [0, right], [0, 0]])
    tiles = ops.reshape(strip, (shape[0], block, -1, block, strip.shape[-1]))
    return _flatten_pixels(tiles)


def _key_tiles(strip, radius):
    """(batch, tiles, 4 * block^2, channels): the pixels within reach of each tile."""
    block = 2 * radius
    shape = ops.shape(strip)
    right = _missing(shape[2], block) + radius
    strip = ops.pad(strip, [[0, 0], [0, 0], [radius, right], [0, 0]])
    blocks = ops.reshape(strip, (shape[0], 2 * block, -1, block, strip.shape[-1]))
    # A tile and its margins are two neighbouring blocks of the padded strip.
    tiles = ops.concatenate([blocks[:, :, :-1], blocks[:, :, 1:]], axis=3)
    return _flatten_pixels(tiles)


def _rows(images, start, count):
    """`count` rows from `start`; zeros where the image has none."""
    height = ops.shape(images)[1]
    rows = start + ops.arange(count, dtype="int32")
    inside = ops.logical_and(rows >= 0, rows < height)
    strip = ops.take(images, ops.clip(rows, 0, height - 1), axis=1)
    return strip * ops.cast(inside, images.dtype)[:, None, None]


def _flatten_pixels(tiles):
    """(batch, rows, tiles, columns, channels) -> (batch, tiles, pixels, channels)."""
    _, rows, _, columns, channels = tiles.shape
    shape = ops.shape(tiles)
    tiles = ops.transpose(tiles, (0, 2, 1, 3, 4))
    return ops.reshape(tiles, (shape[0], shape[2], rows * columns, channels))


def _flatten_last(tensor, axes):
    shape = ops.shape(tensor)
    size = int(np.prod(tensor.shape[-axes:]))
    return ops.reshape(tensor, (*shape[:-axes], size))


def _merge_tiles(tiles, block):
    """(batch, tiles, block^2 pixels, ...) -> (batch, block, width, channels)."""
    shape = ops.shape(tiles)
    channels = int(np.prod(tiles.shape[2:])) // block**2
    tiles = ops.reshape(tiles, (shape[0], shape[1], block, block, channels))
    tiles = ops.transpose(tiles, (0, 2, 1, 3, 4))
    return ops.reshape(tiles, (shape[0], block, shape[1] * block, channels))


def _merge_strips(strips, reference):
    """(strips, batch, block, width, channels) -> the size of `reference`."""
    shape = ops.shape(strips)
    images = ops.transpose(strips, (1, 0, 2, 3, 4))
    images = ops.reshape(images, (shape[1], shape[0] * shape[2], shape[3], shape[4]))
    size = ops.shape(reference)
    return images[:, : size[1], : size[2], :]


def _add_overlapping_tiles(tiles, radius):
    """Undoes `_key_tiles`: (batch, 2 * block, padded width, channels)."""
    block = 2 * radius
    shape, channels = ops.shape(tiles), tiles.shape[-1]
    tiles = ops.reshape(tiles, (shape[0], shape[1], 2 * block, 2, block, channels))
    tiles = ops.transpose(tiles, (0, 2, 1, 3, 4, 5))
    blocks = _shift_and_add(tiles[:, :, :, 0], tiles[:, :, :, 1], axis=2)
    return ops.reshape(blocks, (shape[0], 2 * block, (shape[1] + 1) * block, channels))


def _add_overlapping_strips(strips, radius):
    """(strips, batch, 2 * block, width, channels) -> (batch, padded height, ...)."""
    block = 2 * radius
    strips = ops.transpose(strips, (1, 0, 2, 3, 4))
    shape = ops.shape(strips)
    rows = _shift_and_add(strips[:, :, :block], strips[:, :, block:], axis=1)
    return ops.reshape(
        rows, (shape[0], (shape[1] + 1) * block, shape[3], strips.shape[-1])
    )


def _shift_and_add(first, second, axis):
    before = [[0, 0]] * len(first.shape)
    after = list(before)
    before[axis], after[axis] = [0, 1], [1, 0]
    return ops.pad(first, before) + ops.pad(second, after)


@functools.cache
def _neighbour_index(radius):
    """Places of each pixel's neighbours in the flat table of a tile's scores.

    The table compares block^2 pixels with (2 * block)^2 pixels within reach.
    """
    block, window = 2 * radius, 2 * radius + 1
    row, column, down, right = np.ogrid[:block, :block, :window, :window]
    pixel = row * block + column
    reach = (row + down) * 2 * block + column + right
    return (pixel * 4 * block**2 + reach).astype("int32").ravel()


@functools.cache
def _pair_index(radius):
    """The inverse of `_neighbour_index`; pairs out of reach point one past the end."""
    block, window = 2 * radius, 2 * radius + 1
    neighbours = _neighbour_index(radius)
    pairs = np.full(block**2 * 4 * block**2, block**2 * window**2, dtype="int32")
    pairs[neighbours] = np.arange(len(neighbours))
    return pairs.reshape(block**2, 4 * block**2)
