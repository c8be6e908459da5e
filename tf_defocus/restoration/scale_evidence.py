"""What a photograph and its restorations at several sizes say of the blur, per place.

Two kinds of evidence, measured in windows on a grid of one cell in 4x4 pixels:

- the photograph's spectrum: the energy in seven bands, an octave each. A disc of
  diameter c takes away what is finer than about c, so the band where the energy falls
  tells the width;
- the network's own: how much it changed the photograph at every size, and whether two
  neighbouring sizes agree on the change. Far from the widths it can see, a network
  changes little, or something else than it does at the size that fits.

The full size is read in strips of rows: of it only maps of half the size or less are
ever whole in memory.
"""

import cv2
import numpy as np

from tf_defocus.images import levels

CELL = 4  # [px], side of a cell of the grid
NUM_BANDS = 7
SCALES = (1, 2, 4, 8)  # reductions of the photograph
MAX_SCALES = len(SCALES)
WINDOWS = (1.2, 3.0, 8.0)  # standard deviations [cells, or pixels of a coarser map]
PER_WINDOW = NUM_BANDS + MAX_SCALES + 2 * (MAX_SCALES - 1)
NUM_FEATURES = len(WINDOWS) * PER_WINDOW
STRIP = 512  # [px], rows at a time
FLOOR = 1e-7  # of an energy: a hundredth of a step of 8 bits, squared
_SOFTENING = np.array([1, 4, 6, 4, 1], np.float32) / 16
_GREY = np.full((1, 3), 1 / 3, np.float32)


def halve(image):
    """The mean over every 2x2 pixels; an odd last row or column counts twice."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        amounts = ((0, height % 2), (0, width % 2)) + ((0, 0),) * (image.ndim - 2)
        image = np.pad(image, amounts, mode="edge")
    size = ((width + 1) // 2, (height + 1) // 2)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def grey(image):
    """(height, width) float32, the mean of the three colours."""
    return cv2.transform(image, _GREY)


def gather(base, restored):
    """The features of every cell.

        E_k = (Y_k - soft Y_k)^2,  Y_k+1 = halve(Y_k)          energy of octave k
        e_s = D_s^2                                            change at size 1/s
        p_s = halve(D_s)^2                                     of it, what 1/2s shows
        a_s = <halve(D_s), D_2s> / (|halve(D_s)| |D_2s|)       agreement

    of grey values Y and changes D_s; products are means over Gaussian windows, energies
    logarithms.

    Args:
        base: (height, width, 3) uint8, uint16 or float32, the photograph; its sides
            divide by 8.
        restored: list of arrays (height / s, width / s, 3), the restorations at s = 1,
            2, 4, ...: of `base`'s dtype at s = 1, else float32.

    Returns:
        `(features, changes)`: (height / 4, width / 4, NUM_FEATURES) float32, where
        sizes that were not restored have those of no change; and the changes, a list of
        (height / 2, width / 2, 3) float32, that at full size, halved, then those at
        s = 2, 4, ...
    """
    finest, halved, change = _read_full_size(base, restored[0])
    changes, small = [change], halved
    for image in restored[1:]:
        changes.append(image - small)
        small = halve(small)
    energies = [finest[0], *_band_energies(grey(halved))]
    products = _change_products(finest[1], list(map(grey, changes)))
    shape = finest[0].shape
    features = np.empty((*shape, len(WINDOWS) * PER_WINDOW), np.float32)
    columns = (
        column
        for sigma in WINDOWS
        for column in _columns(energies, products, sigma, shape)
    )
    for index, column in enumerate(columns):  # one at a time: they are large
        features[..., index] = column
    return features, changes


def _columns(energies, products, sigma, shape):
    """The features of one window, map after map."""
    yield from (_log_energy(energy, sigma, shape) for energy in energies)
    yield from _of_changes(products, sigma, shape)


def _read_full_size(base, restored):
    """Energies of the finest octave and of the change, and what the rest needs."""
    height, width = base.shape[:2]
    cells = (height // CELL, width // CELL)
    finest = np.empty((2, *cells), np.float32)
    halved = np.empty((height // 2, width // 2, 3), np.float32)
    change = np.empty_like(halved)
    halo = len(_SOFTENING) // 2
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        first, last = max(top - halo, 0), min(bottom + halo, height)
        image = levels.to_float(base[first:last])
        energy = octave_energy(grey(image))[top - first : bottom - first]
        image = image[top - first : bottom - first]
        difference = levels.to_float(restored[top:bottom]) - image
        rows = slice(top // CELL, bottom // CELL)
        finest[0, rows] = halve(halve(energy))
        finest[1, rows] = halve(halve(grey(difference) ** 2))
        rows = slice(top // 2, bottom // 2)
        halved[rows], change[rows] = halve(image), halve(difference)
    return finest, halved, change


def octave_energy(values):
    """Squared difference to the softened image."""
    soft = cv2.sepFilter2D(
        values, -1, _SOFTENING, _SOFTENING, borderType=cv2.BORDER_REFLECT
    )
    return (values - soft) ** 2


def _band_energies(values):
    """Of the octaves 1, 2, ...; `values` are those of half the size."""
    energies = []
    for _ in range(NUM_BANDS - 1):
        energies.append(octave_energy(values))
        values = halve(values)
    return energies


def _change_products(finest, changes):
    """Squares of every change and of its half, and products of neighbouring sizes.

    Args:
        finest: the square at full size, on the grid.
        changes: list of the changes, of which the first is halved already.
    """
    squares = [finest, *(change**2 for change in changes[1:])]
    halves = [changes[0], *map(halve, changes[1 : MAX_SCALES - 1])]
    pairs = [
        (half**2, half * coarser, coarser**2)
        for half, coarser in zip(halves, changes[1:])
    ]
    return squares, [half**2 for half in halves], pairs


def _of_changes(products, sigma, shape):
    squares, halves, pairs = products
    nothing = np.log(np.float32(FLOOR))
    yield from (_log_energy(energy, sigma, shape) for energy in squares)
    yield from [nothing] * (MAX_SCALES - len(squares))
    for index in range(MAX_SCALES - 1):
        known, paired = index < len(halves), index < len(pairs)
        yield _log_energy(halves[index], sigma, shape) if known else nothing
        yield _agreement(pairs[index], sigma, shape) if paired else 0


def _window(values, sigma, shape):
    """Gaussian means, of cells where the map is finer than the grid."""
    while values.shape[0] > shape[0]:
        values = halve(values)
    return cv2.GaussianBlur(values, (0, 0), sigma)


def _log_energy(values, sigma, shape):
    return _on_grid(np.log(_window(values, sigma, shape) + FLOOR), shape)


def _agreement(pair, sigma, shape):
    one, product, other = (_window(values, sigma, shape) for values in pair)
    cosine = product / np.sqrt((one + FLOOR) * (other + FLOOR))
    return _on_grid(cosine, shape)


def _on_grid(values, shape):
    """A coarser map enlarged, linearly, and cut to the grid."""
    factor = 1
    while values.shape[0] * factor < shape[0] or values.shape[1] * factor < shape[1]:
        factor *= 2
    if factor > 1:
        size = (values.shape[1] * factor, values.shape[0] * factor)
        values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    return values[: shape[0], : shape[1]]
