"""Richardson-Lucy deconvolution with a known, symmetric point-spread function."""

import numpy as np

from tf_defocus.deconvolution.mirrored import (
    from_cosines,
    to_cosines,
    transfer_function,
)

_SMALLEST = 1e-4  # keeps ratios finite where the picture is black


def richardson_lucy(blurred, psf, num_iterations=20):
    """Maximum likelihood under Poisson noise, by multiplicative steps.

        x <- x . (K^T (y / K x))

    The number of steps is the regularisation: fine detail and noise come last.

    Args:
        blurred: (height, width, channels) float, not negative.
        psf: (odd, odd) float, symmetric in both axes, of sum 1.
        num_iterations: int >= 0.

    Returns:
        (height, width, channels), dtype of `blurred`; positive, not clipped above.

    Reference:
        Richardson, "Bayesian-Based Iterative Method of Image Restoration", JOSA 1972;
        Lucy, "An Iterative Technique for the Rectification of Observed Distributions",
        The Astronomical Journal 1974.
    """
    response = transfer_function(psf, blurred.shape[:2]).astype(blurred.dtype)

    def convolve(images):  # a symmetric kernel is its own transpose
        return from_cosines(response * to_cosines(images))

    observed = np.maximum(blurred, _SMALLEST)
    estimate = observed
    for _ in range(num_iterations):
        ratio = observed / np.maximum(convolve(estimate), _SMALLEST)
        estimate = np.maximum(estimate * convolve(ratio), _SMALLEST)
    return estimate
