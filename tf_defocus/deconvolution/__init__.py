"""Deconvolution with a known or estimated blur: Wiener as a layer, classical baselines.

What papers compare their networks with: estimate a defocus map, then deconvolve with
it. `TwoStepRestorer` has a Restorer's interface, so its rows stand in the same tables.
"""

from tf_defocus.deconvolution.fixed_point import deblur_fixed_point
from tf_defocus.deconvolution.inverse_kernel import wiener_inverse_kernel
from tf_defocus.deconvolution.spatially_varying import deconvolve_varying
from tf_defocus.deconvolution.two_step import TwoStepRestorer
from tf_defocus.deconvolution.wiener import WienerDeconvolution
from tf_defocus.deconvolution.zhuo_sim import estimate_defocus_map

__all__ = [
    "TwoStepRestorer",
    "WienerDeconvolution",
    "deblur_fixed_point",
    "deconvolve_varying",
    "estimate_defocus_map",
    "wiener_inverse_kernel",
]
