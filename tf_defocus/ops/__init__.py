"""Pure functions on tensors: no variables, no state."""

from tf_defocus.ops.adaptive_convolution import (
    computed_after,
    dense_adaptive_convolution,
    native_kernel,
    portable,
    separable_adaptive_convolution,
)
from tf_defocus.ops.colors import to_caffe_colors
from tf_defocus.ops.fourier import normalise_energy, reciprocal_spectrum
from tf_defocus.ops.gaussian import (
    convolve_bank,
    gaussian_bank,
    gaussian_taps,
    outer_products,
)
from tf_defocus.ops.image_spectrum import (
    inverse_real_transform,
    real_transform,
    transform_modulus,
)
from tf_defocus.ops.local_correlation import local_correlation
from tf_defocus.ops.padding import (
    crop_like,
    pad_amounts,
    pad_to_multiple,
    reflect_border,
)
from tf_defocus.ops.resizing import (
    double_bilinear,
    enlarge_bilinear,
    halve_antialiased,
    halve_binomial,
    resize_bilinear_aligned,
    resize_nearest_floor,
)
from tf_defocus.ops.strips import join_strips, map_strips, needs_strips
from tf_defocus.ops.structural_similarity import gaussian_window, structural_similarity
from tf_defocus.ops.view_reblurring import (
    growing_disc,
    reblur,
    total_variation,
    view_disagreement,
)
from tf_defocus.ops.warping import dense_image_warp, horizontal_warp

__all__ = [
    "computed_after",
    "convolve_bank",
    "crop_like",
    "dense_adaptive_convolution",
    "dense_image_warp",
    "double_bilinear",
    "enlarge_bilinear",
    "gaussian_bank",
    "gaussian_taps",
    "gaussian_window",
    "growing_disc",
    "halve_antialiased",
    "halve_binomial",
    "horizontal_warp",
    "inverse_real_transform",
    "join_strips",
    "local_correlation",
    "map_strips",
    "native_kernel",
    "needs_strips",
    "normalise_energy",
    "outer_products",
    "pad_amounts",
    "pad_to_multiple",
    "portable",
    "real_transform",
    "reblur",
    "reciprocal_spectrum",
    "reflect_border",
    "resize_bilinear_aligned",
    "resize_nearest_floor",
    "separable_adaptive_convolution",
    "structural_similarity",
    "to_caffe_colors",
    "total_variation",
    "transform_modulus",
    "view_disagreement",
]
