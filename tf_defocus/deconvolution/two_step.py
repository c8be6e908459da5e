"""The classical pipeline: estimate a defocus map, then deconvolve with it.

What learned methods replaced, behind the interface of a Restorer, so that it is scored
by the same code under the same protocols.
"""

import keras
import numpy as np

from tf_defocus.deconvolution.hyper_laplacian import hyper_laplacian
from tf_defocus.deconvolution.mirrored import gaussian_psf
from tf_defocus.deconvolution.richardson_lucy import richardson_lucy
from tf_defocus.deconvolution.spatially_varying import (
    SMALLEST_SIGMA,
    deconvolve_varying,
)
from tf_defocus.deconvolution.wiener import WienerDeconvolution
from tf_defocus.deconvolution.zhuo_sim import PROPAGATIONS, estimate_defocus_map
from tf_defocus.optics import psf

METHODS = ("wiener", "richardson_lucy", "hyper_laplacian")
PSF_SHAPES = ("gaussian", "disc")


class TwoStepRestorer:
    """Defocus map and non-blind deconvolution, as a Restorer.

    Args:
        method: "wiener", "richardson_lucy" or "hyper_laplacian".
        psf_shape: "gaussian" of sigma, or "disc" of radius 2 sigma, whose second
            moment is the same.
        propagation: "matting" or "guided_filter", how the map becomes dense.
        noise_to_signal: float > 0, power ratio of the Wiener filter.
        fidelity: float > 0, lambda of the hyper-Laplacian.
        num_iterations: int, steps of Richardson-Lucy.

    Raises:
        ValueError: if a name is none of those above.

    Example:
        >>> restorer = TwoStepRestorer("wiener")
        >>> restorer.restore(blurred=np.zeros((8, 9, 3), np.uint8)).dtype
        dtype('uint8')
    """

    view_names = ("blurred",)

    def __init__(
        self,
        method,
        psf_shape="gaussian",
        propagation="matting",
        noise_to_signal=5e-3,
        fidelity=2000.0,
        num_iterations=30,
    ):
        _check_name("method", method, METHODS)
        _check_name("psf_shape", psf_shape, PSF_SHAPES)
        _check_name("propagation", propagation, tuple(PROPAGATIONS))
        self.method = method
        self.psf_shape = psf_shape
        self.propagation = propagation
        self.noise_to_signal = noise_to_signal
        self.fidelity = fidelity
        self.num_iterations = num_iterations
        self._wiener = WienerDeconvolution(boundary="symmetric")

    def restore(self, blurred, defocus_map=None):
        """Deblurs one photograph.

        Args:
            blurred: (height, width, 3) uint8, uint16 or float32 in [0, 1].
            defocus_map: optional (height, width) float, sigma of the blur [px], where
                it is known; estimated otherwise.

        Returns:
            Same shape and dtype, in the dtype's range.

        Raises:
            ValueError: if the image or the map has another shape or dtype, or is not
                finite.
        """
        _check_image(blurred)
        full = 1.0 if blurred.dtype.kind == "f" else np.iinfo(blurred.dtype).max
        image = blurred.astype(np.float32) / np.float32(full)
        if defocus_map is None:
            defocus_map = estimate_defocus_map(image, self.propagation)
        _check_map(defocus_map, blurred.shape[:2])
        # Blur within a pixel is no blur: deconvolving it would only raise the noise.
        sigma = np.where(defocus_map < SMALLEST_SIGMA, 0.0, defocus_map)
        restored = deconvolve_varying(image, sigma, self._deconvolve)
        restored = np.clip(restored, 0.0, 1.0) * full
        if blurred.dtype.kind == "u":
            restored = np.rint(restored)
        return restored.astype(blurred.dtype)

    def _deconvolve(self, image, sigma):
        if self.psf_shape == "disc":
            kernel = psf.disc(2.0 * sigma)
        else:
            kernel = gaussian_psf(sigma)
        if self.method == "richardson_lucy":
            return richardson_lucy(image, kernel, self.num_iterations)
        if self.method == "hyper_laplacian":
            return hyper_laplacian(image, kernel, self.fidelity)
        restored = self._wiener(
            image[None], kernel[None], noise_to_signal=self.noise_to_signal
        )
        return keras.ops.convert_to_numpy(restored)[0]


def _check_name(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}. Received: {name}={value!r}")


def _check_image(blurred):
    shape, dtype = np.shape(blurred), getattr(blurred, "dtype", type(blurred))
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"blurred must be (height, width, 3). Received: {shape}")
    if dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(
            f"blurred must be uint8, uint16 or float32. Received: dtype={dtype}"
        )
    if not np.isfinite(blurred).all():
        raise ValueError("blurred must be finite. Received: NaN or infinite pixels")


def _check_map(defocus_map, size):
    if np.shape(defocus_map) != size:
        raise ValueError(
            f"defocus_map must have the image's size {size}. Received: "
            f"{np.shape(defocus_map)}"
        )
    if not (np.isfinite(defocus_map).all() and np.min(defocus_map) >= 0):
        raise ValueError("defocus_map must be finite and not negative [px]")
