"""The classical pipeline: estimate a defocus map, then deconvolve with it.

What learned methods replaced, behind the interface of a Restorer, so that it is scored
by the same code under the same protocols. With Zhuo and Sim's map it is of this package
(`TwoStepRestorer`); with EBDB's and DMENet's it is the papers' own (`level_restorer`).
"""

import keras
import numpy as np

from tf_defocus.deconvolution.hyper_laplacian import hyper_laplacian
from tf_defocus.deconvolution.level_restorer import (
    FIDELITIES,
    dmenet_restorer,
    ebdb_restorer,
)
from tf_defocus.deconvolution.mirrored import gaussian_psf
from tf_defocus.deconvolution.photographs import check_image, in_its_depth
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
# Rows of a table of scores: whose map, and how it is undone.
ROWS = (
    *(f"two_step_zhuo_sim_{method}" for method in METHODS),
    "two_step_ebdb",
    "two_step_dmenet",
)


def create_row(name, fidelity=None, estimate_defocus=None):
    """The restorer of a row of classical baselines.

    Args:
        name: str, one of `ROWS`.
        fidelity: float > 0, lambda of "two_step_ebdb" and "two_step_dmenet"; None for
            that of DPDD.
        estimate_defocus: function (height, width, 3) float32 -> (height, width) in
            [0, 1], DMENet's map; for "two_step_dmenet".

    Returns:
        An object with `view_names` and `restore`, as a `Restorer`.

    Raises:
        ValueError: if there is no such row, or it lacks its map.
    """
    _check_name("name", name, ROWS)
    fidelity = fidelity or FIDELITIES["dpdd"]
    if name == "two_step_ebdb":
        return ebdb_restorer(fidelity)
    if name != "two_step_dmenet":
        return TwoStepRestorer(name.removeprefix("two_step_zhuo_sim_"))
    if estimate_defocus is None:
        raise ValueError("two_step_dmenet needs estimate_defocus. Received: None")
    return dmenet_restorer(estimate_defocus, fidelity)


class TwoStepRestorer:
    """Zhuo and Sim's defocus map and non-blind deconvolution, as a Restorer.

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
        method: str,
        psf_shape: str = "gaussian",
        propagation: str = "matting",
        noise_to_signal: float = 5e-3,
        fidelity: float = 2000.0,
        num_iterations: int = 30,
    ) -> None:
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

    def restore(
        self, blurred: np.ndarray, defocus_map: np.ndarray | None = None
    ) -> np.ndarray:
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
        check_image(blurred)
        if defocus_map is not None:
            _check_map(defocus_map, blurred.shape[:2])

        def restore(image):
            sigma = defocus_map
            if sigma is None:
                sigma = estimate_defocus_map(image, self.propagation)
            # Blur within a pixel is no blur: undoing it would only raise the noise.
            sigma = np.where(sigma < SMALLEST_SIGMA, 0.0, sigma)
            return deconvolve_varying(image, sigma, self._deconvolve)

        return in_its_depth(blurred, restore)

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


def _check_map(defocus_map, size):
    if np.shape(defocus_map) != size:
        raise ValueError(
            f"defocus_map must have the image's size {size}. Received: "
            f"{np.shape(defocus_map)}"
        )
    if not (np.isfinite(defocus_map).all() and np.min(defocus_map) >= 0):
        raise ValueError("defocus_map must be finite and not negative [px]")
