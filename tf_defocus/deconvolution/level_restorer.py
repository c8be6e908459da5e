"""The two-step baseline of the papers' tables, as DMENet's authors run it.

A defocus map, stored as 8 bits, becomes 33 blur sizes; the whole photograph is
deconvolved with each, and every pixel taken from the size below its own. Their script
passes the photograph and the result through 8-bit files too: here both keep their
depth.
"""

import numpy as np

from tf_defocus.deconvolution.ebdb import LARGEST_SIGMA, estimate_ebdb_map
from tf_defocus.deconvolution.fast_deconvolution import (
    deconvolve_padded,
    truncated_gaussian,
)
from tf_defocus.deconvolution.photographs import check_image, in_its_depth

NUM_LEVELS = 33
# lambda by the set that is restored; DPDD's elsewhere
FIDELITIES = {"cuhk_bd": 420.0, "dpdd": 16.8, "realdof": 4.2}


class LevelRestorer:
    """Two steps by the papers' script, as a Restorer.

    Args:
        estimate_defocus: function (height, width, 3) float32 in [0, 1] -> (height,
            width) float in [0, 1], the map as it is stored.
        to_sigma: function from the stored map to sigma of the blur [px].
        fidelity: float > 0, lambda of the deconvolution; smaller for noisier images.
    """

    view_names = ("blurred",)

    def __init__(self, estimate_defocus, to_sigma, fidelity=FIDELITIES["dpdd"]):
        self.estimate_defocus = estimate_defocus
        self.to_sigma = to_sigma
        self.fidelity = fidelity

    def restore(self, blurred):
        """Deblurs one photograph.

        Args:
            blurred: (height, width, 3) uint8, uint16 or float32 in [0, 1].

        Returns:
            Same shape and dtype, in the dtype's range.

        Raises:
            ValueError: if the image has another shape or dtype, or is not finite.
        """
        check_image(blurred)
        return in_its_depth(blurred, self._restore)

    def _restore(self, image):
        stored = np.rint(255 * np.asarray(self.estimate_defocus(image))) / 255
        levels = quantize_sigma(self.to_sigma(stored))
        result = np.empty_like(image)
        for sigma in np.unique(levels):
            here = levels == sigma
            kernel = truncated_gaussian(sigma)
            result[here] = deconvolve_padded(image, kernel, self.fidelity)[here]
        return result


def quantize_sigma(sigma):
    """Every blur size becomes the left edge of its bin.

    The edges are the smallest, 32 quantiles of the *different* sizes (at k / 33, as
    MATLAB has them: Hazen's) and the largest.

    Args:
        sigma: (height, width) float [px].

    Returns:
        (height, width) float [px], at most 33 different ones.
    """
    sizes = np.unique(sigma)
    inner = np.arange(1, NUM_LEVELS) / NUM_LEVELS
    quantiles = np.quantile(sizes, inner, method="hazen")
    edges = np.concatenate([sizes[:1], quantiles])
    return edges[np.searchsorted(edges, sigma, side="right") - 1]


def dmenet_sigma(defocus):
    """Sigma of the blur [px] from DMENet's map, which is its diameter over 15 px."""
    return np.maximum((15 * defocus - 1) / 2, 0)


def ebdb_restorer(fidelity=FIDELITIES["dpdd"]):
    """The row of EBDB: its map stored as a share of 5 px.

    No paper tells how its levels are chosen; they are DMENet's here.
    """
    return LevelRestorer(
        lambda image: estimate_ebdb_map(image) / LARGEST_SIGMA,
        lambda stored: LARGEST_SIGMA * stored,
        fidelity,
    )


def dmenet_restorer(estimate_defocus, fidelity=FIDELITIES["dpdd"]):
    """The row of DMENet; `estimate_defocus` is a `DefocusEstimator`'s `estimate`."""
    return LevelRestorer(estimate_defocus, dmenet_sigma, fidelity)
