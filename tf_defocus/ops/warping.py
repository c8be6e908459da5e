"""Moving images by per-pixel displacements, with bilinear interpolation."""

from keras import ops

from tf_defocus.ops.tensor import Tensor


def horizontal_warp(images: Tensor, disparity: Tensor) -> Tensor:
    """Reads every pixel from `disparity` columns to its right [IFAN Sec. 3].

        out[y, x] = images[y, x + disparity[y, x]]

    Linear between columns; columns outside the image count as zeros, so a pixel read
    halfway across the border keeps half of its value.

    Args:
        images: (batch, height, width, channels), float.
        disparity: (batch, height, width, 1), float [px], positive to the right.

    Returns:
        (batch, height, width, channels), dtype of `images`.

    Raises:
        ValueError: if an argument has not four axes or `disparity` not one channel.

    Reference:
        [Lee et al., 2021](https://arxiv.org/abs/2108.13610), disparity loss;
        [Jaderberg et al., 2015](https://arxiv.org/abs/1506.02025), Sec. 3.3.
    """
    _check("disparity", images, disparity, channels=1)
    shape = ops.shape(images)
    width = shape[2]
    rows, columns = _pixel_grid(shape)
    position = ops.cast(columns, disparity.dtype) + disparity[..., 0]
    left = ops.floor(position)
    right_share = ops.cast(position - left, images.dtype)[..., None]
    index = ops.cast(left, "int32")
    rows = ops.broadcast_to(rows, ops.shape(index))
    return _pixel_or_zero(images, rows, index, width) * (1 - right_share) + (
        _pixel_or_zero(images, rows, index + 1, width) * right_share
    )


def dense_image_warp(images: Tensor, flow: Tensor) -> Tensor:
    """Reads every pixel from the position that `flow` points back to.

        out[y, x] = images[y - flow[y, x, 0], x - flow[y, x, 1]]

    Bilinear; positions outside are moved to the nearest border pixel.

    Args:
        images: (batch, height, width, channels), float.
        flow: (batch, height, width, 2), float [px], rows then columns.

    Returns:
        (batch, height, width, channels), dtype of `images`.

    Raises:
        ValueError: if an argument has not four axes or `flow` not two channels.
    """
    _check("flow", images, flow, channels=2)
    shape = ops.shape(images)
    grid = _pixel_grid(shape)
    corners, shares = [], []
    for axis in (0, 1):
        last = shape[axis + 1] - 1
        position = ops.cast(grid[axis], flow.dtype) - flow[..., axis]
        position = ops.clip(position, 0, ops.cast(last, flow.dtype))
        low = ops.floor(position)
        index = ops.cast(low, "int32")
        corners.append((index, ops.minimum(index + 1, last)))
        shares.append(ops.cast(position - low, images.dtype)[..., None])
    (top, bottom), (left, right) = corners
    down, across = shares
    upper = _lerp(_pixel(images, top, left), _pixel(images, top, right), across)
    lower = _lerp(_pixel(images, bottom, left), _pixel(images, bottom, right), across)
    return _lerp(upper, lower, down)


def _check(name, images, displacement, channels):
    if len(images.shape) != 4 or len(displacement.shape) != 4:
        raise ValueError(
            f"images and {name} must be (batch, height, width, channels). Received: "
            f"images.shape={images.shape}, {name}.shape={displacement.shape}"
        )
    if displacement.shape[-1] != channels:
        raise ValueError(
            f"{name} must have {channels} channel(s). Received: "
            f"{name}.shape={displacement.shape}"
        )


def _pixel_grid(shape):
    """Row and column numbers, broadcastable to (batch, height, width)."""
    return ops.arange(shape[1])[None, :, None], ops.arange(shape[2])[None, None, :]


def _pixel(images, rows, columns):
    """Gathers images[b, rows, columns] at (batch, height, width) positions."""
    batch, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (-1, channels))
    index = (ops.arange(batch)[:, None, None] * height + rows) * width + columns
    return ops.take(flat, index, axis=0)


def _pixel_or_zero(images, rows, columns, width):
    inside = ops.logical_and(columns >= 0, columns < width)[..., None]
    pixels = _pixel(images, rows, ops.clip(columns, 0, width - 1))
    return ops.where(inside, pixels, ops.zeros_like(pixels))


def _lerp(start, end, share):
    return start + share * (end - start)
