"""The optics of a dual-pixel camera, measured from its views of a scene.

Where a window of a scene lies at one depth, each view is the sharp image blurred by one
kernel of the simulator. Every kernel of a grid (family, softness, diameter) blurs the
sharp image; per window and view

    residual = 1 - correlation(view, blurred)^2

is the part of the view's variance that gain and offset do not explain. The diameter is
chosen per window, the family and its shift over all windows.
"""

import dataclasses

import cv2
import numpy as np
from scipy import fft

from tf_defocus.optics import psf, sensor

WINDOW = 48  # px, side of what is compared
STEP = 24  # px between windows
DIAMETERS = np.geomspace(1.5, 26.0, 17)  # px
RATIOS = (0.12, 0.16, 0.2, 0.24, 0.28, 0.34)  # shift over diameter, of the logistic
EXPLAINED = 0.08  # of a window's variance may remain
LEAST_DIAMETER = 5.0  # px; below, families differ by less than a pixel
TEXTURE = 2e-5  # variance of the view, linear light, that a window needs


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What the windows of one scene say.

    Attributes:
        splits: tuple of psf.ApertureSplit that were tried.
        residuals: (splits, windows) float64, at each window's best diameter, of both
            views together.
        diameters: (splits, windows) float64 [px].
        positions: (windows, 2) int [px], row and column of the windows' centres.
    """

    splits: tuple
    residuals: np.ndarray
    diameters: np.ndarray
    positions: np.ndarray

    @property
    def explained(self):
        """(windows,) bool: one kernel, not too small, explains the window."""
        best = np.argmin(self.residuals, axis=0)
        columns = np.arange(len(best))
        diameter = self.diameters[best, columns]
        inner = (diameter >= LEAST_DIAMETER) & (diameter < DIAMETERS[-1])
        return inner & (self.residuals[best, columns] < EXPLAINED)


def candidate_splits():
    """The simulator's logistic split at several shifts, and the other families."""
    logistic = [
        psf.ApertureSplit("logistic", softness=psf.softness_for_shift_ratio(ratio))
        for ratio in RATIOS
    ]
    others = [
        psf.ApertureSplit(family)
        for family in ("linear", "translating_disc", "butterworth", "half_disc")
    ]
    return (*logistic, *others)


def measure(left, right, sharp, splits=None, encoded=False):
    """Compares the views of one scene with the sharp image under every kernel.

    Args:
        left, right, sharp: (height, width, 3) uint8, uint16, sRGB-encoded.
        splits: of `candidate_splits`, the default.
        encoded: bool, blur the encoded values, not linear light, as a test of which of
            the two the camera does.

    Returns:
        `Measurement`.
    """
    splits = tuple(splits or candidate_splits())
    left, right, sharp = (_brightness(image, encoded) for image in (left, right, sharp))
    rows, columns = (np.arange(WINDOW, length - WINDOW, STEP) for length in sharp.shape)
    grid = np.ix_(rows, columns)
    textured = np.minimum(_moments(left, left)[grid], _moments(right, right)[grid])
    textured = textured.ravel() > TEXTURE
    residuals = np.full((len(splits), textured.sum()), np.inf)
    diameters = np.zeros_like(residuals)
    spectrum = _Spectrum(sharp)
    for index, split in enumerate(splits):
        for diameter in DIAMETERS:
            kernels = psf.dual_pixel_pair(float(diameter), split)
            found = sum(
                _unexplained(view, spectrum.blur(kernel))[grid].ravel()[textured]
                for view, kernel in zip((left, right), kernels)
            )
            better = found / 2 < residuals[index]
            residuals[index][better] = found[better] / 2
            diameters[index][better] = diameter
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    return Measurement(splits, residuals, diameters, places[textured])


