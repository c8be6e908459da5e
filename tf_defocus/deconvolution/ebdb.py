"""EBDB: how blurred every pixel is, from edges that each choose their scale.

Karaali and Jung, "Edge-Based Defocus Blur Estimation With Adaptive Scale Selection",
IEEE TIP 27(3), 2018: re-blurring an edge at two scales tells its own blur, as in
`zhuo_sim`; the second scale is as wide as the edge survives, which averages noise and
keeps neighbouring edges out. What touches along an edge is made alike, then spread.

The steps, as the authors' code has them:
  edges at nine scales, those of the first four   scale_consistent_edges
  blur of every edge pixel                        edge_blur
  connected edge filter                           smooth_along_edges
  propagation                                     estimate_ebdb_map

Difference from the paper: its abstract propagates by a fast guided filter, the released
code by the domain transform's recursive filter, normalised by what it does to the edge
map. It is the latter here.
"""

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import linalg

from tf_defocus.deconvolution.canny import canny
from tf_defocus.deconvolution.domain_transform import domain_transform_filter

SCALES = np.arange(1.0, 5.5, 0.5)  # [px], of the edge detector
NUM_CONSISTENT = 4  # first scales that must all see an edge
FIRST_REBLUR = 1.0  # [px]
LARGEST_SIGMA = 5.0  # [px], upper bound of the map
SMOOTHNESS = 10.0  # gamma, of the connected edge filter
_GAMMA = 2.4  # of the working image
_LUMA = np.array([65.481, 128.553, 24.966])  # of 255, on an offset of 16
_NEIGHBOURS = [(0, 1), (1, -1), (1, 0), (1, 1)]  # the other four mirror these


def working_image(image):
    """g: the luminance, as light.

    Args:
        image: (height, width, 3) float in [0, 1], or one channel, which is g already.

    Returns:
        (height, width) float64.
    """
    image = np.asarray(image, np.float64)
    if image.shape[-1] == 1:
        return image[..., 0]
    return ((16 + image @ _LUMA) / 255) ** _GAMMA


def detect_edges(grey):
    """Edges at every scale, (height, width, 9) bool."""
    return np.stack([canny(grey, scale) for scale in SCALES], axis=-1)


def scale_consistent_edges(edges):
    """The edges that are kept, and the second scale of each.

    Args:
        edges: (height, width, 9) bool, of `detect_edges`.

    Returns:
        edge_map (height, width) bool, seen at the first four scales; scale (height,
        width) float64 [px], half the last scale before the edge is first lost, 0 off
        the edges; count (height, width) int, of the scales that see the pixel.
    """
    edge_map = edges[..., :NUM_CONSISTENT].all(axis=-1)
    unbroken = np.logical_and.accumulate(edges, axis=-1).sum(axis=-1)
    scale = np.where(edge_map, SCALES[np.maximum(unbroken, 1) - 1] / 2, 0.0)
    return edge_map, scale, edges.sum(axis=-1)


