"""How well a Gaussian, a disc and a mixture of Gaussians describe a defocus kernel.

Two-step deblurring models a pixel's kernel by one number, the width of a Gaussian or
the radius of a disc; GKMNet by the weights of a fixed bank [GKMNet Eq. 3]. The models
are fitted in the least-squares sense to kernels of sum 1, and keep that sum.
"""

import numpy as np
from scipy import optimize

from tf_defocus.ops.gaussian import gaussian_bank, gaussian_taps, outer_products
from tf_defocus.optics import psf

SUM_WEIGHT = 1e3  # of the row that asks the weights of a mixture to sum to 1


def sample_kernels(size=21):
    """Named defocus kernels that a bank of the given size can hold.

    Discs; Butterworth discs, and the sums of the two views of a dual pixel by the
    translating disc; discs that a straight edge nearer to the camera cuts off.

    Args:
        size: int, odd, at least 19 [px].

    Returns:
        dict, name -> (size, size) float64, not negative, sum 1.
    """
    kernels = {f"disc, radius {r} px": psf.disc(r) for r in (1, 2, 4, 7)}
    for name, pair in (
        ("Butterworth", psf.butterworth),
        ("dual-pixel sum", psf.translating_disc),
    ):
        for radius in (2, 4, 6):
            left, right = pair(radius)
            kernels[f"{name}, radius {radius} px"] = (left + right) / 2
    for radius, edge in ((4, 2), (4, 0), (7, 3)):
        disc = psf.disc(radius)
        cut = disc * (np.arange(len(disc)) <= len(disc) // 2 + edge)
        kernels[f"disc, radius {radius} px, edge at {edge} px"] = cut / cut.sum()
    return {name: embed(kernel, size) for name, kernel in kernels.items()}


def embed(kernel, size):
    """Centres an odd kernel on a larger odd canvas of zeros.

    Raises:
        ValueError: if the kernel is larger than the canvas.
    """
    margin = (size - len(kernel)) // 2
    if margin < 0:
        raise ValueError(
            f"Expected a kernel of {size} px or less. Received: {kernel.shape}"
        )
    return np.pad(kernel, margin)


def fit_gaussian(kernel):
    """The closest single Gaussian of sum 1; (size, size) -> (size, size) float64."""
    size = len(kernel)
    return _best(kernel, lambda s: outer_products(gaussian_taps(s, size)), 0.1, size)


def fit_disc(kernel):
    """The closest disc of sum 1; (size, size) -> (size, size) float64."""
    size = len(kernel)
    return _best(kernel, lambda r: embed(psf.disc(r), size), 0.25, size // 2)


def fit_mixture(kernel, bank="default", signed=False):
    """The closest mixture of the bank's Gaussians, of sum 1.

    Args:
        kernel: (size, size) float, size odd.
        bank: of `tf_defocus.ops.gaussian.gaussian_bank`.
        signed: bool, whether weights may be negative, as the network's are.

    Returns:
        (size, size) float64, and the weights (kernels,) float64 [GKMNet Eq. 3].
    """
    size = len(kernel)
    taps = gaussian_bank(max_kernel_size=size, bank=bank).astype(np.float64)
    basis = outer_products(taps).reshape(len(taps), -1).T
    rows = np.concatenate([basis, np.full((1, len(taps)), SUM_WEIGHT)])
    solve = np.linalg.lstsq if signed else optimize.nnls
    weights = solve(rows, np.append(kernel.ravel(), SUM_WEIGHT))[0]
    return (basis @ weights).reshape(size, size), weights


def relative_error(fitted, kernel):
    """Root of the squared error over that of the kernel itself; 0 is perfect."""
    return float(np.linalg.norm(fitted - kernel) / np.linalg.norm(kernel))


def _best(kernel, model, low, high):
    """The model's kernel at its best parameter: a grid, then a bounded search."""
    grid = np.geomspace(low, high, 40)

    def error(parameter):
        return relative_error(model(parameter), kernel)

    best = int(np.argmin([error(p) for p in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        error, bounds=bounds, method="bounded", options={"xatol": 1e-4}
    )
    return model(min((found.x, grid[best]), key=error))
