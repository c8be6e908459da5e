"""The physics of defocus, in NumPy: lens, kernels, dual-pixel renderer, sensor."""

from tf_defocus.optics.dual_pixel import (
    DualPixelImage,
    Surface,
    render,
    render_aperture,
)
from tf_defocus.optics.psf import (
    ApertureSplit,
    centroid_disparity,
    disc,
    dual_pixel_pair,
    gaussian,
    logistic_split,
    shift_ratio,
    softness_for_shift_ratio,
)
from tf_defocus.optics.sensor import (
    add_noise,
    linear_to_srgb,
    quantize8,
    quantize16,
    srgb_to_linear,
    warp_radially,
)
from tf_defocus.optics.thin_lens import (
    circle_of_confusion,
    circle_of_confusion_pixels,
)

__all__ = [
    "ApertureSplit",
    "DualPixelImage",
    "Surface",
    "add_noise",
    "centroid_disparity",
    "circle_of_confusion",
    "circle_of_confusion_pixels",
    "disc",
    "dual_pixel_pair",
    "gaussian",
    "linear_to_srgb",
    "logistic_split",
    "quantize8",
    "quantize16",
    "render",
    "render_aperture",
    "shift_ratio",
    "softness_for_shift_ratio",
    "srgb_to_linear",
    "warp_radially",
]