def edge_blur(grey, edge_map, scale):
    """Blur of step edges from the gradients at two scales.

        R = m_1 / m_2,   sigma^2 = (R^2 s_1^2 - s_2^2) / (1 - R^2)

    Args:
        grey: (height, width) float.
        edge_map, scale: of `scale_consistent_edges`.

    Returns:
        (height, width) float64 [px] in [0, 5], 0 off the edges and where the ratio fits
        no step: such a pixel stays, and pulls its neighbours down.
    """
    sigma = np.zeros(grey.shape)
    for second in np.unique(scale[edge_map]):
        here = edge_map & (scale == second)
        reach = 2 * int(np.ceil(2 * second)) + 1
        first, other = (
            _gradient_magnitude(grey, s, reach)[here] for s in (FIRST_REBLUR, second)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            squared = (first / other) ** 2
            variance = (squared * FIRST_REBLUR**2 - second**2) / (1 - squared)
        variance = np.where(variance > 0, variance, 0.0)  # NaN as well
        sigma[here] = np.minimum(np.sqrt(variance), LARGEST_SIGMA)
    return sigma


def smooth_along_edges(sigma, edge_map, count):
    """Makes what touches alike: the connected edge filter.

        sum of w_i (x_i - sigma_i)^2 + gamma sum over neighbours (x_i - x_j)^2

    w_i = 1 + the number of scales that see the edge; neighbours are the eight around.

    Args:
        sigma: (height, width) float [px], of `edge_blur`.
        edge_map, count: of `scale_consistent_edges`.

    Returns:
        (height, width) float64 [px], 0 off the edges.
    """
    places = np.flatnonzero(edge_map)
    index = np.full(edge_map.shape, -1)
    index.ravel()[places] = np.arange(len(places))
    pairs = np.concatenate([_pairs(index, *step) for step in _NEIGHBOURS], axis=1)
    weights = 1.0 + count.ravel()[places]
    size = (len(places), len(places))
    links = sparse.coo_matrix((np.ones(pairs.shape[1]), tuple(pairs)), size).tocsr()
    links = links + links.T
    degree = np.asarray(links.sum(axis=1)).ravel()
    system = sparse.diags(weights + 2 * SMOOTHNESS * degree) - 2 * SMOOTHNESS * links
    result = np.zeros(edge_map.shape)
    known = weights * sigma.ravel()[places]
    result.ravel()[places] = linalg.spsolve(system.tocsc(), known)
    return result


def spread(sigma, edge_map, image):
    """From the edges to every pixel, along the image's own edges.

    Args:
        sigma: (height, width) float [px], of `smooth_along_edges`.
        edge_map: (height, width) bool, somewhere true.
        image: (height, width, channels) float in [0, 1].

    Returns:
        (height, width) float64 [px].
    """
    guide = smoothed_guide(image)
    spatial = min(edge_map.shape) / 8
    sources = np.stack([sigma * edge_map, edge_map], axis=-1)
    total, weight = np.moveaxis(
        domain_transform_filter(sources, guide, spatial, 3.75), -1, 0
    )
    return total / weight


def smoothed_guide(image):
    """The image without its texture, (height, width, channels)."""
    return domain_transform_filter(image, image, 7, 0.5)


def estimate_ebdb_map(image):
    """Dense defocus map of a photograph.

    Args:
        image: (height, width, 3) float in [0, 1], or one channel of light.

    Returns:
        (height, width) float32, sigma of the blur [px] in [0, 5]; all zero where no
        edge is found, for then nothing says the image is blurred.
    """
    grey = working_image(image)
    if min(grey.shape) < 3:
        return np.zeros(grey.shape, np.float32)
    edge_map, scale, count = scale_consistent_edges(detect_edges(grey))
    if not edge_map.any():
        return np.zeros(grey.shape, np.float32)
    sigma = smooth_along_edges(edge_blur(grey, edge_map, scale), edge_map, count)
    return spread(sigma, edge_map, image).astype(np.float32)


def _gradient_magnitude(grey, sigma, reach):
    """By derivatives of a Gaussian, sampled and not normalised."""
    taps = np.arange(-reach, reach + 1)
    bell = np.exp(-(taps**2) / (2 * sigma**2))
    slope = -taps * bell / (2 * np.pi * sigma**4)
    parts = []
    for axis in (0, 1):
        part = ndimage.correlate1d(grey, slope, axis=axis, mode="reflect")
        parts.append(ndimage.correlate1d(part, bell, axis=1 - axis, mode="reflect"))
    return np.hypot(*parts)


def _pairs(index, down, right):
    """(2, pairs): numbers of the edge pixels that touch in one direction."""
    height, width = index.shape
    columns = slice(max(-right, 0), width - max(right, 0))
    others = slice(max(right, 0), width - max(-right, 0))
    one, other = index[: height - down, columns], index[down:, others]
    touch = (one >= 0) & (other >= 0)
    return np.stack([one[touch], other[touch]])