def estimate_kernels(left, right, sharp, measurement, diameter, size=33):
    """The views' kernels without any model, from windows of about one diameter.

    Least squares over the windows' spectra, K = sum conj(S) V / (sum |S|^2 + e), with e
    a thousandth of the mean power.

    Args:
        left, right, sharp: as `measure`.
        measurement: `Measurement` of the scene.
        diameter: float [px]; windows within a tenth of it count.
        size: int, odd, side of the kernels.

    Returns:
        (left, right) kernels (size, size) float64 of sum 1, and the number of windows.

    Raises:
        ValueError: if there is no such window.
    """
    best = np.argmin(measurement.residuals, axis=0)
    found = measurement.diameters[best, np.arange(len(best))]
    near = measurement.explained & (np.abs(found / diameter - 1) < 0.1)
    if not near.any():
        raise ValueError(f"Expected windows of about {diameter} px. Received: none")
    left, right, sharp = (_brightness(image) for image in (left, right, sharp))
    taper = np.hanning(2 * WINDOW)[:, None] * np.hanning(2 * WINDOW)

    def spectrum(image, centre):
        part = tuple(slice(c - WINDOW, c + WINDOW) for c in centre)
        part = image[part]
        return fft.fft2((part - part.mean()) * taper)

    cross, power = [0.0, 0.0], 0.0
    for centre in measurement.positions[near]:
        reference = spectrum(sharp, centre)
        power = power + np.abs(reference) ** 2
        for side, view in enumerate((left, right)):
            cross[side] = cross[side] + np.conj(reference) * spectrum(view, centre)
    middle, reach = WINDOW, size // 2
    kernels = []
    for total in cross:
        kernel = np.real(fft.ifft2(total / (power + 1e-3 * power.mean())))
        kernel = np.roll(kernel, (middle, middle), axis=(0, 1))
        inner = slice(middle - reach, middle + reach + 1)
        kernels.append(kernel[inner, inner] / kernel[inner, inner].sum())
    return (*kernels, int(near.sum()))


def noise_deviation(view, measurement):
    """White noise of a view [of 1, encoded], where blur has left no fine detail.

    The mask of Immerkaer (CVIU 1996) cancels whatever is linear over three pixels; the
    median over the windows that are blurred most keeps edges out.

    Args:
        view: as `measure`.
        measurement: `Measurement` of the scene.

    Returns:
        float; NaN if no window is blurred.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    grey = _brightness(view, encoded=True)
    response = cv2.filter2D(grey.astype(np.float32), -1, mask) ** 2
    mean = cv2.boxFilter(response, cv2.CV_64F, (WINDOW, WINDOW))
    chosen = measurement.positions[measurement.explained]
    if not len(chosen):
        return float("nan")
    deviations = np.sqrt(mean[chosen[:, 0], chosen[:, 1]] / 36)
    return float(np.quantile(deviations, 0.25))


class _Spectrum:
    """An image that is blurred many times, beyond its frame by its border."""

    def __init__(self, image, margin=32):
        self.margin = margin
        padded = np.pad(image, margin, mode="symmetric")
        self.size = padded.shape
        self.shape = [fft.next_fast_len(side, real=True) for side in padded.shape]
        self.values = fft.rfft2(padded, self.shape)

    def blur(self, kernel):
        canvas = np.zeros(self.shape, self.values.real.dtype)
        canvas[: len(kernel), : len(kernel)] = kernel
        reach = len(kernel) // 2
        canvas = np.roll(canvas, (-reach, -reach), axis=(0, 1))
        blurred = fft.irfft2(self.values * fft.rfft2(canvas), self.shape)
        inner = (slice(self.margin, side - self.margin) for side in self.size)
        return blurred[tuple(inner)]


def _brightness(image, encoded=False):
    values = image.astype(np.float32) / np.iinfo(image.dtype).max
    values = values if encoded else sensor.srgb_to_linear(values)
    return values.mean(axis=-1)


def _moments(one, other):
    """Covariance over the window around every pixel."""

    def mean(image):
        return cv2.boxFilter(image, cv2.CV_64F, (WINDOW, WINDOW))

    return mean(one * other) - mean(one) * mean(other)


def _unexplained(view, blurred):
    """Share of the view's variance that gain times `blurred` plus offset leaves."""
    product = _moments(view, view) * _moments(blurred, blurred)
    covariance = np.maximum(_moments(view, blurred), 0)
    return 1 - covariance**2 / np.maximum(product, 1e-18)
