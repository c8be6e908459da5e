"""Banks of Gaussian kernels, evaluated exactly by two one-dimensional passes.

A sampled Gaussian is the outer product of a column and a row, so a bank is an array of
one-dimensional taps, one row per kernel, and a 21x21 kernel costs 42 products per pixel
instead of 441. Nothing is truncated or approximated.
"""

import numpy as np
from keras import ops

from tf_defocus.ops.tensor import Tensor

SIGMA_STEP = 0.25  # [px], between two kernels of a bank
BANKS = ("default", "paper21")
NARROW = 5  # [px], widest kernel of the first of two `support_groups`


def gaussian_taps(sigma: float, size: int) -> np.ndarray:
    """Samples a one-dimensional Gaussian.

        taps[i] = exp(-(i - (size - 1) / 2)^2 / (2 sigma^2)), divided by their sum

    Args:
        sigma: float [px].
        size: int, odd, number of taps.

    Returns:
        (size,) float64, sum 1.

    Raises:
        ValueError: if `size` is not odd and positive, or if `sigma` is not finite or so
            small that even the neighbour of the centre underflows float32.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(
            f"A Gaussian kernel needs an odd positive size. Received: size={size}"
        )
    offsets = np.arange(size) - size // 2
    with np.errstate(all="ignore"):
        taps = np.exp(-0.5 * np.square(offsets / np.float64(sigma)))
        neighbour = np.exp(-0.5 / np.square(np.float64(sigma)))
    if not (0 < sigma < np.inf and neighbour >= np.finfo(np.float32).tiny):
        raise ValueError(
            "A Gaussian kernel needs a finite sigma of 0.08 px at least (underflow). "
            f"Received: sigma={sigma}"
        )
    return taps / taps.sum()


def gaussian_bank(
    num_gaussians: int | None = None, max_kernel_size: int = 21, bank: str = "default"
) -> np.ndarray:
    """The identity and Gaussians of growing width [GKMNet Eq. 3].

    "default" is the authors' code: sigma = k/4 for k = 1 .. num_gaussians, three
    kernels of 3x3, then two of every larger odd size up to the largest, which the rest
    share.
    "paper21" is the paper's text: for every odd size m from 3 to the largest, sigma =
    (m - 2)/4 and (m - 1)/4.

    Args:
        num_gaussians: int, kernels besides the identity; None for 21 ("default") or
            what the sizes give, 20 for 21x21 ("paper21").
        max_kernel_size: int, odd, at least 3 [px].
        bank: "default" or "paper21".

    Returns:
        (1 + num_gaussians, max_kernel_size) float32: the taps of each kernel along one
        axis, the identity first; the kernel is their outer product with themselves.

    Raises:
        ValueError: if an argument is none of the values above.
    """
    check_bank(num_gaussians, max_kernel_size, bank)
    if bank == "paper21":
        sizes = [m for m in range(3, max_kernel_size + 1, 2) for _ in range(2)]
    else:
        count = 21 if num_gaussians is None else num_gaussians
        sizes = [
            min(3 + (k - 2) // 2 * 2, max_kernel_size) for k in range(2, count + 1)
        ]
        sizes = [3, *sizes]
    taps = np.zeros((1 + len(sizes), max_kernel_size), np.float32)
    taps[0, max_kernel_size // 2] = 1
    for k, size in enumerate(sizes, start=1):
        margin = (max_kernel_size - size) // 2
        row = gaussian_taps(SIGMA_STEP * k, size)
        taps[k, margin : margin + size] = row
    return taps


def outer_products(taps: Tensor) -> Tensor:
    """The two-dimensional kernels of a bank.

    Args:
        taps: (..., size) NumPy array.

    Returns:
        (..., size, size), each the outer product of a row of taps with itself.
    """
    return taps[..., :, None] * taps[..., None, :]


def check_bank(num_gaussians, max_kernel_size, bank):
    """Raises ValueError if `gaussian_bank` does not take these arguments."""
    if bank not in BANKS:
        raise ValueError(f"bank must be one of {BANKS}. Received: bank={bank!r}")
    if max_kernel_size < 3 or max_kernel_size % 2 == 0:
        raise ValueError(
            "max_kernel_size must be odd and at least 3. "
            f"Received: max_kernel_size={max_kernel_size}"
        )
    if num_gaussians is not None and num_gaussians < 1:
        raise ValueError(
            f"num_gaussians must be at least 1. Received: num_gaussians={num_gaussians}"
        )
    if bank == "paper21" and num_gaussians not in (None, max_kernel_size - 1):
        raise ValueError(
            f"The bank 'paper21' up to {max_kernel_size} px has {max_kernel_size - 1} "
            f"Gaussians; leave num_gaussians out. Received: {num_gaussians}"
        )


def tiled_order(num_kernels, num_colours=3):
    """Every kernel on every colour, as the paper means it.

    Returns:
        (num_colours, num_kernels) int: row c lists the kernels that colour c sees.
    """
    return np.tile(np.arange(num_kernels), (num_colours, 1))


def repeated_order(num_kernels, num_colours=3):
    """The released code's order: each kernel three times in a row, colours by thirds.

    So red sees the narrow kernels only, blue the wide ones only.

    Returns:
        (num_colours, num_kernels) int: row c lists the kernels that colour c sees.
    """
    repeated = np.repeat(np.arange(num_kernels), num_colours)
    return repeated.reshape(num_colours, num_kernels)


def convolve_bank(image: Tensor, taps: Tensor) -> Tensor:
    """Convolves one channel with every separable kernel of a bank.

    Args:
        image: (batch, height, width, 1) float.
        taps: (kernels, size) NumPy array, symmetric, zero outside a kernel's support;
            columns that are zero for all kernels cost nothing.

    Returns:
        (batch, height, width, kernels), zero padding.
    """
    taps = _trimmed(taps).T
    columns = ops.convert_to_tensor(taps[:, None, None, :], dtype=image.dtype)
    rows = ops.convert_to_tensor(taps[None, :, :, None], dtype=image.dtype)
    maps = ops.conv(image, columns, padding="same", data_format="channels_last")
    return ops.depthwise_conv(maps, rows, padding="same", data_format="channels_last")


def support_groups(taps):
    """Slices of a bank's kernels that are best convolved together.

    `convolve_bank` spends on every kernel what the widest one needs, so the narrow
    ones (up to `NARROW` px) go alone, where they come first.

    Args:
        taps: (kernels, size) NumPy array, zero outside a kernel's support.

    Returns:
        list of one or two slices that cover all kernels in order.
    """
    count = len(taps)
    wide = (taps != 0).sum(axis=-1) > NARROW
    first = count - int(wide.sum())
    if first in (0, count) or not wide[first:].all():
        return [slice(0, count)]
    return [slice(0, first), slice(first, count)]


def _trimmed(taps):
    """Drops the outer columns that are zero in every kernel, as many on both sides."""
    centre = taps.shape[1] // 2
    used = np.abs(np.flatnonzero(taps.any(axis=0)) - centre)
    reach = int(used.max(initial=0))
    return taps[:, centre - reach : centre + reach + 1]
