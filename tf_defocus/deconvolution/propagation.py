"""From a defocus known at edges to one everywhere, guided by the photograph.

Both ways let the map change where the picture does: the matting Laplacian by a global
sparse system, the guided filter by local linear models and in a fraction of the time.
"""

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import linalg

_WINDOW = 1  # radius of the matting Laplacian's windows [px]


def guided_filter(guide, values, radius, epsilon):
    """Local linear models of the guide (He et al., ECCV 2010).

    Args:
        guide: (height, width) float in [0, 1].
        values: (height, width) float.
        radius: int [px], of the square windows.
        epsilon: float > 0, variance of the guide below which a window is averaged.

    Returns:
        (height, width) float64.
    """

    def mean(array):
        size = (2 * radius + 1, 2 * radius + 1)
        return cv2.blur(array, size, borderType=cv2.BORDER_REFLECT)

    guide, values = guide.astype(np.float64), values.astype(np.float64)
    guide_mean, values_mean = mean(guide), mean(values)
    covariance = mean(guide * values) - guide_mean * values_mean
    variance = mean(guide**2) - guide_mean**2
    slope = covariance / (variance + epsilon)
    return mean(slope) * guide + mean(values_mean - slope * guide_mean)


def matting_laplacian(guide, epsilon=1e-5):
    """Quadratic form that is small for maps locally linear in the guide's colours.

    Args:
        guide: (height, width, channels) float in [0, 1].
        epsilon: float > 0, regularises the colour covariance of a window.

    Returns:
        Sparse symmetric (pixels, pixels) float64 matrix, rows of sum zero.

    Reference:
        Levin, Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting",
        TPAMI 2008, Eq. 12.
    """
    height, width, channels = guide.shape
    side = 2 * _WINDOW + 1
    count = side * side
    index = np.arange(height * width).reshape(height, width)
    windows = np.lib.stride_tricks.sliding_window_view(index, (side, side))
    windows = windows.reshape(-1, count)
    colors = guide.reshape(-1, channels).astype(np.float64)[windows]
    colors = colors - colors.mean(axis=1, keepdims=True)
    covariance = np.einsum("nki,nkj->nij", colors, colors) / count
    covariance += epsilon / count * np.eye(channels)
    whitened = np.linalg.solve(covariance, colors.transpose(0, 2, 1))
    affinity = (1.0 + np.einsum("nki,nil->nkl", colors, whitened)) / count
    rows = np.repeat(windows, count, axis=1).ravel()
    columns = np.tile(windows, (1, count)).ravel()
    shape = (height * width, height * width)
    affinity = sparse.coo_matrix((affinity.ravel(), (rows, columns)), shape).tocsr()
    degree = sparse.diags(np.asarray(affinity.sum(axis=1)).ravel())
    return (degree - affinity).tocsr()


def fill_nearest(values, known):
    """Every unknown pixel takes the value of the nearest known one.

    Args:
        values: (height, width) float.
        known: (height, width) bool, somewhere true.

    Returns:
        (height, width), dtype of `values`.
    """
    nearest = ndimage.distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    return values[tuple(nearest)]


def propagate_by_matting(values, known, guide, fidelity=1e-2):
    """Solves (L + fidelity D) x = fidelity D values, D: diagonal of `known`.

    Args:
        values: (height, width) float, valid where known.
        known: (height, width) bool, somewhere true.
        guide: (height, width, channels) float in [0, 1].
        fidelity: float > 0, how closely the known values are kept.

    Returns:
        (height, width) float64 within the range of the known values.
    """
    weight = fidelity * known.ravel().astype(np.float64)
    system = (matting_laplacian(guide) + sparse.diags(weight)).tocsc()
    # Symmetric and positive definite: no pivoting, an ordering for that pattern.
    factors = linalg.splu(
        system,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    solution = factors.solve(weight * values.ravel())
    low, high = values[known].min(), values[known].max()
    return np.clip(solution, low, high).reshape(values.shape)


def propagate_by_guided_filter(values, known, guide, radius=8, epsilon=1e-3):
    """The nearest known values, filtered along the picture.

    Args:
        values, known, guide: as in `propagate_by_matting`.
        radius: int [px], of the filter.
        epsilon: float > 0, as in `guided_filter`.

    Returns:
        (height, width) float64 within the range of the known values.
    """
    filled = fill_nearest(values, known)
    smoothed = guided_filter(guide.mean(axis=-1), filled, radius, epsilon)
    return np.clip(smoothed, values[known].min(), values[known].max())
