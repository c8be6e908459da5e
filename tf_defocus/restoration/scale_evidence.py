"""What a photograph and its restorations at several sizes say of the blur, per place.

Two kinds of evidence, measured in windows on a grid of one cell in 4x4 pixels:

- the photograph's spectrum: the energy in seven bands, an octave each. A disc of
  diameter c takes away what is finer than about c, so the band where the energy falls
  tells the width;
- the network's own: how much it changed the photograph at every size, and whether two
  neighbouring sizes agree on the change. Far from the widths it can see, a network
  changes little, or something else than it does at the size that fits.

The full size is read in strips of rows: of it only maps of half the size or less are
ever whole in memory. The features, many to a cell, are made for some rows at a time.
"""

import dataclasses
import functools

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
STRIP = 128  # [px], rows at a time
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


def gather(base, restored, coarser=()):
    """Measures the photograph and its changes.

    Args:
        base: (height, width, 3) uint8, uint16 or float32, the photograph; its sides
            divide by 8.
        restored: the same at full size, restored.
        coarser: list of (height / s, width / s, 3) float32, the changes at s = 2, 4,
            ...: what was restored minus the photograph of that size.

    Returns:
        `(evidence, halved)`: `Evidence`, and (height / 2, width / 2, 3) float32, the
        change at full size, halved.
    """
    finest, half_grey, halved = _read_full_size(base, restored)
    shape = finest[0].shape
    energies = [finest[0], *_band_energies(half_grey, shape)]
    products = _change_products(finest[1], list(map(grey, [halved, *coarser])), shape)
    return Evidence(shape, energies, *products), halved


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What the features of any row of cells follow from.

        E_k = (Y_k - soft Y_k)^2,  Y_k+1 = halve(Y_k)          energy of octave k
        e_s = D_s^2                                            change at size 1/s
        p_s = halve(D_s)^2                                     of it, what 1/2s shows
        a_s = <halve(D_s), D_2s> / (|halve(D_s)| |D_2s|)       agreement

    of grey values Y and changes D_s; products are means over Gaussian windows, energies
    logarithms. Sizes that were not restored have the features of no change.

    Attributes:
        shape: (rows, columns) of cells.
        energies, squares, halves: lists of float32 maps of the cells, or coarser: E_k,
            e_s and p_s before the windows.
        pairs: list of three such maps each: the products that a_s is made of.
    """

    shape: tuple
    energies: list
    squares: list
    halves: list
    pairs: list

    def features(self, start=0, stop=None):
        """The features of some rows of cells.

        Args:
            start, stop: int; `start` divides by 16, None is the last row.

        Returns:
            (stop - start, columns, NUM_FEATURES) float32.
        """
        rows = slice(start, self.shape[0] if stop is None else stop)
        size = (rows.stop - rows.start, self.shape[1], len(WINDOWS) * PER_WINDOW)
        features = np.empty(size, np.float32)
        columns = (c for sigma in WINDOWS for c in self._columns(sigma, rows))
        for index, column in enumerate(columns):  # one at a time: they are large
            features[..., index] = column
        return features

    def _columns(self, sigma, rows):
        """The features of one window, map after map."""
        energy = functools.partial(
            _log_energy, sigma=sigma, rows=rows, shape=self.shape
        )
        nothing = np.log(np.float32(FLOOR))
        yield from map(energy, self.energies)
        yield from map(energy, self.squares)
        yield from [nothing] * (MAX_SCALES - len(self.squares))
        for index in range(MAX_SCALES - 1):
            known, paired = index < len(self.halves), index < len(self.pairs)
            yield energy(self.halves[index]) if known else nothing
            yield (
                _agreement(self.pairs[index], sigma, rows, self.shape) if paired else 0
            )


def _read_full_size(base, restored):
    """Energies of the finest octave and of the change, grey and change at half size."""
    height, width = base.shape[:2]
    finest = np.empty((2, height // CELL, width // CELL), np.float32)
    half_grey = np.empty((height // 2, width // 2), np.float32)
    change = np.empty((*half_grey.shape, 3), np.float32)
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
        half_grey[rows], change[rows] = halve(grey(image)), halve(difference)
    return finest, half_grey, change


def octave_energy(values):
    """Squared difference to the softened image."""
    soft = cv2.sepFilter2D(
        values, -1, _SOFTENING, _SOFTENING, borderType=cv2.BORDER_REFLECT
    )
    return (values - soft) ** 2


def _band_energies(values, shape):
    """Of the octaves 1, 2, ...; `values` are those of half the size."""
    energies = []
    for _ in range(NUM_BANDS - 1):
        energies.append(_in_cells(octave_energy(values), shape))
        values = halve(values)
    return energies


def _change_products(finest, changes, shape):
    """Squares of every change and of its half, and products of neighbouring sizes.

    Args:
        finest: the square at full size, on the grid.
        changes: list of the changes, grey, of which the first is halved already.
        shape: of the grid.
    """
    squares = [finest, *(_in_cells(change**2, shape) for change in changes[1:])]
    halves = [changes[0], *map(halve, changes[1 : MAX_SCALES - 1])]
    pairs = [
        tuple(_in_cells(a * b, shape) for a, b in ((half, half), (half, c), (c, c)))
        for half, c in zip(halves, changes[1:])
    ]
    return squares, [_in_cells(half**2, shape) for half in halves], pairs


def _in_cells(values, shape):
    """The mean over every cell of a map that is finer than the grid."""
    while values.shape[0] > shape[0]:
        values = halve(values)
    return values


def _log_energy(values, sigma, rows, shape):
    return _on_grid(
        lambda part: np.log(_window(part, sigma) + FLOOR), [values], sigma, rows, shape
    )


def _agreement(pair, sigma, rows, shape):
    def cosine(*parts):
        one, product, other = (_window(part, sigma) for part in parts)
        return product / np.sqrt((one + FLOOR) * (other + FLOOR))

    return _on_grid(cosine, pair, sigma, rows, shape)


def _window(values, sigma):
    return cv2.GaussianBlur(values, (0, 0), sigma)


def _on_grid(measure, maps, sigma, rows, shape):
    """Rows of what is measured in windows on maps, which may be coarser than the grid.

    Coarser ones are enlarged, linearly, and cut to the grid.
    """
    height, width = maps[0].shape
    factor = 1
    while height * factor < shape[0] or width * factor < shape[1]:
        factor *= 2
    reach = int(np.ceil(4 * sigma)) + 2  # of OpenCV's window, and of interpolation
    first = max(rows.start // factor - reach, 0)
    last = min(-(-rows.stop // factor) + reach, height)
    values = measure(*(values[first:last] for values in maps))
    if factor > 1:
        size = (width * factor, len(values) * factor)
        values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    skipped = rows.start - first * factor
    return values[skipped : skipped + rows.stop - rows.start, : shape[1]]
